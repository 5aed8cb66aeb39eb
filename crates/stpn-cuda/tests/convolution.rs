//! Convolutions: forward and back as the definition says.
#![allow(clippy::unwrap_used, reason = "a failing unwrap fails the test")]

mod support;

use stpn_cuda::shim::{self, Machine, Order};
use stpn_cuda::{Convolution, Nonlinearity};
use support::{Numbers, distance};

fn layer([channels, height, width]: [usize; 3], [filters, size, stride]: [usize; 3]) -> Convolution {
    let (nonlinearity, scale) = (Nonlinearity::Relu, 1.0);
    Convolution { channels, height, width, filters, size, stride, nonlinearity, scale }
}

struct Case {
    layer: Convolution,
    images: usize,
    parameters: Vec<f64>,
    x: Vec<f64>,
    grad_y: Vec<f64>,
}

impl Case {
    fn new(layer: Convolution, images: usize) -> Self {
        let mut numbers = Numbers::new(images as u64);
        let parameters = numbers.vec(layer.parameters(), 1.0);
        let (x, grad_y) = (numbers.vec(images * layer.input(), 1.0), numbers.vec(images * layer.output(), 1.0));
        Self { layer, images, parameters, x, grad_y }
    }

    fn operands(&self) -> [&[f64]; 3] {
        [&self.parameters, &self.x, &self.grad_y]
    }

    /// y and the gradients of parameters and x, by the definition.
    fn plain(&self) -> [Vec<f64>; 3] {
        let Convolution { channels, height, width, filters, size, stride, nonlinearity, scale } = self.layer;
        let (rows, columns) = ((height - size) / stride + 1, (width - size) / stride + 1);
        let biases = filters * channels * size * size;
        let mut results = [self.grad_y.len(), self.parameters.len(), self.x.len()].map(|len| vec![0.0; len]);
        let [y, grad_parameters, grad_x] = &mut results;
        for at in 0..self.images * filters * rows * columns {
            let (image, filter) = (at / columns / rows / filters, at / columns / rows % filters);
            let (row, column) = (at / columns % rows, at % columns);
            let elements = || {
                (0..channels * size * size).map(|element| {
                    let (channel, part) = (element / size / size, element % (size * size));
                    let (y, x) = (row * stride + part / size, column * stride + part % size);
                    let of_filter = filter * channels * size * size + element;
                    (of_filter, ((image * channels + channel) * height + y) * width + x)
                })
            };
            let sum: f64 = elements().map(|(w, x)| self.parameters[w] * self.x[x]).sum();
            let pre = sum + self.parameters[biases + filter];
            let (value, slope) = match nonlinearity {
                Nonlinearity::Relu => (pre.max(0.0), f64::from(u8::from(pre > 0.0))),
                Nonlinearity::Tanh => (pre.tanh(), 1.0 - pre.tanh().powi(2)),
                Nonlinearity::Linear => (pre, 1.0),
            };
            y[at] = scale * value;
            let grad = self.grad_y[at] * slope * scale;
            grad_parameters[biases + filter] += grad;
            for (w, x) in elements() {
                grad_parameters[w] += grad * self.x[x];
                grad_x[x] += grad * self.parameters[w];
            }
        }
        results
    }
}

#[test]
fn convolutions_are_those_of_the_definition() {
    let plain = layer([2, 9, 8], [3, 3, 2]);
    for (layer, images) in [
        (plain, 7),
        (Convolution { nonlinearity: Nonlinearity::Tanh, scale: 2.5, ..plain }, 3),
        (Convolution { nonlinearity: Nonlinearity::Linear, ..plain }, 3),
        // More filters and elements than a tile has rows, and one pixel.
        (layer([3, 5, 5], [70, 5, 1]), 5),
        // Windows that do not touch, and rows of pixels that no window covers.
        (layer([1, 12, 11], [4, 2, 5]), 2),
        // Sums in several parts.
        (layer([2, 10, 10], [3, 3, 1]), 20),
    ] {
        let case = Case::new(layer, images);
        let wanted = case.plain();
        // With all gradients of windows at once, with those of two images, and with those of one.
        for room in [1 << 20, 2 * layer.output() / layer.filters * (layer.parameters() / layer.filters - 1), 1] {
            let got = shim::convolution(&layer, Machine::default(), case.operands(), room);
            assert_eq!(got.problems.count, 0, "{layer:?}: {}", got.problems.first);
            for (got, wanted) in [got.y, got.parameters, got.x].iter().zip(&wanted) {
                assert!(distance(got, wanted) < 1e-12, "{layer:?}: {:e}", distance(got, wanted));
            }
        }
    }
}

#[test]
fn no_bit_of_a_convolution_depends_on_an_order() {
    let case = Case::new(layer([2, 9, 8], [3, 3, 2]), 60);
    let run = |order| {
        let got = shim::convolution(&case.layer, Machine { order, ..Machine::default() }, case.operands(), 5000);
        assert_eq!(got.problems.count, 0, "{}", got.problems.first);
        [got.y, got.parameters, got.x]
    };
    let in_order = run(Order::InOrder);
    for order in [Order::Reversed, Order::Shuffled] {
        assert_eq!(run(order), in_order, "{order:?}");
    }
}
