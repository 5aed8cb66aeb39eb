//! The optimiser: Adam with gradients clipped by their norm.

use std::ops::Range;

use crate::runner::{Launch, Plain, Runner, Unit, int, long};
use crate::spec::GENERAL_THREADS;
use crate::{Error, Real, Result};

/// Values whose squares one block adds up, as in `kernels/adam.cuh`.
const PART: usize = 4096;

/// Settings of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamSettings {
    /// Learning rate of the step.
    pub learning_rate: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Largest norm of the gradient, which is scaled down to it.
    pub max_norm: Option<f64>,
}

/// A piece of the parameters, and what a step does there beside that of Adam.
#[derive(Clone, Debug, PartialEq)]
pub struct AdamPiece {
    /// Its place among the parameters.
    pub range: Range<usize>,
    /// Each value becomes before + factor · (after − before); with a factor of 1, after itself.
    pub factor: f64,
    /// Then it is put back between 0 and this, if there is a limit.
    pub limit: Option<f64>,
}

impl AdamPiece {
    /// All of `len` parameters, with nothing but Adam's step.
    pub fn whole(len: usize) -> Self {
        Self { range: 0..len, factor: 1.0, limit: None }
    }
}

/// Refuses pieces that do not cover `len` parameters one after another, and numbers that no step can have.
pub(crate) fn check(pieces: &[AdamPiece], len: usize) -> Result<()> {
    let refuse = |problem: String| Err(Error::Optimizer { problem });
    let mut covered = 0;
    for AdamPiece { range, factor, limit } in pieces {
        if range.start != covered || range.is_empty() {
            return refuse(format!("a piece has the parameters {range:?}, those from {covered} on come next"));
        }
        if !factor.is_finite() || limit.is_some_and(|limit| limit.is_nan() || limit < 0.0) {
            return refuse(format!("the factor {factor} or the limit {limit:?} of the parameters {range:?}"));
        }
        covered = range.end;
    }
    match covered == len {
        true => Ok(()),
        false => refuse(format!("its pieces have {covered} parameters, there are {len}")),
    }
}

/// The optimiser's state, with the running means of gradients and of their squares.
#[derive(Debug)]
pub(crate) struct AdamState<A> {
    pub first: A,
    pub second: A,
    pub len: usize,
    /// Steps taken.
    pub step: u64,
}

/// `NormOperands` of `kernels/adam_operands.cuh`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct NormOperands {
    len: i64,
    values: u64,
    partials: u64,
    norms: u64,
    blocks: i32,
    which: i32,
}

/// `AdamOperands` of that file.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct AdamOperands<T> {
    first: i64,
    len: i64,
    parameters: u64,
    gradients: u64,
    first_moment: u64,
    second_moment: u64,
    norms: u64,
    max_norm: f64,
    beta1: T,
    beta2: T,
    rate: T,
    root_correction: T,
    epsilon: T,
    factor: T,
    limit: T,
}

// SAFETY: plain numbers in the layout of the C++ struct.
#[allow(unsafe_code, reason = "what kernels are given")]
unsafe impl Plain for NormOperands {}
// SAFETY: the same.
#[allow(unsafe_code, reason = "what kernels are given")]
unsafe impl<T: Real> Plain for AdamOperands<T> {}

/// Norms of gradients and parameters.
const GRADIENTS: i32 = 0;
const PARAMETERS: i32 = 1;

/// One step over checked pieces of the parameters, with gradients that are clipped by the norm of all of them. Returns
/// the norm that the gradients had, and that of the parameters after the step, where they were computed.
pub(crate) fn step<T: Real, R: Runner<T>>(
    runner: &R,
    settings: &AdamSettings,
    pieces: &[AdamPiece],
    state: &mut AdamState<R::Array>,
    [parameters, gradients]: [&R::Array; 2],
) -> Result<R::Doubles> {
    let blocks = state.len.div_ceil(PART);
    let (partials, norms) = (runner.reserve_doubles(blocks)?, runner.reserve_doubles(2)?);
    let norm = |values: &R::Array, which: i32| {
        let operands = NormOperands {
            len: long(state.len),
            values: runner.address(values),
            partials: runner.address_of_doubles(&partials),
            norms: runner.address_of_doubles(&norms),
            blocks: int(blocks),
            which,
        };
        let shared = GENERAL_THREADS * size_of::<f64>();
        runner.launch(Launch { unit: Unit::General, kernel: "square_sums", blocks, shared }, &operands)?;
        runner.launch(Launch { unit: Unit::General, kernel: "norm_of_parts", blocks: 1, shared }, &operands)
    };
    norm(gradients, GRADIENTS)?;
    state.step += 1;
    // Step counts beyond i32 leave both corrections at 1.
    let step = i32::try_from(state.step).unwrap_or(i32::MAX);
    let [correction1, correction2] = [settings.beta1, settings.beta2].map(|beta| 1.0 - beta.powi(step));
    for AdamPiece { range, factor, limit } in pieces {
        let operands = AdamOperands {
            first: long(range.start),
            len: long(range.len()),
            parameters: runner.address(parameters),
            gradients: runner.address(gradients),
            first_moment: runner.address(&state.first),
            second_moment: runner.address(&state.second),
            norms: runner.address_of_doubles(&norms),
            max_norm: settings.max_norm.unwrap_or(f64::INFINITY),
            beta1: T::of(settings.beta1),
            beta2: T::of(settings.beta2),
            rate: T::of(settings.learning_rate / correction1),
            root_correction: T::of(1.0 / correction2.sqrt()),
            epsilon: T::of(settings.epsilon),
            factor: T::of(*factor),
            limit: T::of(limit.unwrap_or(-1.0)),
        };
        let blocks = range.len().div_ceil(GENERAL_THREADS);
        runner.launch(Launch { unit: Unit::General, kernel: "adam", blocks, shared: 0 }, &operands)?;
    }
    norm(parameters, PARAMETERS)?;
    Ok(norms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_the_parameters_one_after_another() {
        let piece = |range: Range<usize>| AdamPiece { range, factor: 0.5, limit: Some(1.0) };
        assert!(check(&[piece(0..3), piece(3..7)], 7).is_ok() && check(&[AdamPiece::whole(7)], 7).is_ok());
        for wrong in [
            vec![],
            vec![piece(0..3)],
            vec![piece(0..8)],
            vec![piece(0..3), piece(2..7)],
            vec![piece(0..3), piece(4..7)],
            vec![piece(3..7), piece(0..3)],
            vec![piece(0..3), piece(3..3), piece(3..7)],
            vec![AdamPiece { factor: f64::NAN, ..piece(0..7) }],
            vec![AdamPiece { limit: Some(-1.0), ..piece(0..7) }],
        ] {
            let refused = check(&wrong, 7);
            assert!(matches!(refused, Err(Error::Optimizer { .. })), "{wrong:?}: {refused:?}");
        }
    }
}
