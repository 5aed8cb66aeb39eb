//! The optimiser on the kernels behind the shim.
#![allow(clippy::unwrap_used, reason = "a failing unwrap fails the test")]

mod support;

use std::ops::Range;

use stpn_cuda::shim::{self, AdamResults, Machine, Order};
use stpn_cuda::{AdamPiece, AdamSettings};
use support::{Numbers, distance};

const TOLERANCE: f64 = 1e-12;

fn piece(range: Range<usize>, factor: f64, limit: Option<f64>) -> AdamPiece {
    AdamPiece { range, factor, limit }
}

fn settings(max_norm: Option<f64>) -> AdamSettings {
    AdamSettings { learning_rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-5, max_norm }
}

/// The norm of values, in double precision.
fn norm(values: &[f32]) -> f64 {
    values.iter().map(|value| f64::from(*value) * f64::from(*value)).sum::<f64>().sqrt()
}

/// The CPU's optimiser, operation by operation: clipped by the norm, then Adam in single precision, then what pieces
/// ask for. Gives the parameters after each step and both norms.
fn adam_of_the_cpu(
    settings: &AdamSettings,
    pieces: &[AdamPiece],
    parameters: &[f32],
    gradients: &[Vec<f32>],
) -> (Vec<Vec<f32>>, Vec<[f64; 2]>) {
    let (mut parameters, len) = (parameters.to_vec(), parameters.len());
    let (mut first, mut second) = (vec![0f32; len], vec![0f32; len]);
    let (beta1, beta2) = (settings.beta1 as f32, settings.beta2 as f32);
    let (mut after, mut norms) = (Vec::new(), Vec::new());
    for (step, gradients) in gradients.iter().enumerate() {
        let (size, before) = (norm(gradients), parameters.clone());
        let step = i32::try_from(step).unwrap() + 1;
        let rate = (settings.learning_rate / (1.0 - settings.beta1.powi(step))) as f32;
        let root_correction = (1.0 / (1.0 - settings.beta2.powi(step)).sqrt()) as f32;
        for at in 0..len {
            let mut gradient = gradients[at];
            if let Some(max) = settings.max_norm.filter(|max| size > *max) {
                gradient *= (max / (size + 1e-6)) as f32;
            }
            first[at] = beta1 * first[at] + (1.0 - beta1) * gradient;
            second[at] = beta2 * second[at] + (1.0 - beta2) * gradient * gradient;
            parameters[at] -= rate * first[at] / (second[at].sqrt() * root_correction + settings.epsilon as f32);
        }
        for AdamPiece { range, factor, .. } in pieces.iter().filter(|piece| piece.factor != 1.0) {
            let moved = parameters[range.clone()].iter_mut().zip(&before[range.clone()]);
            moved.for_each(|(value, before)| *value = before + *factor as f32 * (*value - before));
        }
        for (range, limit) in pieces.iter().filter_map(|piece| Some((piece.range.clone(), piece.limit?))) {
            parameters[range].iter_mut().for_each(|value| *value = value.clamp(0.0, limit as f32));
        }
        after.push(parameters.clone());
        norms.push([size, norm(&parameters)]);
    }
    (after, norms)
}

fn draw_gradients(len: usize, steps: usize) -> (Vec<f32>, Vec<Vec<f32>>) {
    let mut numbers = Numbers::new(31);
    let mut draw = || -> Vec<f32> { numbers.vec(len, 0.7).into_iter().map(|value| value as f32).collect() };
    (draw(), (0..steps).map(|_| draw()).collect())
}

#[test]
fn the_optimiser_has_the_bits_of_the_cpu() {
    // One, less than a block, several parts of the norm.
    for len in [1, 100, 9000] {
        for max_norm in [None, Some(0.5), Some(1e6)] {
            let (parameters, gradients) = draw_gradients(len, 4);
            let settings = settings(max_norm);
            // In one piece, in several that are clipped together, with factors and limits.
            let mut divisions = vec![vec![AdamPiece::whole(len)], vec![piece(0..len, 2.5, Some(0.25))]];
            if len > 1 {
                divisions.push(vec![piece(0..len / 3, 1.0, None), piece(len / 3..len, 1.0, None)]);
                divisions.push(vec![
                    piece(0..len / 3, 1.0, Some(0.5)),
                    piece(len / 3..len / 2, 10.0, Some(1.0)),
                    piece(len / 2..len, 0.5, None),
                ]);
            }
            for pieces in divisions {
                let (want, norms) = adam_of_the_cpu(&settings, &pieces, &parameters, &gradients);
                let got = shim::adam(&settings, Machine::default(), &pieces, &parameters, &gradients);
                assert_eq!(got.problems.count, 0, "{}", got.problems.first);
                assert_eq!(got.parameters, want, "{len} {max_norm:?}");
                assert!(distance(got.norms.as_flattened(), norms.as_flattened()) < TOLERANCE, "{:?}", got.norms);
            }
        }
    }
}

/// Checksum of the parameters that four steps of the CPU's optimiser give; its own test has the same
/// (`agents/src/optimizer/adam.rs`).
const BITS_OF_THE_CPU: u64 = 0x607d_5aaa_b56b_2e00;

#[test]
fn the_optimiser_has_the_recorded_bits_of_the_cpu() {
    let mut state = 1u32;
    let mut draw = || -> Vec<f32> {
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1u32 << 23) as f32 - 1.0
        };
        (0..1000).map(|_| next()).collect()
    };
    let (parameters, gradients) = (draw(), [(); 4].map(|()| draw()));
    let got = shim::adam(&settings(Some(0.5)), Machine::default(), &[AdamPiece::whole(1000)], &parameters, &gradients);
    let bits = got.parameters[3]
        .iter()
        .fold(0, |sum: u64, value| sum.wrapping_mul(0x100_0000_01b3).wrapping_add(u64::from(value.to_bits())));
    assert_eq!(bits, BITS_OF_THE_CPU, "{bits:#x}");
}

#[test]
fn the_optimiser_in_double_precision_is_that_of_the_definition() {
    let gradients = [[0.1f64, -2.0], [0.3, 0.5], [-0.2, 0.0]].map(Vec::from);
    let got = shim::adam(&settings(None), Machine::default(), &[AdamPiece::whole(2)], &[1.0, -1.0], &gradients);
    let (mut m, mut v, mut expected) = ([0f64; 2], [0f64; 2], [1f64, -1.0]);
    for (t, gradient) in gradients.iter().enumerate() {
        let step = i32::try_from(t).unwrap() + 1;
        for i in 0..2 {
            m[i] = 0.9 * m[i] + 0.1 * gradient[i];
            v[i] = 0.999 * v[i] + 0.001 * gradient[i] * gradient[i];
            let (m_hat, v_hat) = (m[i] / (1.0 - 0.9f64.powi(step)), v[i] / (1.0 - 0.999f64.powi(step)));
            expected[i] -= 0.01 * m_hat / (v_hat.sqrt() + 1e-5);
        }
        assert!(distance(&got.parameters[t], &expected) < TOLERANCE, "{:?} {expected:?}", got.parameters[t]);
    }
}

/// As on the CPU: neither clipped nor hidden.
#[test]
fn the_optimiser_does_not_hide_a_nan() {
    for limit in [None, Some(1.0)] {
        let (pieces, gradient) = ([piece(0..2, 1.0, limit)], [vec![f32::NAN, 1.0]]);
        let got = shim::adam(&settings(Some(0.5)), Machine::default(), &pieces, &[1.0f32, 1.0], &gradient);
        assert!(got.parameters[0][0].is_nan() && got.parameters[0][1].is_finite(), "{got:?}");
        assert!(got.norms[0][0].is_nan() && got.norms[0][1].is_nan());
    }
}

#[test]
fn bits_of_the_optimiser_do_not_depend_on_the_order_of_blocks_and_threads() {
    let (parameters, gradients) = draw_gradients(10_000, 2);
    let pieces = [piece(0..700, 1.0, None), piece(700..10_000, 3.0, Some(0.3))];
    let run = |order: Order| -> AdamResults<f32> {
        shim::adam(&settings(Some(0.5)), Machine { order, ..Machine::default() }, &pieces, &parameters, &gradients)
    };
    let first = run(Order::InOrder);
    for order in [Order::Reversed, Order::Shuffled] {
        let again = run(order);
        assert_eq!((&again.parameters, &again.norms), (&first.parameters, &first.norms), "{order:?}");
        assert_eq!(again.moments, first.moments, "{order:?}");
    }
}

#[test]
fn without_any_one_barrier_there_is_a_race() {
    let (parameters, gradients) = draw_gradients(600, 1);
    for barrier in [60, 61] {
        let machine = Machine { without_barrier: Some(barrier), ..Machine::default() };
        let got = shim::adam(&settings(None), machine, &[AdamPiece::whole(600)], &parameters, &gradients);
        assert!(got.problems.count > 0, "no race found without barrier {barrier}");
    }
}
