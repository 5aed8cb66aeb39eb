//! Fused sequence kernels for the CPU, on plain slices: they know nothing of candle but in [`operator`].
//!
//! A kernel reads the packed parameters (in the cell's parameter order) and packed states `[B, S]` (in the cell's
//! field order). [`SequenceKernel::prepare`] lays the parameters out for the kernel once per value of them; the
//! result is shared by all threads. Each call works on one block of batch elements on the calling thread; callers
//! split a batch into blocks of a fixed size, so that the result does not depend on the number of threads.

pub mod operator;

use std::any::Any;
use std::fmt::Debug;

use serde::{Deserialize, Serialize};

/// Which implementation of a sequence a cell runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kernel {
    /// The fused kernel on the CPU where the cell has one, else the composed path.
    #[default]
    Auto,
    /// Composed candle operations, on any device: slow and memory-hungry, for comparison.
    Composed,
}

/// The element type of kernels: f32 or f64.
pub trait Real: candle_core::WithDType + Debug + Default + Send + Sync + 'static {}
impl Real for f32 {}
impl Real for f64 {}

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
    /// Lays out packed parameters (cell's order, row-major) for this kernel.
    fn prepare(&self, parameters: &[T]) -> Box<dyn Prepared<T>>;
}

/// A kernel with its parameters in place.
pub trait Prepared<T: Real>: Send + Sync {
    /// Forward over x `[T, B, I]`.
    ///
    /// `resets` `[T, B]`, 1 where an episode starts. `state` `[B, S]` holds the initial state and is overwritten by the
    /// final one. `hidden` `[T, B, H]` is written. Returns the tape where `tape` asks for it.
    fn forward(
        &self,
        extent: Extent,
        x: &[T],
        resets: Option<&[u8]>,
        state: &mut [T],
        hidden: &mut [T],
        tape: bool,
    ) -> Option<Tape>;

    /// Exact backward of the forward pass that made `tape`, with the same `x`, `resets` and `hidden`.
    ///
    /// `grad_hidden` `[T, B, H]` comes in. `grad_state` `[B, S]` comes in as the gradient of the final state and
    /// leaves as that of the initial state. `grad_x` `[T, B, I]` (skipped where `None`) and `grad_parameters`
    /// (packed) are overwritten.
    #[expect(clippy::too_many_arguments, reason = "one gradient for each of the forward pass's operands")]
    fn backward(
        &self,
        extent: Extent,
        x: &[T],
        resets: Option<&[u8]>,
        hidden: &[T],
        tape: &Tape,
        grad_hidden: &[T],
        grad_state: &mut [T],
        grad_x: Option<&mut [T]>,
        grad_parameters: &mut [T],
    );

    /// A stepper for inference on `batch` elements, its state zero and in the kernel's own layout.
    fn stepper(&self, batch: usize) -> Box<dyn Stepper<T> + '_>;
}

/// Steps a block of batch elements in place, without tape: the inference path of rollouts.
pub trait Stepper<T: Real>: Send {
    /// Takes over a packed state `[B, S]`.
    fn load(&mut self, state: &[T]);

    /// Writes the state out, packed `[B, S]`. `load` of what `store` wrote continues bit for bit.
    fn store(&mut self, state: &mut [T]);

    /// One step from x `[B, I]`: zeroes the elements with `resets` = 1, then writes the activity `[B, H]` and,
    /// where asked for, the energy of every unit `[B, U]`.
    fn step(&mut self, x: &[T], resets: Option<&[u8]>, hidden: &mut [T], energy: Option<&mut [T]>);
}

/// A fused kernel for both element types.
pub trait FusedKernel: SequenceKernel<f32> + SequenceKernel<f64> {}
impl<K: SequenceKernel<f32> + SequenceKernel<f64>> FusedKernel for K {}
