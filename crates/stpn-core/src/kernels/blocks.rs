//! A whole batch by a kernel: divided into blocks, which run in parallel.
//!
//! The division depends on the batch alone and gradients of parameters are summed block by block in order, so that
//! results are the same, bit for bit, for any number of threads.

use std::borrow::Cow;

use rayon::prelude::*;

use super::{Extent, Prepared, Real, Tape};

/// Batch elements in a block: a multiple of every instruction set's group; a large batch affords larger blocks, which
/// share more of what each block does once, and still occupies many threads.
fn block_size(extent: Extent) -> usize {
    if extent.batch < 128 { 8 } else { 16 }
}

/// Sizes of the slices that belong to one batch element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Input size I.
    pub input: usize,
    /// Units H.
    pub hidden: usize,
    /// Packed state S.
    pub state: usize,
    /// All packed parameters.
    pub parameters: usize,
}

/// The tapes of a batch, block by block.
pub struct BatchTape {
    blocks: Vec<Tape>,
}

/// What the forward pass of a batch returns.
pub struct Forward<T> {
    /// `[T, B, H]`
    pub hidden: Vec<T>,
    /// Final state `[B, S]`.
    pub state: Vec<T>,
    /// Present where it was asked for.
    pub tape: Option<BatchTape>,
}

/// What the backward pass of a batch returns.
pub struct Backward<T> {
    /// `[T, B, I]`, where it was asked for.
    pub x: Option<Vec<T>>,
    /// Gradient of the initial state `[B, S]`.
    pub state: Vec<T>,
    /// Packed.
    pub parameters: Vec<T>,
}

/// What goes into a sequence: the operands of the forward pass that the backward pass needs again.
#[derive(Clone, Copy)]
pub struct Operands<'a, T> {
    /// Time steps and batch elements.
    pub extent: Extent,
    /// Sizes.
    pub sizes: Sizes,
    /// `[T, B, I]`
    pub x: &'a [T],
    /// `[T, B]`, 1 if an episode starts.
    pub resets: Option<&'a [u8]>,
}

/// One block: its extent, its first batch element, and its part of the states `[B, S]`.
struct Block<'a, T> {
    first: usize,
    part: Extent,
    state: &'a mut [T],
}

/// Divides a batch.
fn blocks<T: Real>(extent: Extent, state: &mut [T], state_len: usize) -> Vec<Block<'_, T>> {
    let size = block_size(extent);
    let mut rest = state;
    (0..extent.batch.div_ceil(size))
        .map(|block| {
            let first = block * size;
            let part = Extent { steps: extent.steps, batch: size.min(extent.batch - first) };
            let (state, after) = std::mem::take(&mut rest).split_at_mut(part.batch * state_len);
            rest = after;
            Block { first, part, state }
        })
        .collect()
}

/// The elements `first..first + part.batch` out of `[T, B, width]`; no copy where that is all of them.
fn gather<V: Copy>(values: &[V], batch: usize, first: usize, part: Extent, width: usize) -> Cow<'_, [V]> {
    if part.batch == batch {
        return Cow::Borrowed(&values[..part.steps * batch * width]);
    }
    let mut block = Vec::with_capacity(part.steps * part.batch * width);
    for t in 0..part.steps {
        let start = (t * batch + first) * width;
        block.extend_from_slice(&values[start..start + part.batch * width]);
    }
    Cow::Owned(block)
}

/// Puts the blocks' `[T, b, width]` together to `[T, B, width]`; no copy where there is one alone.
fn scatter<T: Real>(mut blocks: Vec<Vec<T>>, extent: Extent, width: usize) -> Vec<T> {
    if blocks.len() == 1
        && let Some(only) = blocks.pop()
    {
        return only;
    }
    let mut values = vec![T::ZERO; extent.steps * extent.batch * width];
    let row = (extent.batch * width).max(1);
    values.par_chunks_mut(row).enumerate().for_each(|(t, values)| {
        for (block, values) in blocks.iter().zip(values.chunks_mut((block_size(extent) * width).max(1))) {
            values.copy_from_slice(&block[t * values.len()..(t + 1) * values.len()]);
        }
    });
    values
}

/// Forward over a batch from the states `initial` `[B, S]`.
pub fn forward<T: Real>(kernel: &dyn Prepared<T>, operands: Operands<'_, T>, initial: &[T], tape: bool) -> Forward<T> {
    let Operands { extent, sizes, x, resets } = operands;
    let run = |Block { first, part, state: end }: Block<'_, T>| {
        let x = gather(x, extent.batch, first, part, sizes.input);
        let resets = resets.map(|resets| gather(resets, extent.batch, first, part, 1));
        let mut hidden = vec![T::ZERO; part.steps * part.batch * sizes.hidden];
        let start = &initial[first * sizes.state..(first + part.batch) * sizes.state];
        let tape = kernel.forward(part, &x, resets.as_deref(), start, Some(end), &mut hidden, tape);
        (hidden, tape)
    };
    let mut state = vec![T::ZERO; initial.len()];
    let (hidden, tapes): (Vec<_>, Vec<_>) = blocks(extent, &mut state, sizes.state).into_par_iter().map(run).unzip();
    let tape = tape.then(|| BatchTape { blocks: tapes.into_iter().flatten().collect() });
    Forward { hidden: scatter(hidden, extent, sizes.hidden), state, tape }
}

/// Backward of [`forward`]: from the gradients of `hidden` `[T, B, H]` and of the final state `[B, S]`, which is
/// zero where it is not given.
pub fn backward<T: Real>(
    kernel: &dyn Prepared<T>,
    operands: Operands<'_, T>,
    hidden: &[T],
    tape: &BatchTape,
    grad_hidden: &[T],
    grad_state: Option<&[T]>,
    want_x: bool,
) -> Backward<T> {
    let Operands { extent, sizes, x, resets } = operands;
    let run = |(Block { first, part, state: grad_state }, tape): (Block<'_, T>, &Tape)| {
        let x = gather(x, extent.batch, first, part, sizes.input);
        let resets = resets.map(|resets| gather(resets, extent.batch, first, part, 1));
        let hidden = gather(hidden, extent.batch, first, part, sizes.hidden);
        let grad_hidden = gather(grad_hidden, extent.batch, first, part, sizes.hidden);
        let mut grad_x = want_x.then(|| vec![T::ZERO; x.len()]);
        let mut parameters = vec![T::ZERO; sizes.parameters];
        kernel.backward(
            part,
            &x,
            resets.as_deref(),
            &hidden,
            tape,
            &grad_hidden,
            Some(grad_state),
            grad_x.as_deref_mut(),
            &mut parameters,
        );
        (grad_x, parameters)
    };
    let mut state = grad_state.map_or_else(|| vec![T::ZERO; extent.batch * sizes.state], <[T]>::to_vec);
    let blocks = blocks(extent, &mut state, sizes.state);
    let (x, parameters): (Vec<_>, Vec<_>) = blocks.into_par_iter().zip(&tape.blocks).map(run).unzip();
    let x = want_x.then(|| scatter(x.into_iter().flatten().collect(), extent, sizes.input));
    Backward { x, state, parameters: sum(&parameters, sizes.parameters) }
}

/// Sum of the blocks' gradients, block by block in order.
fn sum<T: Real>(parts: &[Vec<T>], len: usize) -> Vec<T> {
    let mut total = vec![T::ZERO; len];
    total.par_chunks_mut(1 << 14).enumerate().for_each(|(chunk, total)| {
        for part in parts {
            for (total, part) in total.iter_mut().zip(&part[chunk << 14..]) {
                *total += *part;
            }
        }
    });
    total
}
