//! Bytes to numbers, once, at the network's entry.

use candle_core::{DType, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Result;

/// How an observation of bytes 0 to 255 becomes numbers. Observations that are numbers already stay as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ByteScaling {
    /// v / 255, in [0, 1]: the field's convention.
    #[default]
    Unit,
    /// (v − 128) / 128, in [−1, 1): the published Pong runs.
    Centered,
    /// v as it is.
    Raw,
}

impl ByteScaling {
    /// What a byte is multiplied by, and what is added to that.
    pub(super) fn affine(self) -> (f64, f64) {
        match self {
            Self::Unit => (1.0 / 255.0, 0.0),
            Self::Centered => (1.0 / 128.0, -1.0),
            Self::Raw => (1.0, 0.0),
        }
    }

    /// Observations as numbers of a dtype: bytes scaled, numbers as they are.
    ///
    /// # Errors
    /// Fails if candle cannot convert.
    pub fn tensor(self, observations: &Tensor, dtype: DType) -> Result<Tensor> {
        let (factor, summand) = self.affine();
        Ok(match observations.dtype() {
            DType::U8 => observations.to_dtype(dtype)?.affine(factor, summand)?,
            _ => observations.to_dtype(dtype)?,
        })
    }
}
