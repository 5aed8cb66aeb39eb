//! Fully connected layers.

use candle_core::Tensor;
use stpn_core::cells::Activation;
use stpn_core::kernels::Real;
use stpn_core::kernels::affine::Affine;
use stpn_core::{Initializer, Parameters};

use super::super::initialization::{Initialization, Role};
use super::super::linear::Linear;
use crate::Result;

/// Linear layers, each followed by the same nonlinearity.
#[derive(Debug)]
pub(super) struct Mlp {
    layers: Vec<Linear>,
    sizes: Vec<usize>,
    activation: Activation,
    parameters: Parameters,
}

impl Mlp {
    /// Layers of `sizes` units over `input` numbers.
    pub(super) fn new(
        sizes: &[usize],
        activation: Activation,
        input: usize,
        initialization: Initialization,
        init: &mut Initializer<'_>,
    ) -> Result<Self> {
        let mut parameters = Parameters::default();
        let inputs = std::iter::once(&input).chain(sizes);
        let mut layers = Vec::with_capacity(sizes.len());
        for (index, (&input, &output)) in inputs.zip(sizes).enumerate() {
            let layer = Linear::new([input, output], Role::Hidden, initialization, init)?;
            parameters.extend(&format!("layer{}", index + 1), layer.parameters());
            layers.push(layer);
        }
        Ok(Self { layers, sizes: sizes.to_vec(), activation, parameters })
    }

    /// Inputs and outputs of every layer.
    #[cfg(feature = "cuda")]
    pub(super) fn shapes(&self) -> impl Iterator<Item = [usize; 2]> + '_ {
        let shape = |(layer, &output): (&Linear, &usize)| [layer.parameters().count() / output - 1, output];
        self.layers.iter().zip(&self.sizes).map(shape)
    }

    /// What follows every layer.
    #[cfg(feature = "cuda")]
    pub(super) fn activation(&self) -> Activation {
        self.activation
    }

    pub(super) fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    pub(super) fn output_len(&self) -> usize {
        self.sizes.last().copied().unwrap_or(0)
    }

    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.layers.iter().try_fold(x.clone(), |x, layer| {
            let pre = layer.forward(&x)?;
            Ok(match self.activation {
                Activation::Tanh => pre.tanh()?,
                Activation::Relu => pre.relu()?,
            })
        })
    }

    pub(super) fn prepare<T: Real>(&self, packed: &[T]) -> PreparedMlp<T> {
        let mut rest = packed;
        let layers = self.layers.iter().zip(&self.sizes).map(|(layer, &size)| {
            let (own, others) = rest.split_at(layer.parameters().count());
            rest = others;
            Affine::new(own, size, Some(self.activation))
        });
        PreparedMlp { layers: layers.collect() }
    }
}

/// The layers with their values in place.
#[derive(Clone, Debug)]
pub(super) struct PreparedMlp<T> {
    layers: Vec<Affine<T>>,
}

impl<T: Real> PreparedMlp<T> {
    /// x `[N, in]` → out `[N, out]`; returns the outputs of all layers but the last.
    pub(super) fn forward(&self, x: &[T], count: usize, out: &mut [T]) -> Vec<Vec<T>> {
        let mut inner: Vec<Vec<T>> = Vec::with_capacity(self.layers.len());
        for (index, layer) in self.layers.iter().enumerate() {
            let x = inner.last().map_or(x, Vec::as_slice);
            if index + 1 == self.layers.len() {
                layer.forward(x, out);
            } else {
                let mut y = vec![T::ZERO; count * layer.output()];
                layer.forward(x, &mut y);
                inner.push(y);
            }
        }
        inner
    }

    pub(super) fn backward(&self, x: &[T], inner: &[Vec<T>], out: &[T], grad_out: &[T], grad_packed: &mut [T]) {
        let (mut grad, mut packed) = (grad_out.to_vec(), grad_packed);
        for (index, layer) in self.layers.iter().enumerate().rev() {
            let y = inner.get(index).map_or(out, Vec::as_slice);
            let (others, own) = packed.split_at_mut(packed.len() - layer.parameters());
            packed = others;
            match index {
                0 => layer.backward(x, y, &grad, None, own),
                _ => {
                    let x = &inner[index - 1];
                    let mut grad_x = vec![T::ZERO; x.len()];
                    layer.backward(x, y, &grad, Some(&mut grad_x), own);
                    grad = grad_x;
                }
            }
        }
    }
}
