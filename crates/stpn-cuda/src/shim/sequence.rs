//! Operands and gradients of sequences behind the shim.

use super::machine::Problems;
use super::runner::{ShimArray, ShimRunner};
use crate::Extent;
use crate::sequence::SequenceInputs;

/// Operands of a forward pass: x `[T, B, I]`, resets `[T, B]`, state `[B, S]`, packed parameters.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a, T> {
    /// T and B.
    pub extent: Extent,
    /// Packed parameters.
    pub parameters: &'a [T],
    /// Inputs.
    pub x: &'a [T],
    /// 1 where an episode starts.
    pub resets: Option<&'a [u8]>,
    /// The initial state.
    pub start: &'a [T],
}

/// Results of a backward pass.
#[derive(Clone, Debug)]
pub struct Backward<T> {
    /// Gradient of x.
    pub x: Vec<T>,
    /// Gradient of the initial state.
    pub state: Vec<T>,
    /// Gradient of the packed parameters.
    pub parameters: Vec<T>,
    /// What is wrong.
    pub problems: Problems,
}

impl<T> Inputs<'_, T> {
    /// Panics unless all lengths are those of a layer with so many parameters, inputs and elements of state.
    pub(super) fn check(&self, [parameters, input, state]: [usize; 3]) {
        let units = self.extent.steps * self.extent.batch;
        assert_eq!(self.parameters.len(), parameters, "parameters");
        assert_eq!(self.x.len(), units * input, "x");
        assert_eq!(self.start.len(), self.extent.batch * state, "start");
        assert!(self.resets.is_none_or(|resets| resets.len() == units), "resets");
    }
}

/// Copies of operands where kernels can reach them.
pub(super) struct Lent<T> {
    parameters: ShimArray<T>,
    x: ShimArray<T>,
    resets: Option<ShimArray<u8>>,
    start: ShimArray<T>,
}

pub(super) fn lent<T: Copy>(runner: &ShimRunner, inputs: Inputs<'_, T>) -> Lent<T> {
    Lent {
        parameters: runner.array(inputs.parameters),
        x: runner.array(inputs.x),
        resets: inputs.resets.map(|resets| runner.array(resets)),
        start: runner.array(inputs.start),
    }
}

impl<T> Lent<T> {
    /// What is in the resets now.
    pub fn resets(&self) -> Option<Vec<u8>> {
        self.resets.as_ref().map(ShimArray::values)
    }

    pub fn inputs(&self, extent: Extent) -> SequenceInputs<'_, ShimArray<T>> {
        let Self { parameters, x, resets, start } = self;
        let resets = resets.as_ref().map_or(0, ShimRunner::address_of);
        SequenceInputs { extent, parameters, x, resets, start }
    }
}
