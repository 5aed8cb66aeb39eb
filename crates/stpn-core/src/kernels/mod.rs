//! Fused sequence kernels for the CPU, on plain slices: they know nothing of candle but in [`operator`].
//!
//! A kernel reads packed parameters and packed states `[B, S]`, which lie as the cell has declared them
//! ([`crate::layout`]). [`SequenceKernel::prepare`] lays the parameters out for the kernel once per value of them; the
//! result is shared by all threads. Each call works on one block of batch elements on the calling thread; callers
//! split a batch into blocks of a fixed size, so that the result does not depend on the number of threads.

pub mod affine;
mod aligned;
pub(crate) mod associative;
pub(crate) mod attentive;
pub mod blocks;
pub mod convolution;
mod dense;
pub(crate) mod diagonal;
mod fast;
pub(crate) mod gated;
mod instructions;
mod lanes;
mod layer;
pub mod linear;
mod matrix;
pub(crate) mod modulated;
pub mod operator;
pub(crate) mod plastic;
pub(crate) mod stacked;

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use instructions::Instructions;
pub use lanes::Real;

use crate::Result;

/// Which implementation of a sequence a cell runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kernel {
    /// The fused kernel on the CPU if the cell has one, else candle operations.
    #[default]
    Auto,
    /// Composed candle operations, on any device: slow and memory-hungry, for comparison.
    Composed,
}

/// Extents of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Time steps T.
    pub steps: usize,
    /// Batch elements B.
    pub batch: usize,
}

/// What a forward pass keeps for its backward pass. Opaque outside the kernel that made it.
pub type Tape = Box<dyn Any + Send + Sync>;

/// A fused recurrent layer for one element type.
pub trait SequenceKernel<T: Real>: Debug + Send + Sync {
    /// Lays out packed parameters for this kernel.
    fn prepare(&self, parameters: &[T]) -> Arc<dyn Prepared<T>>;

    /// Number H of units.
    fn hidden_size(&self) -> usize;
}

/// A kernel with its parameters in place.
pub trait Prepared<T: Real>: Any + Debug + Send + Sync {
    /// Forward over x `[T, B, I]`.
    ///
    /// `resets` `[T, B]`, 1 if an episode starts. `start` `[B, S]` is the initial state; the final one is written to
    /// `end` `[B, S]`, skipped if `None`. `hidden` `[T, B, H]` is written. Returns the tape if `tape` asks for it.
    #[expect(clippy::too_many_arguments, reason = "the operands and results of one sequence")]
    fn forward(
        &self,
        extent: Extent,
        x: &[T],
        resets: Option<&[u8]>,
        start: &[T],
        end: Option<&mut [T]>,
        hidden: &mut [T],
        tape: bool,
    ) -> Option<Tape>;

    /// Exact backward of the forward pass that made `tape`, with the same `x`, `resets` and `hidden`.
    ///
    /// `grad_hidden` `[T, B, H]` comes in. `grad_state` `[B, S]` comes in as the gradient of the final state and
    /// leaves as that of the initial state; `None` stands for zeros and asks for nothing. `grad_x` `[T, B, I]` (skipped if `None`) and `grad_parameters`
    /// (packed) are overwritten. The tape is only read: the pass may be repeated.
    #[expect(clippy::too_many_arguments, reason = "one gradient for each of the forward pass's operands")]
    fn backward(
        &self,
        extent: Extent,
        x: &[T],
        resets: Option<&[u8]>,
        hidden: &[T],
        tape: &Tape,
        grad_hidden: &[T],
        grad_state: Option<&mut [T]>,
        grad_x: Option<&mut [T]>,
        grad_parameters: &mut [T],
    );

    /// A stepper for inference on `batch` elements, its state zero and in the kernel's own layout.
    fn stepper(self: Arc<Self>, batch: usize) -> Box<dyn Stepper<T>>;
}

/// Steps a block of batch elements in place, without tape: the inference path of rollouts.
///
/// Its activities are those of [`Prepared::forward`] bit for bit, whatever the number of elements in either.
pub trait Stepper<T: Real>: Debug + Send {
    /// Takes over a packed state `[B, S]`.
    fn load(&mut self, state: &[T]);

    /// Writes the state out, packed `[B, S]`. What follows is the same, bit for bit, whether this stepper goes on or
    /// another one that loads what was written. (A stepper that was not stored in between may differ from both by
    /// rounding.)
    fn store(&mut self, state: &mut [T]);

    /// One step from x `[B, I]`: zeroes the elements with `resets` = 1, then writes the activity `[B, H]` and,
    /// where asked for, the energy of every neuron `[B, H]`.
    fn step(&mut self, x: &[T], resets: Option<&[u8]>, hidden: &mut [T], energy: Option<&mut [T]>);

    /// Multiplies the inputs by `mask` `[I]` in the energies to come, and in them alone: 0 leaves an input out.
    fn mask_energy(&mut self, mask: Option<&[T]>);

    /// Goes on with other values of the parameters, laid out by the same kernel. Where this stands in the sequence
    /// counts as a [`Stepper::store`].
    ///
    /// # Errors
    /// [`crate::Error::Config`] if `prepared` is not of the same kernel, sizes or options.
    fn replace(&mut self, prepared: Arc<dyn Prepared<T>>) -> Result<()>;
}

/// A fused kernel for both element types.
pub trait FusedKernel: SequenceKernel<f32> + SequenceKernel<f64> {
    /// The kernel of the same layer with that instruction set; with the portable one if the processor has not got it.
    fn with_instructions(&self, instructions: Instructions) -> Arc<dyn FusedKernel>;
}
