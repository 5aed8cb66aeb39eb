//! What the layer computes, and where its parameters and state lie in the packed slices.

use std::ops::Range;

use crate::Result;
use crate::layout::{LayerLayout, Matrix};
use crate::options::AssociativeRule;

/// A layer of this kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssociativeSpec {
    /// What a key's value becomes in the memory.
    pub rule: AssociativeRule,
    /// Input size I.
    pub input: usize,
    /// Units H.
    pub hidden: usize,
    /// Where the weights lie, `[4H+2, I]`.
    pub weight: Matrix,
    /// Where the biases lie.
    pub bias: Range<usize>,
    /// Where F lies in the packed state of one element.
    pub field: Range<usize>,
    /// Length S of that state.
    pub state_len: usize,
}

impl AssociativeSpec {
    /// The layer with that rule that has been declared so.
    ///
    /// # Errors
    /// [`crate::Error::Unknown`] for a parameter or a field of the state that it needs and has not got.
    pub fn new(rule: AssociativeRule, layout: &LayerLayout) -> Result<Self> {
        let LayerLayout { input, hidden, parameters, state } = layout;
        Ok(Self {
            rule,
            input: *input,
            hidden: *hidden,
            weight: parameters.matrix("weight")?,
            bias: parameters.range("bias")?,
            field: state.range("F")?,
            state_len: state.len(),
        })
    }
}
