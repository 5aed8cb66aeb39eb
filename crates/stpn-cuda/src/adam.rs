//! The optimiser: Adam with gradients clipped by their norm.

use crate::runner::{Launch, Plain, Runner, Unit, int, long};
use crate::spec::GENERAL_THREADS;
use crate::{Real, Result};

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

/// The optimiser's state.
#[derive(Debug)]
pub(crate) struct AdamState<A> {
    /// Of each array of parameters.
    pub moments: Vec<Moments<A>>,
    /// Steps taken.
    pub step: u64,
}

/// Running means of gradients and of their squares.
#[derive(Debug)]
pub(crate) struct Moments<A> {
    pub first: A,
    pub second: A,
    pub len: usize,
}

/// `NormOperands` of `kernels/adam_operands.cuh`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct NormOperands {
    len: i64,
    values: u64,
    partials: u64,
    norm: u64,
    first: i32,
    blocks: i32,
}

/// `AdamOperands` of that file.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct AdamOperands<T> {
    len: i64,
    parameters: u64,
    gradients: u64,
    first_moment: u64,
    second_moment: u64,
    norm: u64,
    max_norm: f64,
    beta1: T,
    beta2: T,
    rate: T,
    root_correction: T,
    epsilon: T,
}

// SAFETY: plain numbers in the layout of the C++ struct.
#[allow(unsafe_code, reason = "what kernels are given")]
unsafe impl Plain for NormOperands {}
// SAFETY: the same.
#[allow(unsafe_code, reason = "what kernels are given")]
unsafe impl<T: Real> Plain for AdamOperands<T> {}

/// One step over arrays of parameters with their gradients, clipped by the norm of all of them together; returns the norm
/// that they had, where it was computed.
pub(crate) fn step<T: Real, R: Runner<T>>(
    runner: &R,
    settings: &AdamSettings,
    state: &mut AdamState<R::Array>,
    arrays: &[[&R::Array; 2]],
) -> Result<R::Doubles> {
    let norm = norm(runner, state, arrays)?;
    state.step += 1;
    // Step counts beyond i32 leave both corrections at 1.
    let step = i32::try_from(state.step).unwrap_or(i32::MAX);
    let [correction1, correction2] = [settings.beta1, settings.beta2].map(|beta| 1.0 - beta.powi(step));
    for (moments, [parameters, gradients]) in state.moments.iter().zip(arrays) {
        let operands = AdamOperands {
            len: long(moments.len),
            parameters: runner.address(parameters),
            gradients: runner.address(gradients),
            first_moment: runner.address(&moments.first),
            second_moment: runner.address(&moments.second),
            norm: runner.address_of_doubles(&norm),
            max_norm: settings.max_norm.unwrap_or(f64::INFINITY),
            beta1: T::of(settings.beta1),
            beta2: T::of(settings.beta2),
            rate: T::of(settings.learning_rate / correction1),
            root_correction: T::of(1.0 / correction2.sqrt()),
            epsilon: T::of(settings.epsilon),
        };
        let blocks = moments.len.div_ceil(GENERAL_THREADS);
        runner.launch(Launch { unit: Unit::General, kernel: "adam", blocks, shared: 0 }, &operands)?;
    }
    Ok(norm)
}

/// The norm of all gradients together, in an order that depends on their numbers alone.
fn norm<T: Real, R: Runner<T>>(
    runner: &R,
    state: &AdamState<R::Array>,
    arrays: &[[&R::Array; 2]],
) -> Result<R::Doubles> {
    let shared = GENERAL_THREADS * size_of::<f64>();
    let all: usize = state.moments.iter().map(|moments| moments.len.div_ceil(PART)).sum();
    let (partials, norm) = (runner.reserve_doubles(all)?, runner.reserve_doubles(1)?);
    let mut operands = NormOperands {
        len: 0,
        values: 0,
        partials: runner.address_of_doubles(&partials),
        norm: runner.address_of_doubles(&norm),
        first: 0,
        blocks: int(all),
    };
    let mut first = 0;
    for (moments, [_, gradients]) in state.moments.iter().zip(arrays) {
        let blocks = moments.len.div_ceil(PART);
        operands.len = long(moments.len);
        operands.values = runner.address(gradients);
        operands.first = int(first);
        runner.launch(Launch { unit: Unit::General, kernel: "square_sums", blocks, shared }, &operands)?;
        first += blocks;
    }
    runner.launch(Launch { unit: Unit::General, kernel: "gradient_norm", blocks: 1, shared }, &operands)?;
    Ok(norm)
}
