//! The instruction sets that kernels are compiled for.

use serde::{Deserialize, Serialize};

/// An instruction set. Results of different ones differ by rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Instructions {
    /// Whatever the target's baseline has.
    Portable,
    /// x86-64 with AVX2 and fused multiply-add.
    Avx2,
    /// x86-64 with AVX-512 (F, BW, CD, DQ, VL).
    Avx512,
    /// AArch64 with NEON.
    Neon,
}

impl Instructions {
    /// All that this processor has, the best last.
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut, reason = "nothing to add on other architectures")]
        let mut available = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if pulp::x86::V3::try_new().is_some() {
                available.push(Self::Avx2);
            }
            if pulp::x86::V4::try_new().is_some() {
                available.push(Self::Avx512);
            }
        }
        #[cfg(target_arch = "aarch64")]
        if pulp::aarch64::Neon::try_new().is_some() {
            available.push(Self::Neon);
        }
        available
    }

    /// Its name, as in saved files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Neon => "neon",
        }
    }

    /// The best that this processor has.
    pub fn best() -> Self {
        Self::available().last().copied().unwrap_or(Self::Portable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_saved_files() {
        for set in [Instructions::Portable, Instructions::Avx2, Instructions::Avx512, Instructions::Neon] {
            assert_eq!(serde_json::to_value(set).unwrap(), set.as_str());
        }
        assert!(Instructions::available().contains(&Instructions::best()));
    }
}
