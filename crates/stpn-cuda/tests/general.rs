//! Dense layers on the kernels behind the shim.
#![allow(clippy::unwrap_used, reason = "a failing unwrap fails the test")]

mod support;

use stpn_cuda::shim::{self, Machine, Order};
use stpn_cuda::{Dense, Nonlinearity};
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

#[test]
fn without_any_one_barrier_there_is_a_race() {
    let layer = Dense::new(40, 5, Nonlinearity::Linear);
    let [parameters, x, grad_y] = draw(&layer, 9);
    for barrier in [50, 51] {
        let machine = Machine { without_barrier: Some(barrier), ..Machine::default() };
        let got = shim::dense(&layer, machine, &parameters, &x, &grad_y);
        assert!(got.problems.count > 0, "no race found without barrier {barrier}");
    }
}

#[test]
fn columns_are_gathered_whatever_their_elements_are() {
    let (rows, of, width) = (7, 11, 5);
    let columns = [10, 0, 3, 3];
    let wanted = |at: usize| {
        let (place, k) = (at / width, at % width);
        (place / columns.len() * of + columns[place % columns.len()] as usize) * width + k
    };
    // One row more than is read.
    let all = (rows + 1) * of * width;
    let len = rows * columns.len() * width;
    for order in [Order::InOrder, Order::Reversed, Order::Shuffled] {
        let machine = Machine { order, ..Machine::default() };
        let words: Vec<u32> = (0..all as u32).map(|at| at * 7_919).collect();
        let (got, problems) = shim::gather(machine, &words, [rows, of, width], &columns);
        assert_eq!(problems.count, 0, "{}", problems.first);
        assert_eq!(got, (0..len).map(|at| words[wanted(at)]).collect::<Vec<u32>>());
        let bytes: Vec<u8> = words.iter().map(|word| (word >> 3) as u8).collect();
        let (got, problems) = shim::gather(machine, &bytes, [rows, of, width], &columns);
        assert_eq!(problems.count, 0, "{}", problems.first);
        assert_eq!(got, (0..len).map(|at| bytes[wanted(at)]).collect::<Vec<u8>>());
        let numbers: Vec<f32> = words.iter().map(|word| *word as f32 / 3.0).collect();
        let (got, problems) = shim::gather(machine, &numbers, [rows, of, width], &columns);
        assert_eq!(problems.count, 0, "{}", problems.first);
        assert_eq!(got, (0..len).map(|at| numbers[wanted(at)]).collect::<Vec<f32>>());
    }
}

#[test]
fn bytes_become_numbers() {
    let bytes: Vec<u8> = (0..1000).map(|at| (at * 7 % 256) as u8).collect();
    for order in [Order::Reversed, Order::Shuffled] {
        let machine = Machine { order, ..Machine::default() };
        let (numbers, problems) = shim::numbers_of_bytes::<f64>(machine, &bytes, 0.5, -3.0);
        assert_eq!(problems.count, 0, "{}", problems.first);
        assert_eq!(numbers, bytes.iter().map(|&byte| f64::from(byte) * 0.5 - 3.0).collect::<Vec<f64>>());
    }
}
