//! Fully connected layers.

use candle_core::Tensor;
use stpn_core::cells::Activation;
use stpn_core::{Initializer, Parameters};

use super::super::linear::{Linear, PreparedLinear};
use crate::Result;

/// Linear layers, each followed by the same nonlinearity.
#[derive(Debug)]
pub(super) struct Mlp {
    layers: Vec<Linear>,
    activation: Activation,
    parameters: Parameters,
}

impl Mlp {
    /// Layers of `sizes` units over `input` numbers.
    pub(super) fn new(
        sizes: &[usize],
        activation: Activation,
        input: usize,
        init: &mut Initializer<'_>,
    ) -> Result<Self> {
        let mut parameters = Parameters::default();
        let inputs = std::iter::once(&input).chain(sizes);
        let mut layers = Vec::with_capacity(sizes.len());
        for (index, (&input, &output)) in inputs.zip(sizes).enumerate() {
            let layer = Linear::new(input, output, init)?;
            parameters.extend(&format!("layer{}", index + 1), layer.parameters());
            layers.push(layer);
        }
        Ok(Self { layers, activation, parameters })
    }

    pub(super) fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    pub(super) fn output_len(&self) -> usize {
        self.layers.last().map_or(0, Linear::output_len)
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

    pub(super) fn prepare(&self) -> Result<PreparedMlp> {
        let layers = self.layers.iter().map(Linear::prepare).collect::<Result<_>>()?;
        Ok(PreparedMlp { layers, activation: self.activation })
    }
}

/// The layers' values for inference.
#[derive(Clone, Debug)]
pub(super) struct PreparedMlp {
    layers: Vec<PreparedLinear>,
    activation: Activation,
}

impl PreparedMlp {
    /// x `[N, in]` → `[N, out]`.
    pub(super) fn forward(&self, x: &[f32], count: usize, out: &mut [f32]) {
        let last = self.layers.len() - 1;
        let mut input = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            let x = if index == 0 { x } else { &input };
            if index == last {
                self.layer(layer, x, out);
            } else {
                let mut output = vec![0.0; count * layer.output()];
                self.layer(layer, x, &mut output);
                input = output;
            }
        }
    }

    fn layer(&self, layer: &PreparedLinear, x: &[f32], y: &mut [f32]) {
        layer.forward(x, y);
        match self.activation {
            Activation::Tanh => y.iter_mut().for_each(|y| *y = y.tanh()),
            Activation::Relu => y.iter_mut().for_each(|y| *y = y.max(0.0)),
        }
    }
}
