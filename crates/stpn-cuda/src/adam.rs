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
    pub first_moment: A,
    pub second_moment: A,
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
    norm: u64,
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

/// One step over `len` parameters; returns the norm that the gradients had, where it was computed.
pub(crate) fn step<T: Real, R: Runner<T>>(
    runner: &R,
    settings: &AdamSettings,
    state: &mut AdamState<R::Array>,
    len: usize,
    [parameters, gradients]: [&R::Array; 2],
) -> Result<R::Doubles> {
    let launch = |kernel: &'static str, blocks: usize| Launch {
        unit: Unit::General,
        kernel,
        blocks,
        shared: if kernel == "adam" { 0 } else { GENERAL_THREADS * size_of::<f64>() },
    };
    let blocks = len.div_ceil(PART);
    let (partials, norm) = (runner.reserve_doubles(blocks)?, runner.reserve_doubles(1)?);
    let of_norm = NormOperands {
        len: long(len),
        values: runner.address(gradients),
        partials: runner.address_of_doubles(&partials),
        norm: runner.address_of_doubles(&norm),
        blocks: int(blocks),
    };
    runner.launch(launch("square_sums", blocks), &of_norm)?;
    runner.launch(launch("gradient_norm", 1), &of_norm)?;

    state.step += 1;
    // Step counts beyond i32 leave both corrections at 1.
    let step = i32::try_from(state.step).unwrap_or(i32::MAX);
    let [correction1, correction2] = [settings.beta1, settings.beta2].map(|beta| 1.0 - beta.powi(step));
    let operands = AdamOperands {
        len: long(len),
        parameters: runner.address(parameters),
        gradients: of_norm.values,
        first_moment: runner.address(&state.first_moment),
        second_moment: runner.address(&state.second_moment),
        norm: of_norm.norm,
        max_norm: settings.max_norm.unwrap_or(f64::INFINITY),
        beta1: T::of(settings.beta1),
        beta2: T::of(settings.beta2),
        rate: T::of(settings.learning_rate / correction1),
        root_correction: T::of(1.0 / correction2.sqrt()),
        epsilon: T::of(settings.epsilon),
    };
    runner.launch(launch("adam", len.div_ceil(GENERAL_THREADS)), &operands)?;
    Ok(norm)
}
