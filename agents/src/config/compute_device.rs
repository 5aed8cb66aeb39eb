//! Which device computes a network, and plays mazes.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use stpn_core::NUMERICS;

use crate::{Error, Result};

/// `stpn_cuda::NUMERICS`, which a program without those kernels has to know too: it opens runs that they trained.
const CUDA_NUMERICS: u32 = 5;
#[cfg(feature = "cuda")]
const _: () = assert!(CUDA_NUMERICS == stpn_cuda::NUMERICS, "the number of CUDA's arithmetic stands here too");

/// The device that computes a network, and plays mazes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ComputeDevice {
    /// The processor.
    #[default]
    Cpu,
    /// The CUDA device of that number.
    Cuda(usize),
}

impl ComputeDevice {
    /// Refuses a device that this program cannot have.
    ///
    /// # Errors
    /// [`Error::NotBuilt`] naming the feature.
    pub fn check(self) -> Result<()> {
        match self {
            Self::Cuda(_) if cfg!(not(feature = "cuda")) => {
                Err(Error::NotBuilt { device: self.to_string(), feature: "cuda" })
            }
            _ => Ok(()),
        }
    }

    /// The number of the arithmetic with which a run on it computes: the thousands count that of the device, the rest
    /// is that of the CPU, on which everything else runs.
    pub fn numerics(self) -> u32 {
        match self {
            Self::Cpu => NUMERICS,
            Self::Cuda(_) => 1000 * CUDA_NUMERICS + NUMERICS,
        }
    }
}

impl fmt::Display for ComputeDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(0) => f.write_str("cuda"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

impl FromStr for ComputeDevice {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let unknown = || format!("must be \"cpu\", \"cuda\", or \"cuda:1\" for the second device, not \"{text}\"");
        match text {
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => {
                let index = text.strip_prefix("cuda:").filter(|index| index.bytes().all(|byte| byte.is_ascii_digit()));
                index.and_then(|index| index.parse().ok()).map(Self::Cuda).ok_or_else(unknown)
            }
        }
    }
}

impl TryFrom<String> for ComputeDevice {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        text.parse()
    }
}

impl From<ComputeDevice> for String {
    fn from(device: ComputeDevice) -> Self {
        device.to_string()
    }
}

impl JsonSchema for ComputeDevice {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ComputeDevice".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^(cpu|cuda(:[0-9]+)?)$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_as_they_are_written() {
        for (text, device) in
            [("cpu", ComputeDevice::Cpu), ("cuda", ComputeDevice::Cuda(0)), ("cuda:3", ComputeDevice::Cuda(3))]
        {
            assert_eq!(text.parse(), Ok(device));
            assert_eq!(device.to_string(), text);
        }
        assert_eq!("cuda:0".parse(), Ok(ComputeDevice::Cuda(0)));
        for wrong in ["gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:+1", "CUDA", ""] {
            let refused = wrong.parse::<ComputeDevice>().unwrap_err();
            assert!(refused.contains("cuda:1") && refused.contains(wrong), "{refused}");
        }
        assert_ne!(ComputeDevice::Cuda(0).numerics(), ComputeDevice::Cpu.numerics());
    }
}
