//! Options of the stack of frames.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Options of [`crate::cells::FrameStack`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FrameStackConfig {
    /// How many inputs are seen, the present one included.
    pub frames: usize,
    /// Sines and cosines of the time since the episode began, an even number; 0 = none.
    pub position: usize,
}

impl Default for FrameStackConfig {
    fn default() -> Self {
        Self { frames: 4, position: 8 }
    }
}

impl FrameStackConfig {
    /// Refuses impossible values.
    ///
    /// # Errors
    /// [`Error::Config`] with the offending key.
    pub fn check(&self) -> Result<()> {
        if self.frames == 0 {
            return Err(Error::Config { key: "frames", problem: "is 0; at least 1 is needed".into() });
        }
        if !self.position.is_multiple_of(2) {
            let problem = format!("is {}; sines and cosines are as many: allowed are even numbers", self.position);
            return Err(Error::Config { key: "position", problem });
        }
        Ok(())
    }

    /// Inputs of the layer that sees them, of which each frame has `input`.
    pub fn width(&self, input: usize) -> usize {
        self.frames * input + self.position
    }

    /// How fast each pair of a sine and a cosine turns, in radians a step.
    pub fn frequencies(&self) -> impl Iterator<Item = f64> {
        let features = self.position;
        (0..features / 2).map(move |pair| SLOWEST.powf(-2.0 * pair as f64 / features as f64))
    }
}

/// By how much the slowest frequency, if there were infinitely many, is slower than the first.
const SLOWEST: f64 = 10_000.0;
