//! The linear layers of the heads as candle sees them; on slices they are `stpn_core::kernels::linear`.

use candle_core::{Tensor, Var};
use stpn_core::{Initializer, Parameters};

use super::initialization::{Initialization, Role};
use crate::Result;

/// `y = W x + b` with W `[out, in]`.
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
    /// Fails if candle cannot allocate.
    pub fn new(
        [input, output]: [usize; 2],
        role: Role,
        initialization: Initialization,
        init: &mut Initializer<'_>,
    ) -> Result<Self> {
        let (weight, bias) = initialization.layer(role, &[output, input], init)?;
        let mut parameters = Parameters::default();
        let weight = parameters.add("weight", &weight)?;
        let bias = parameters.add("bias", &bias)?;
        Ok(Self { weight, bias, parameters })
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

    /// x `[N, in]` → `[N, out]`, differentiable: the reference of the paths on slices.
    ///
    /// # Errors
    /// Fails on a shape that does not fit.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.matmul(&self.weight.t()?)?.broadcast_add(&self.bias)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};
    use stpn_core::kernels::linear::LinearLayer;
    use stpn_random::{Purpose, Stream};

    #[test]
    fn slices_and_tensors_agree_forward_and_backward() {
        let mut stream = Stream::new(1, Purpose::Test, 0);
        let mut init = Initializer::new(&mut stream, DType::F64, &Device::Cpu);
        let layer = Linear::new([19, 3], Role::Output, Initialization::Uniform, &mut init).unwrap();
        let x: Vec<f64> = (0..5 * 19).map(|_| stream.normal()).collect();
        let grad_y: Vec<f64> = (0..5 * 4).map(|_| stream.normal()).collect();
        let packed: Vec<f64> = layer.parameters().packed().unwrap().to_vec1().unwrap();
        let prepared = LinearLayer::new(&packed, 3);
        let (mut y, mut grad_x, mut grad) = (vec![0.0; 20], vec![0.0; 95], vec![1.0; packed.len()]);
        prepared.forward(&x, &mut y, 4);
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
