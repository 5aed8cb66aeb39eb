//! A linear layer on many rows at once, for heads: forward, and exact backward.
//!
//! Products are those of `kernels::dense`: an output has the same bits whatever rows it comes with.

use std::sync::Arc;

use super::Real;
use super::aligned::Pool;
use super::dense::{Left, Panels, Right, product, take_rows};
use super::lanes::{Lanes, Operation};

/// Rows that are worked on together: few enough that what is made of them stays in the first-level cache.
const ROWS: usize = 64;

/// `y = W x + b` with the parameters in place.
#[derive(Debug)]
pub struct LinearLayer<T: Real> {
    input: usize,
    /// W transposed, `[in, out]`, rows padded to whole vectors.
    forward: Panels<T>,
    /// W, `[out, in]`, rows padded to whole vectors.
    backward: Panels<T>,
    bias: Vec<T>,
    pool: Arc<Pool<T>>,
}

impl<T: Real> LinearLayer<T> {
    /// A layer of `output` features from packed parameters: weight `[out, in]`, then bias `[out]`.
    ///
    /// # Panics
    /// If there are fewer than `output` parameters.
    pub fn new(packed: &[T], output: usize) -> Self {
        T::on_lanes(New { packed, output })
    }

    /// Features of x.
    pub fn input(&self) -> usize {
        self.input
    }

    /// Features of y.
    pub fn output(&self) -> usize {
        self.bias.len()
    }

    /// x `[N, in]` → the first features of the rows of y `[N, stride]`, `stride ≥ out`.
    ///
    /// # Panics
    /// If the extents do not fit.
    pub fn forward(&self, x: &[T], y: &mut [T], stride: usize) {
        assert!(stride >= self.output() && x.len() * stride == y.len() * self.input, "rows of x and y");
        T::on_lanes(Forward { layer: self, x, y, stride });
    }

    /// Adds this layer's part to the gradient of x `[N, in]` and writes that of its packed parameters, from the
    /// gradient of y, whose rows `[N, stride]` start with this layer's features.
    ///
    /// # Panics
    /// If the extents do not fit.
    pub fn backward(&self, x: &[T], grad_y: &[T], stride: usize, grad_x: &mut [T], grad_packed: &mut [T]) {
        assert!(stride >= self.output() && x.len() * stride == grad_y.len() * self.input, "rows of x and y");
        assert_eq!((x.len(), (self.input + 1) * self.output()), (grad_x.len(), grad_packed.len()), "gradients");
        T::on_lanes(Backward { layer: self, x, grad_y, stride, grad_x, grad_packed });
    }
}

struct New<'a, T> {
    packed: &'a [T],
    output: usize,
}

impl<T: Real> Operation<T> for New<'_, T> {
    type Output = LinearLayer<T>;

    fn run<L: Lanes<Real = T>>(self, _: L) -> LinearLayer<T> {
        let (weight, bias) = self.packed.split_at(self.packed.len() - self.output);
        let (input, output) = (weight.len() / self.output, self.output);
        let value = |i: usize, o: usize| if i < input && o < output { weight[o * input + i] } else { T::ZERO };
        LinearLayer {
            input,
            forward: Panels::new(input, output.div_ceil(L::WIDTH), L::WIDTH, value),
            backward: Panels::new(output, input.div_ceil(L::WIDTH), L::WIDTH, |o, i| value(i, o)),
            bias: bias.to_vec(),
            pool: Arc::default(),
        }
    }
}

struct Forward<'a, T: Real> {
    layer: &'a LinearLayer<T>,
    x: &'a [T],
    y: &'a mut [T],
    stride: usize,
}

impl<T: Real> Operation<T> for Forward<'_, T> {
    type Output = ();

    fn run<L: Lanes<Real = T>>(self, lanes: L) {
        let Self { layer, x, y, stride } = self;
        let (input, output, row) = (layer.input, layer.output(), layer.forward.vectors() * L::WIDTH);
        let mut images = layer.pool.zeros(ROWS * row);
        for (x, y) in x.chunks(ROWS * input).zip(y.chunks_mut(ROWS * stride)) {
            let images = &mut images[..x.len() / input * row];
            for image in images.chunks_exact_mut(row) {
                image[..output].copy_from_slice(&layer.bias);
            }
            layer.forward.multiply(lanes, x.len() / input, x, input, images);
            for (y, image) in y.chunks_exact_mut(stride).zip(images.chunks_exact(row)) {
                y[..output].copy_from_slice(&image[..output]);
            }
        }
    }
}

struct Backward<'a, T: Real> {
    layer: &'a LinearLayer<T>,
    x: &'a [T],
    grad_y: &'a [T],
    stride: usize,
    grad_x: &'a mut [T],
    grad_packed: &'a mut [T],
}

impl<T: Real> Operation<T> for Backward<'_, T> {
    type Output = ();

    fn run<L: Lanes<Real = T>>(self, lanes: L) {
        let Self { layer, x, grad_y, stride, grad_x, grad_packed } = self;
        let (input, output, vectors) = (layer.input, layer.output(), layer.backward.vectors());
        let row = vectors * L::WIDTH;
        let (grad_weight, grad_bias) = grad_packed.split_at_mut(input * output);
        grad_bias.fill(T::ZERO);
        let mut sums = layer.pool.zeros(output * row);
        // Lanes without an input stay zero.
        let mut padded = layer.pool.zeros(ROWS * row);
        let mut grads = layer.pool.lease(ROWS * row);
        let chunks = x.chunks(ROWS * input).zip(grad_x.chunks_mut(ROWS * input));
        for ((x, grad_x), grad_y) in chunks.zip(grad_y.chunks(ROWS * stride)) {
            let rows = x.len() / input;
            take_rows([row, input], x, &mut padded);
            let right = Right::Rows { values: &padded, row };
            product(lanes, [output, rows, vectors], Left { values: grad_y, row: 1, inner: stride }, right, &mut sums);
            for grad_y in grad_y.chunks_exact(stride) {
                grad_bias.iter_mut().zip(grad_y).for_each(|(sum, &part)| *sum += part);
            }
            let grads = &mut grads[..rows * row];
            grads.fill(T::ZERO);
            layer.backward.multiply(lanes, rows, grad_y, stride, grads);
            for (grad_x, grads) in grad_x.chunks_exact_mut(input).zip(grads.chunks_exact(row)) {
                grad_x.iter_mut().zip(grads).for_each(|(sum, &part)| *sum += part);
            }
        }
        for (weight, sums) in grad_weight.chunks_exact_mut(input).zip(sums.chunks_exact(row)) {
            weight.copy_from_slice(&sums[..input]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(len: usize, seed: usize) -> Vec<f64> {
        (0..len).map(|index| ((index * 37 + seed * 53 + 11) % 101) as f64 * 0.013 - 0.6).collect()
    }

    /// The definitions, one sum at a time.
    #[test]
    fn outputs_and_gradients_are_those_of_the_definition() {
        for [rows, input, output, stride] in [[1, 1, 1, 1], [5, 19, 3, 4], [130, 11, 37, 37], [200, 64, 1, 2]] {
            let packed = numbers((input + 1) * output, 1);
            let (weight, bias) = packed.split_at(input * output);
            let (x, grad_y) = (numbers(rows * input, 2), numbers(rows * stride, 3));
            let layer = LinearLayer::new(&packed, output);
            let (mut y, mut grad_x) = (vec![7.0; rows * stride], vec![0.5; rows * input]);
            let mut grad = vec![7.0; packed.len()];
            layer.forward(&x, &mut y, stride);
            layer.backward(&x, &grad_y, stride, &mut grad_x, &mut grad);
            let near =
                |got: f64, want: f64| assert!((got - want).abs() < 1e-12, "{got} {want}: {rows} {input} {output}");
            for row in 0..rows {
                for o in 0..stride {
                    let sum: f64 = (0..input).map(|i| x[row * input + i] * weight[(o % output) * input + i]).sum();
                    near(y[row * stride + o], if o < output { bias[o] + sum } else { 7.0 });
                }
                for i in 0..input {
                    let sum: f64 = (0..output).map(|o| grad_y[row * stride + o] * weight[o * input + i]).sum();
                    near(grad_x[row * input + i], 0.5 + sum);
                }
            }
            for o in 0..output {
                let over_rows = |value: &dyn Fn(usize) -> f64| -> f64 {
                    (0..rows).map(|row| grad_y[row * stride + o] * value(row)).sum()
                };
                near(grad[input * output + o], over_rows(&|_| 1.0));
                for i in 0..input {
                    near(grad[o * input + i], over_rows(&|row| x[row * input + i]));
                }
            }
        }
    }

    #[test]
    fn an_output_does_not_depend_on_the_rows_it_comes_with() {
        let narrow = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect::<Vec<_>>();
        let (layer, x) = (LinearLayer::new(&narrow(numbers(12 * 37, 1)), 37), narrow(numbers(100 * 11, 2)));
        let mut together = vec![0.0; 100 * 37];
        layer.forward(&x, &mut together, 37);
        for (x, together) in x.chunks_exact(11).zip(together.chunks_exact(37)) {
            let mut alone = vec![0.0; 37];
            layer.forward(x, &mut alone, 37);
            assert_eq!(alone, together);
        }
    }
}
