//! What the layer sees, and where its parameters and state lie in the packed slices.

use std::ops::Range;

use crate::Result;
use crate::layout::{LayerLayout, Matrix};
use crate::options::FrameStackConfig;

/// A layer of this kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackedSpec {
    /// Frames and features of the time.
    pub config: FrameStackConfig,
    /// Input size I.
    pub input: usize,
    /// Units H.
    pub hidden: usize,
    /// Where the weights lie, `[H, k·I + P]`.
    pub weight: Matrix,
    /// Where the biases lie.
    pub bias: Range<usize>,
    /// Where the inputs before lie in the packed state of one element, if there are any.
    pub inputs: Range<usize>,
    /// Where the time lies, if it is seen.
    pub time: Option<usize>,
    /// Length S of that state.
    pub state_len: usize,
}

impl StackedSpec {
    /// The layer with those options that has been declared so.
    ///
    /// # Errors
    /// [`crate::Error::Unknown`] for a parameter or a field of the state that it needs and has not got.
    pub fn new(config: &FrameStackConfig, layout: &LayerLayout) -> Result<Self> {
        let LayerLayout { input, hidden, parameters, state } = layout;
        let inputs = if config.frames > 1 { state.range("inputs")? } else { 0..0 };
        let time = if config.position > 0 { Some(state.range("time")?.start) } else { None };
        Ok(Self {
            config: config.clone(),
            input: *input,
            hidden: *hidden,
            weight: parameters.matrix("weight")?,
            bias: parameters.range("bias")?,
            inputs,
            time,
            state_len: state.len(),
        })
    }

    /// Scalars that the layer sees in a step.
    pub fn width(&self) -> usize {
        self.config.width(self.input)
    }
}
