//! Convolutions over images, with ReLU, and an optional linear layer over their flattened output.

use candle_core::{DType, Tensor, Var};
use stpn_core::{Initializer, Parameters};

use super::super::linear::{Linear, PreparedLinear};
use crate::{Error, Result};

/// One convolution: how many filters, of what size, how far apart. No padding, as in the published networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Filters {
    pub(super) count: usize,
    pub(super) size: usize,
    pub(super) stride: usize,
}

/// Channels, height and width of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Image {
    /// `[C, H, W]`, or `[H, W]` with one channel.
    pub(super) fn of_shape(shape: &[usize]) -> Option<Self> {
        match *shape {
            [height, width] => Some(Self { channels: 1, height, width }),
            [channels, height, width] => Some(Self { channels, height, width }),
            _ => None,
        }
    }

    pub(super) fn len(self) -> usize {
        self.channels * self.height * self.width
    }

    /// What filters make of it; nothing where they do not fit in.
    fn filtered(self, filters: Filters) -> Option<Self> {
        let along = |extent: usize| Some(extent.checked_sub(filters.size)? / filters.stride + 1);
        Some(Self { channels: filters.count, height: along(self.height)?, width: along(self.width)? })
    }
}

/// A stack of convolutions, each followed by ReLU.
#[derive(Debug)]
pub(super) struct Cnn {
    layers: Vec<Convolution>,
    linear: Option<Linear>,
    input: Image,
    output: usize,
    parameters: Parameters,
}

/// A convolution's parameters, laid out as in PyTorch.
#[derive(Debug)]
struct Convolution {
    filters: Filters,
    input: Image,
    output: Image,
    /// `[out, in, size, size]`
    weight: Var,
    /// `[out]`
    bias: Var,
}

impl Cnn {
    /// Convolutions over `input` and, where given, a linear layer of `features` units; initialised U(±1/√fan-in) as in
    /// PyTorch.
    pub(super) fn new(
        filters: &[Filters],
        features: Option<usize>,
        input: Image,
        init: &mut Initializer<'_>,
    ) -> Result<Self> {
        let mut parameters = Parameters::default();
        let (mut image, mut layers) = (input, Vec::with_capacity(filters.len()));
        for (index, &filters) in filters.iter().enumerate() {
            let Some(output) = image.filtered(filters) else {
                let (Image { height, width, .. }, size) = (image, filters.size);
                let problem = format!(
                    "layer {} has filters of {size}×{size} but its input only {height}×{width} pixels: needs larger images",
                    index + 1
                );
                return Err(Error::config("policy.encoder", problem));
            };
            let shape = (filters.count, image.channels, filters.size, filters.size);
            let bound = 1.0 / ((image.channels * filters.size * filters.size) as f64).sqrt();
            let mut own = Parameters::default();
            let weight = own.add("weight", &init.uniform(shape, -bound, bound)?)?;
            let bias = own.add("bias", &init.uniform(filters.count, -bound, bound)?)?;
            parameters.extend(&format!("conv{}", index + 1), &own);
            layers.push(Convolution { filters, input: image, output, weight, bias });
            image = output;
        }
        let linear = features.map(|features| Linear::new(image.len(), features, init)).transpose()?;
        if let Some(linear) = &linear {
            parameters.extend("linear", linear.parameters());
        }
        Ok(Self { layers, linear, input, output: features.unwrap_or(image.len()), parameters })
    }

    pub(super) fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    pub(super) fn output_len(&self) -> usize {
        self.output
    }

    /// x `[N, C·H·W]` → `[N, E]`, channels outermost in both.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let count = x.dim(0)?;
        let Image { channels, height, width } = self.input;
        let mut x = x.reshape((count, channels, height, width))?;
        for layer in &self.layers {
            x = layer.forward(&x)?.relu()?;
        }
        let x = x.flatten_from(1)?;
        Ok(match &self.linear {
            Some(linear) => linear.forward(&x)?.relu()?,
            None => x,
        })
    }

    pub(super) fn prepare(&self) -> Result<PreparedCnn> {
        let layers = self.layers.iter().map(Convolution::prepare).collect::<Result<_>>()?;
        Ok(PreparedCnn { layers, linear: self.linear.as_ref().map(Linear::prepare).transpose()? })
    }
}

impl Convolution {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let Filters { size, stride, .. } = self.filters;
        // candle's backward pass takes what is left over at the edges from the height alone: leave nothing over.
        let used = |outputs: usize| (outputs - 1) * stride + size;
        let x = x.narrow(2, 0, used(self.output.height))?.narrow(3, 0, used(self.output.width))?;
        let bias = self.bias.reshape((1, self.filters.count, 1, 1))?;
        Ok(x.conv2d(&self.weight, 0, stride, 1, 1)?.broadcast_add(&bias)?)
    }

    fn prepare(&self) -> Result<PreparedConvolution> {
        let values = |var: &Var| -> Result<Vec<f32>> { Ok(var.flatten_all()?.to_dtype(DType::F32)?.to_vec1()?) };
        let Self { filters, input, output, .. } = *self;
        Ok(PreparedConvolution { filters, input, output, weight: values(&self.weight)?, bias: values(&self.bias)? })
    }
}

/// The layers' values for inference.
#[derive(Clone, Debug)]
pub(super) struct PreparedCnn {
    layers: Vec<PreparedConvolution>,
    linear: Option<PreparedLinear>,
}

#[derive(Clone, Debug)]
struct PreparedConvolution {
    filters: Filters,
    input: Image,
    output: Image,
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl PreparedCnn {
    /// x `[N, C·H·W]` → `[N, E]`.
    pub(super) fn forward(&self, x: &[f32], count: usize, out: &mut [f32]) {
        let (pixels, width) = (x.len() / count, out.len() / count);
        for (x, out) in x.chunks_exact(pixels).zip(out.chunks_exact_mut(width)) {
            let mut image = x.to_vec();
            for layer in &self.layers {
                image = layer.forward(&image);
            }
            match &self.linear {
                Some(linear) => {
                    linear.forward(&image, out);
                    out.iter_mut().for_each(|y| *y = y.max(0.0));
                }
                None => out.copy_from_slice(&image),
            }
        }
    }
}

impl PreparedConvolution {
    /// One image `[C, H, W]`.
    fn forward(&self, x: &[f32]) -> Vec<f32> {
        let Self { filters: Filters { size, stride, .. }, input, output, .. } = self;
        let mut y = Vec::with_capacity(output.len());
        for (weight, bias) in self.weight.chunks_exact(input.channels * size * size).zip(&self.bias) {
            for row in 0..output.height {
                for column in 0..output.width {
                    let mut sum = *bias;
                    for (line, weight) in weight.chunks_exact(*size).enumerate() {
                        let (channel, line) = (line / size, line % size);
                        let start = (channel * input.height + row * stride + line) * input.width + column * stride;
                        sum += x[start..start + size].iter().zip(weight).map(|(x, w)| x * w).sum::<f32>();
                    }
                    y.push(sum.max(0.0));
                }
            }
        }
        y
    }
}
