//! Operands and results of sequences on a device.

use super::device::{Buffer, Device};
use super::runner::DeviceRunner;
use crate::lengths::expect;
use crate::sequence::{SequenceGradients, SequenceInputs};
use crate::tape::Tape;
use crate::{Error, Extent, Result};

/// Operands of a sequence: packed parameters, x `[T, B, I]`, resets `[T, B]` (1 where an episode starts), initial state
/// `[B, S]`.
#[derive(Clone, Copy, Debug)]
pub struct Sequence<'a, T> {
    /// T and B.
    pub extent: Extent,
    /// Packed parameters.
    pub parameters: &'a Buffer<T>,
    /// Inputs.
    pub x: &'a Buffer<T>,
    /// Starts of episodes.
    pub resets: Option<&'a Buffer<u8>>,
    /// The initial state.
    pub start: &'a Buffer<T>,
}

/// Results of a forward pass.
#[derive(Debug)]
pub struct Forward<T> {
    /// Activities `[T, B, H]`.
    pub hidden: Buffer<T>,
    /// The final state `[B, S]`.
    pub end: Buffer<T>,
    /// What the backward pass needs; none if it was not asked for.
    pub(super) tape: Option<Tape<Buffer<T>>>,
}

/// Results of a backward pass.
#[derive(Debug)]
pub struct Backward<T> {
    /// Gradient of x.
    pub x: Buffer<T>,
    /// Gradient of the initial state.
    pub state: Buffer<T>,
    /// Gradient of the packed parameters.
    pub parameters: Buffer<T>,
}

/// Numbers of a layer that arrays are checked by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub parameters: usize,
    pub input: usize,
    pub hidden: usize,
    pub state: usize,
}

impl<T> Sequence<'_, T> {
    /// Refuses arrays of other lengths than the layer and the extent ask for.
    pub(super) fn check(&self, sizes: Sizes) -> Result<()> {
        let units = self.extent.steps * self.extent.batch;
        if units == 0 {
            return Err(Error::Layer { problem: "a sequence needs at least one step and one environment".to_string() });
        }
        expect("parameters", self.parameters.len(), sizes.parameters)?;
        expect("x", self.x.len(), units * sizes.input)?;
        expect("resets", self.resets.map_or(units, Buffer::len), units)?;
        expect("state", self.start.len(), self.extent.batch * sizes.state)
    }

    /// The same for what the backward pass is given.
    pub(super) fn check_backward(
        &self,
        sizes: Sizes,
        forward: &Forward<T>,
        [grad_hidden, grad_end]: [&Buffer<T>; 2],
    ) -> Result<()> {
        self.check(sizes)?;
        let units = self.extent.steps * self.extent.batch * sizes.hidden;
        expect("activities", forward.hidden.len(), units)?;
        expect("grad_hidden", grad_hidden.len(), units)?;
        expect("grad_end", grad_end.len(), self.start.len())
    }

    pub(super) fn inputs(&self, runner: &DeviceRunner<'_>) -> SequenceInputs<'_, Buffer<T>> {
        let resets = self.resets.map_or(0, |resets| runner.address_of(resets));
        SequenceInputs { extent: self.extent, parameters: self.parameters, x: self.x, resets, start: self.start }
    }
}

impl<T> From<SequenceGradients<Buffer<T>>> for Backward<T> {
    fn from(gradients: SequenceGradients<Buffer<T>>) -> Self {
        let SequenceGradients { x, state, parameters } = gradients;
        Self { x, state, parameters }
    }
}

/// Refuses passes that need more bytes in all than are free or held by the operands already, and says how many sequences
/// would fit.
pub(super) fn check_memory<T>(
    device: &Device,
    needed: usize,
    sequence: &Sequence<'_, T>,
    fitting: impl FnOnce(usize) -> usize,
) -> Result<()> {
    let held = [sequence.parameters, sequence.x, sequence.start].map(Buffer::len).iter().sum::<usize>();
    let free = device.free()? + held * size_of::<T>() + sequence.resets.map_or(0, Buffer::len);
    let batch = sequence.extent.batch;
    if needed <= free { Ok(()) } else { Err(Error::Memory { needed, free, fits: fitting(free), batch }) }
}
