//! Where the layer's parameters and state lie in the packed slices.

use std::ops::Range;

use crate::Result;
use crate::layout::{LayerLayout, Matrix};

/// A layer of this kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiagonalSpec {
    /// Input size I.
    pub input: usize,
    /// Units H.
    pub hidden: usize,
    /// Where the parameters lie.
    pub places: Places,
    /// Where real and imaginary parts lie in the packed state of one element.
    pub fields: [Range<usize>; 2],
    /// Length S of that state.
    pub state_len: usize,
}

/// Ranges of the packed parameters; of two, the real part comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    pub nu_log: Range<usize>,
    pub theta_log: Range<usize>,
    pub gamma_log: Range<usize>,
    /// `[H, I]`
    pub input: [Matrix; 2],
    /// `[H, H]`
    pub output: [Matrix; 2],
    /// `[H, I]`
    pub skip: Matrix,
    pub bias: Range<usize>,
}

impl DiagonalSpec {
    /// The layer that has been declared so.
    ///
    /// # Errors
    /// [`crate::Error::Unknown`] for a parameter or a field of the state that it needs and has not got.
    pub fn new(layout: &LayerLayout) -> Result<Self> {
        let LayerLayout { input, hidden, parameters, state } = layout;
        Ok(Self {
            input: *input,
            hidden: *hidden,
            places: Places {
                nu_log: parameters.range("nu_log")?,
                theta_log: parameters.range("theta_log")?,
                gamma_log: parameters.range("gamma_log")?,
                input: [parameters.matrix("input_re")?, parameters.matrix("input_im")?],
                output: [parameters.matrix("output_re")?, parameters.matrix("output_im")?],
                skip: parameters.matrix("skip")?,
                bias: parameters.range("bias")?,
            },
            fields: [state.range("re")?, state.range("im")?],
            state_len: state.len(),
        })
    }
}
