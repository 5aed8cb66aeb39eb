//! Dense layers and the optimiser on the kernels behind the shim.
#![allow(clippy::unwrap_used, reason = "a failing unwrap fails the test")]

mod support;

use stpn_cuda::shim::{self, AdamResults, Machine, Order};
use stpn_cuda::{AdamSettings, Dense, Nonlinearity};
use support::{Numbers, distance};

const TOLERANCE: f64 = 1e-12;

/// x, parameters and the gradient of y.
fn draw(layer: &Dense, rows: usize) -> [Vec<f64>; 3] {
    let mut numbers = Numbers::new(29);
    [layer.parameters(), rows * layer.input, rows * layer.output].map(|len| numbers.vec(len, 0.6))
}

/// A layer written plainly: y, and the gradients of parameters and x.
fn plain(layer: &Dense, parameters: &[f64], x: &[f64], grad_y: &[f64]) -> [Vec<f64>; 3] {
    let Dense { input, output, nonlinearity, scale } = *layer;
    let (weight, bias) = parameters.split_at(input * output);
    let rows = x.len() / input;
    let mut y = Vec::new();
    let (mut of_parameters, mut of_x) = (vec![0.0; parameters.len()], vec![0.0; x.len()]);
    for row in 0..rows {
        for unit in 0..output {
            let product: f64 = (0..input).map(|at| weight[unit * input + at] * x[row * input + at]).sum();
            let pre = product + bias[unit];
            let (value, slope) = match nonlinearity {
                Nonlinearity::Linear => (pre, 1.0),
                Nonlinearity::Tanh => (pre.tanh(), 1.0 - pre.tanh().powi(2)),
                Nonlinearity::Relu => (pre.max(0.0), f64::from(u8::from(pre > 0.0))),
            };
            y.push(scale * value);
            let grad = grad_y[row * output + unit] * scale * slope;
            of_parameters[input * output + unit] += grad;
            for at in 0..input {
                of_parameters[unit * input + at] += grad * x[row * input + at];
                of_x[row * input + at] += grad * weight[unit * input + at];
            }
        }
    }
    [y, of_parameters, of_x]
}

#[test]
fn dense_layers_of_all_nonlinearities_and_sizes() {
    for nonlinearity in [Nonlinearity::Linear, Nonlinearity::Tanh, Nonlinearity::Relu] {
        // One of everything, odd sizes, more than a tile each way, several parts of the sums over rows.
        for (input, output, rows) in [(1, 1, 1), (5, 3, 7), (17, 64, 33), (70, 66, 65), (3, 2, 1100), (16, 4, 64)] {
            let scale = if rows % 2 == 1 { 1.0 } else { 2.5 };
            let layer = Dense { scale, ..Dense::new(input, output, nonlinearity) };
            let [parameters, x, grad_y] = draw(&layer, rows);
            let got = shim::dense(&layer, Machine::default(), &parameters, &x, &grad_y);
            assert_eq!(got.problems.count, 0, "{layer:?} {rows}: {}", got.problems.first);
            let want = plain(&layer, &parameters, &x, &grad_y);
            for (what, got, want) in
                [("y", &got.y, &want[0]), ("parameters", &got.parameters, &want[1]), ("x", &got.x, &want[2])]
            {
                let distance = distance(got, want);
                assert!(distance < TOLERANCE, "{layer:?} {rows} {what}: {distance:e}");
            }
        }
    }
}

#[test]
fn a_relu_does_not_hide_a_nan() {
    let layer = Dense::new(2, 1, Nonlinearity::Relu);
    let got = shim::dense(&layer, Machine::default(), &[1.0f32, 1.0, 0.0], &[f32::NAN, 0.0, 1.0, 1.0], &[1.0, 1.0]);
    assert!(got.y[0].is_nan() && got.y[1] == 2.0, "{:?}", got.y);
}

#[test]
fn bits_of_dense_layers_do_not_depend_on_the_order_of_blocks_and_threads() {
    let layer = Dense::new(20, 70, Nonlinearity::Tanh);
    let [parameters, x, grad_y] = draw(&layer, 600).map(|values| values.iter().map(|v| *v as f32).collect::<Vec<_>>());
    let bits = |order: Order| -> Vec<u32> {
        let machine = Machine { order, ..Machine::default() };
        let got = shim::dense(&layer, machine, &parameters, &x, &grad_y);
        assert_eq!(got.problems.count, 0, "{}", got.problems.first);
        [got.y, got.parameters, got.x].into_iter().flatten().map(f32::to_bits).collect()
    };
    let first = bits(Order::InOrder);
    assert!(first == bits(Order::Reversed) && first == bits(Order::Shuffled));
}

/// A row of a large batch has the bits that it has alone.
#[test]
fn a_row_of_a_dense_layer_has_the_same_bits_in_any_batch() {
    let layer = Dense::new(37, 9, Nonlinearity::Tanh);
    let [parameters, x, grad_y] = draw(&layer, 70).map(|values| values.iter().map(|v| *v as f32).collect::<Vec<_>>());
    let all = shim::dense(&layer, Machine::default(), &parameters, &x, &grad_y);
    for row in [0, 63, 64, 69] {
        let (x, grad_y) = (&x[row * 37..(row + 1) * 37], &grad_y[row * 9..(row + 1) * 9]);
        let alone = shim::dense(&layer, Machine::default(), &parameters, x, grad_y);
        assert_eq!(alone.y, all.y[row * 9..(row + 1) * 9]);
        assert_eq!(alone.x, all.x[row * 37..(row + 1) * 37]);
    }
}

fn settings(max_norm: Option<f64>) -> AdamSettings {
    AdamSettings { learning_rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-5, max_norm }
}

/// The CPU's optimiser, operation by operation: clipped by the norm, then Adam in single precision.
fn adam_of_the_cpu(settings: &AdamSettings, parameters: &[f32], gradients: &[Vec<f32>]) -> (Vec<Vec<f32>>, Vec<f64>) {
    let (mut parameters, len) = (parameters.to_vec(), parameters.len());
    let (mut first, mut second) = (vec![0f32; len], vec![0f32; len]);
    let (beta1, beta2) = (settings.beta1 as f32, settings.beta2 as f32);
    let (mut after, mut norms) = (Vec::new(), Vec::new());
    for (step, gradients) in gradients.iter().enumerate() {
        let norm = gradients.iter().map(|g| f64::from(*g) * f64::from(*g)).sum::<f64>().sqrt();
        let step = i32::try_from(step).unwrap() + 1;
        let rate = (settings.learning_rate / (1.0 - settings.beta1.powi(step))) as f32;
        let root_correction = (1.0 / (1.0 - settings.beta2.powi(step)).sqrt()) as f32;
        for at in 0..len {
            let mut gradient = gradients[at];
            if let Some(max) = settings.max_norm.filter(|max| norm > *max) {
                gradient *= (max / (norm + 1e-6)) as f32;
            }
            first[at] = beta1 * first[at] + (1.0 - beta1) * gradient;
            second[at] = beta2 * second[at] + (1.0 - beta2) * gradient * gradient;
            parameters[at] -= rate * first[at] / (second[at].sqrt() * root_correction + settings.epsilon as f32);
        }
        after.push(parameters.clone());
        norms.push(norm);
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
            let (want, norms) = adam_of_the_cpu(&settings, &parameters, &gradients);
            // In one array, and in several that are clipped together.
            for lens in [vec![len], vec![len / 3, len - len / 3]] {
                let lens: Vec<usize> = lens.into_iter().filter(|len| *len > 0).collect();
                let got = shim::adam(&settings, Machine::default(), &lens, &parameters, &gradients);
                assert_eq!(got.problems.count, 0, "{}", got.problems.first);
                assert_eq!(got.parameters, want, "{lens:?} {max_norm:?}");
                assert!(distance(&got.norms, &norms) < TOLERANCE, "{:?} {norms:?}", got.norms);
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
    let got = shim::adam(&settings(Some(0.5)), Machine::default(), &[1000], &parameters, &gradients);
    let bits = got.parameters[3]
        .iter()
        .fold(0, |sum: u64, value| sum.wrapping_mul(0x100_0000_01b3).wrapping_add(u64::from(value.to_bits())));
    assert_eq!(bits, BITS_OF_THE_CPU, "{bits:#x}");
}

#[test]
fn the_optimiser_in_double_precision_is_that_of_the_definition() {
    let gradients = [[0.1f64, -2.0], [0.3, 0.5], [-0.2, 0.0]].map(Vec::from);
    let got = shim::adam(&settings(None), Machine::default(), &[2], &[1.0, -1.0], &gradients);
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
    let got = shim::adam(&settings(Some(0.5)), Machine::default(), &[2], &[1.0f32, 1.0], &[vec![f32::NAN, 1.0]]);
    assert!(got.parameters[0][0].is_nan() && got.parameters[0][1].is_finite(), "{got:?}");
    assert!(got.norms[0].is_nan());
}

#[test]
fn bits_of_the_optimiser_do_not_depend_on_the_order_of_blocks_and_threads() {
    let (parameters, gradients) = draw_gradients(10_000, 2);
    let run = |order: Order| -> AdamResults<f32> {
        shim::adam(&settings(Some(0.5)), Machine { order, ..Machine::default() }, &[10_000], &parameters, &gradients)
    };
    let first = run(Order::InOrder);
    for order in [Order::Reversed, Order::Shuffled] {
        let again = run(order);
        assert!(again.parameters == first.parameters && again.norms == first.norms, "{order:?}");
    }
}

#[test]
fn without_any_one_barrier_there_is_a_race() {
    let layer = Dense::new(40, 5, Nonlinearity::Linear);
    let [parameters, x, grad_y] = draw(&layer, 9);
    for barrier in [50, 51] {
        let machine = Machine { without_barrier: Some(barrier), ..Machine::default() };
        let got = shim::dense(&layer, machine, &parameters, &x, &grad_y);
        assert!(got.problems.count > 0, "no race found without barrier {barrier}");
    }
    let (parameters, gradients) = draw_gradients(600, 1);
    for barrier in [60, 61] {
        let machine = Machine { without_barrier: Some(barrier), ..Machine::default() };
        let got = shim::adam(&settings(None), machine, &[600], &parameters, &gradients);
        assert!(got.problems.count > 0, "no race found without barrier {barrier}");
    }
}
