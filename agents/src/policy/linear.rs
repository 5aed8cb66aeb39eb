//! The linear layers of the heads: parameters for candle, and forward and backward on slices.

use candle_core::{Tensor, Var};
use pulp::Arch;
use stpn_core::kernels::Real;
use stpn_core::{Initializer, Parameters};

use crate::Result;

/// `y = W x + b` with W `[out, in]`, initialised U(±1/√in) as in PyTorch.
#[derive(Clone, Debug)]
pub struct Linear {
    weight: Var,
    bias: Var,
    parameters: Parameters,
}

impl Linear {
    /// A layer from `input` to `output` features.
    ///
    /// # Errors
    /// Fails where candle cannot allocate.
    pub fn new(input: usize, output: usize, init: &mut Initializer<'_>) -> Result<Self> {
        Self::scaled(input, output, 1.0, init)
    }

    /// A layer whose initial values are those of [`Linear::new`] times `gain`.
    ///
    /// # Errors
    /// Fails where candle cannot allocate.
    pub fn scaled(input: usize, output: usize, gain: f64, init: &mut Initializer<'_>) -> Result<Self> {
        let bound = gain / (input as f64).sqrt();
        let mut parameters = Parameters::default();
        let weight = parameters.add("weight", &init.uniform((output, input), -bound, bound)?)?;
        let bias = parameters.add("bias", &init.uniform(output, -bound, bound)?)?;
        Ok(Self { weight, bias, parameters })
    }

    /// Number of output features.
    pub fn output_len(&self) -> usize {
        self.bias.elem_count()
    }

    /// The parameters `weight` and `bias`.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Adds `offsets` `[out]` to the biases.
    ///
    /// # Errors
    /// Fails on another number of offsets.
    pub fn shift(&self, offsets: &[f64]) -> Result<()> {
        let offsets = Tensor::new(offsets, self.bias.device())?.to_dtype(self.bias.dtype())?;
        Ok(self.bias.set(&(self.bias.as_tensor() + offsets)?)?)
    }

    /// The layer's present values for work on slices.
    ///
    /// # Errors
    /// Fails where candle cannot convert to f32.
    pub fn prepare(&self) -> Result<PreparedLinear> {
        let packed = self.parameters.packed()?.to_dtype(candle_core::DType::F32)?.to_vec1::<f32>()?;
        Ok(PreparedLinear::new(&packed, self.output_len()))
    }

    /// x `[N, in]` → `[N, out]`, differentiable: the reference of the paths on slices.
    ///
    /// # Errors
    /// Fails on a shape that does not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.matmul(&self.weight.t()?)?.broadcast_add(&self.bias)?)
    }
}

/// A [`Linear`]'s values, copied out for work on slices.
#[derive(Clone, Debug)]
pub struct PreparedLinear<T = f32> {
    input: usize,
    weight: Vec<T>,
    bias: Vec<T>,
}

impl<T: Real> PreparedLinear<T> {
    /// A layer of `output` features from packed values: weight `[out, in]`, then bias `[out]`.
    pub fn new(packed: &[T], output: usize) -> Self {
        let (weight, bias) = packed.split_at(packed.len() - output);
        Self { input: weight.len() / output, weight: weight.to_vec(), bias: bias.to_vec() }
    }

    /// Number of output features.
    pub fn output(&self) -> usize {
        self.bias.len()
    }

    /// x `[N, in]` → y `[N, out]`.
    pub fn forward(&self, x: &[T], y: &mut [T]) {
        self.forward_strided(x, y, self.output());
    }

    /// x `[N, in]` → the first features of the rows of y `[N, stride]`, `stride ≥ out`.
    pub fn forward_strided(&self, x: &[T], y: &mut [T], stride: usize) {
        Arch::new().dispatch(
            #[inline(always)]
            || {
                for (x, y) in x.chunks_exact(self.input).zip(y.chunks_exact_mut(stride)) {
                    for ((y, row), &bias) in y.iter_mut().zip(self.weight.chunks_exact(self.input)).zip(&self.bias) {
                        *y = bias + dot(row, x);
                    }
                }
            },
        );
    }

    /// Adds this layer's part to the gradient of x `[N, in]` and writes that of its packed parameters, from the
    /// gradient of y, whose rows `[N, stride]` start with this layer's features.
    pub fn backward(&self, x: &[T], grad_y: &[T], stride: usize, grad_x: &mut [T], grad_packed: &mut [T]) {
        grad_packed.fill(T::ZERO);
        let (grad_weight, grad_bias) = grad_packed.split_at_mut(self.weight.len());
        Arch::new().dispatch(
            #[inline(always)]
            || {
                let rows = x.chunks_exact(self.input).zip(grad_x.chunks_exact_mut(self.input));
                for ((x, grad_x), grad_y) in rows.zip(grad_y.chunks_exact(stride)) {
                    let features = self.weight.chunks_exact(self.input).zip(grad_weight.chunks_exact_mut(self.input));
                    for (((weight, grad_weight), grad_bias), &grad) in features.zip(grad_bias.iter_mut()).zip(grad_y) {
                        *grad_bias += grad;
                        for (((grad_x, grad_weight), &weight), &x) in
                            grad_x.iter_mut().zip(grad_weight).zip(weight).zip(x)
                        {
                            *grad_x += grad * weight;
                            *grad_weight += grad * x;
                        }
                    }
                }
            },
        );
    }
}

/// Dot product over sixteen partial sums, which the compiler keeps in vector registers.
#[inline(always)]
fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    let (a_head, a_tail) = a.as_chunks::<16>();
    let (b_head, b_tail) = b.as_chunks::<16>();
    let mut lanes = [T::ZERO; 16];
    for (a, b) in a_head.iter().zip(b_head) {
        for ((lane, &a), &b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    let mut total = T::ZERO;
    for (&a, &b) in a_tail.iter().zip(b_tail) {
        total += a * b;
    }
    for lane in lanes {
        total += lane;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};
    use stpn_random::{Purpose, Stream};

    #[test]
    fn slices_and_tensors_agree_forward_and_backward() {
        let mut stream = Stream::new(1, Purpose::Test, 0);
        let layer = Linear::new(19, 3, &mut Initializer::new(&mut stream, DType::F64, &Device::Cpu)).unwrap();
        let x: Vec<f64> = (0..5 * 19).map(|_| stream.normal()).collect();
        let grad_y: Vec<f64> = (0..5 * 4).map(|_| stream.normal()).collect();
        let packed: Vec<f64> = layer.parameters().packed().unwrap().to_vec1().unwrap();
        let prepared = PreparedLinear::new(&packed, 3);
        let (mut y, mut grad_x, mut grad) = (vec![0.0; 20], vec![0.0; 95], vec![1.0; packed.len()]);
        prepared.forward_strided(&x, &mut y, 4);
        prepared.backward(&x, &grad_y, 4, &mut grad_x, &mut grad);

        let x = Var::from_vec(x, (5, 19), &Device::Cpu).unwrap();
        let expected = layer.forward(&x).unwrap();
        let weights = Tensor::from_vec(grad_y, (5, 4), &Device::Cpu).unwrap().narrow(1, 0, 3).unwrap();
        let store = (&expected * weights).unwrap().sum_all().unwrap().backward().unwrap();
        let flat = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let expected_y: Vec<f64> = flat(&expected);
        for (row, expected) in y.chunks_exact(4).zip(expected_y.chunks_exact(3)) {
            assert!(row.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12) && row[3] == 0.0);
        }
        let mut expected_grad = flat(store.get(&layer.weight).unwrap());
        expected_grad.extend(flat(store.get(&layer.bias).unwrap()));
        let close = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(close(&grad, &expected_grad) && close(&grad_x, &flat(store.get(&x).unwrap())));
    }
}
