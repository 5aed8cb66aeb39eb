//! What the layer computes, and where its parameters and state lie in the packed slices.

use std::ops::Range;

use crate::Result;
use crate::layout::{LayerLayout, Matrix};
use crate::options::FastWeightsConfig;

/// A layer of this kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct AttentiveSpec {
    /// Options of the equations.
    pub config: FastWeightsConfig,
    /// Input size I.
    pub input: usize,
    /// Units H.
    pub hidden: usize,
    /// Where the parameters lie.
    pub places: Places,
    /// Where h and F lie in the packed state of one element.
    pub fields: [Range<usize>; 2],
    /// Length S of that state.
    pub state_len: usize,
}

/// Ranges of the packed parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// `[H, I+H]`
    pub weight: Matrix,
    pub bias: Range<usize>,
    /// Gain and offset.
    pub norm: Option<[Range<usize>; 2]>,
}

impl AttentiveSpec {
    /// The layer of those options that has been declared so.
    ///
    /// # Errors
    /// [`crate::Error::Unknown`] for a parameter or a field of the state that it needs and has not got.
    pub fn new(config: &FastWeightsConfig, layout: &LayerLayout) -> Result<Self> {
        let LayerLayout { input, hidden, parameters, state } = layout;
        let norm = parameters.find("layer_norm.weight").zip(parameters.find("layer_norm.bias"));
        Ok(Self {
            config: config.clone(),
            input: *input,
            hidden: *hidden,
            places: Places {
                weight: parameters.matrix("weight")?,
                bias: parameters.range("bias")?,
                norm: norm.map(Into::into),
            },
            fields: [state.range("h")?, state.range("F")?],
            state_len: state.len(),
        })
    }
}
