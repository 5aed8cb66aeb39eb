//! What passes over a sequence are given and give, wherever they run.

use crate::Extent;

/// Operands of a pass: packed parameters, x `[T, B, I]`, the address of resets `[T, B]` (0: there are none), the
/// initial state `[B, S]`.
#[derive(Debug)]
pub(crate) struct SequenceInputs<'a, A> {
    pub extent: Extent,
    pub parameters: &'a A,
    pub x: &'a A,
    pub resets: u64,
    pub start: &'a A,
}

/// Results of a forward pass: activities `[T, B, H]`, the final state `[B, S]`, and if asked for what the backward pass
/// needs beside them.
#[derive(Debug)]
pub(crate) struct SequenceResults<A, Tape> {
    pub hidden: A,
    pub end: A,
    pub tape: Option<Tape>,
}

/// Results of a forward pass that measured: activities `[T, B, H]`, the final state `[B, S]`, and the energy of every
/// unit `[samples, B', H]`.
#[derive(Debug)]
pub(crate) struct MeasuredSequence<A> {
    pub hidden: A,
    pub end: A,
    pub energy: A,
}

/// Gradients of x, the initial state and the packed parameters.
#[derive(Debug)]
pub(crate) struct SequenceGradients<A> {
    pub x: A,
    pub state: A,
    pub parameters: A,
}
