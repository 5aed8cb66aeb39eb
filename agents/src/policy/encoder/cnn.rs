//! Convolutions over images, with ReLU, and an optional linear layer over their flattened output.

use std::sync::Arc;

use candle_core::{Tensor, Var};
use stpn_core::cells::Activation;
use stpn_core::kernels::Real;
use stpn_core::kernels::affine::Affine;
use stpn_core::kernels::convolution::{self, Filters, Image, Pixels, Prepared, Stack, Tape};
use stpn_core::{Initializer, Parameters};

use super::super::initialization::{Initialization, Role};
use super::super::linear::Linear;
#[cfg(feature = "cuda")]
use super::layer::EncoderLayer;
use crate::{Error, Result};

/// `[C, H, W]`, or `[H, W]` with one channel, as an image.
pub(super) fn image_of_shape(shape: &[usize]) -> Option<Image> {
    match *shape {
        [height, width] => Some(Image { channels: 1, height, width }),
        [channels, height, width] => Some(Image { channels, height, width }),
        _ => None,
    }
}

/// A stack of convolutions, each followed by ReLU.
#[derive(Debug)]
pub(super) struct Cnn {
    stack: Arc<Stack>,
    /// Weight `[out, in, k, k]` and bias `[out]` of each layer, laid out as in PyTorch.
    convolutions: Parameters,
    linear: Option<Linear>,
    output: usize,
    parameters: Parameters,
}

impl Cnn {
    /// Convolutions over `input` and, if given, a linear layer of `features` units.
    pub(super) fn new(
        filters: &[Filters],
        features: Option<usize>,
        input: Image,
        initialization: Initialization,
        init: &mut Initializer<'_>,
    ) -> Result<Self> {
        let stack = Stack::new(input, filters).map_err(|error| {
            Error::config("policy.encoder", format!("the observation does not fit: {error}; larger images are needed"))
        })?;
        let mut convolutions = Parameters::default();
        for (index, (input, filters)) in stack.layers().enumerate() {
            let shape = [filters.count, input.channels, filters.size, filters.size];
            let (weight, bias) = initialization.layer(Role::Hidden, &shape, init)?;
            convolutions.add(&format!("conv{}.weight", index + 1), &weight)?;
            convolutions.add(&format!("conv{}.bias", index + 1), &bias)?;
        }
        let mut parameters = convolutions.clone();
        let flat = stack.output().len();
        let dense = |features| Linear::new([flat, features], Role::Hidden, initialization, init);
        let linear = features.map(dense).transpose()?;
        if let Some(linear) = &linear {
            parameters.extend("linear", linear.parameters());
        }
        Ok(Self { stack: Arc::new(stack), convolutions, linear, output: features.unwrap_or(flat), parameters })
    }

    pub(super) fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Its layers, in the order of their parameters.
    #[cfg(feature = "cuda")]
    pub(super) fn layers(&self) -> Vec<EncoderLayer> {
        let convolutions = self.stack.layers().map(|(input, filters)| EncoderLayer::Convolution(input, filters));
        let flat = self.stack.output().len();
        let linear = self.linear.iter().map(|_| EncoderLayer::Dense([flat, self.output], Activation::Relu));
        convolutions.chain(linear).collect()
    }

    pub(super) fn output_len(&self) -> usize {
        self.output
    }

    /// x `[N, C·H·W]` → `[N, E]`, channels outermost in both; convolutions by the kernel on the CPU.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = match x.device().is_cpu() {
            true => convolution::features(&self.stack, &self.convolutions, x)?,
            false => self.convolve_composed(x)?,
        };
        self.forward_linear(x)
    }

    /// [`Cnn::forward`] in candle operations alone.
    pub(super) fn forward_composed(&self, x: &Tensor) -> Result<Tensor> {
        self.forward_linear(self.convolve_composed(x)?)
    }

    fn forward_linear(&self, x: Tensor) -> Result<Tensor> {
        Ok(match &self.linear {
            Some(linear) => linear.forward(&x)?.relu()?,
            None => x,
        })
    }

    fn convolve_composed(&self, x: &Tensor) -> Result<Tensor> {
        let Image { channels, height, width } = self.stack.input();
        let mut x = x.reshape((x.dim(0)?, channels, height, width))?;
        let variables: Vec<&Var> = self.convolutions.iter().map(|(_, var)| var).collect();
        for ((input, filters), layer) in self.stack.layers().zip(variables.chunks_exact(2)) {
            let (size, stride) = (filters.size, filters.stride);
            // candle's backward pass takes what is left over at the edges from the height alone: leave nothing over.
            let used = |extent: usize| (extent - size) / stride * stride + size;
            let used_x = x.narrow(2, 0, used(input.height))?.narrow(3, 0, used(input.width))?;
            let bias = layer[1].reshape((1, filters.count, 1, 1))?;
            x = used_x.conv2d(layer[0], 0, stride, 1, 1)?.broadcast_add(&bias)?.relu()?;
        }
        Ok(x.flatten_from(1)?)
    }

    pub(super) fn prepare<T: Real>(&self, packed: &[T]) -> PreparedCnn<T> {
        let (convolutions, rest) = packed.split_at(self.stack.parameters());
        let linear = self.linear.as_ref().map(|_| Affine::new(rest, self.output, Some(Activation::Relu)));
        PreparedCnn {
            convolutions: Prepared::new(&self.stack, convolutions),
            parameters: self.stack.parameters(),
            flat: self.stack.output().len(),
            linear,
        }
    }
}

/// The layers with their values in place.
#[derive(Debug)]
pub(super) struct PreparedCnn<T: Real> {
    convolutions: Prepared<T>,
    /// Scalars of the convolutions' parameters.
    parameters: usize,
    /// Scalars of their output.
    flat: usize,
    linear: Option<Affine<T>>,
}

/// What a forward pass keeps.
#[derive(Debug)]
pub(super) struct CnnTape<T: Real> {
    convolutions: Tape<T>,
    /// Output of the convolutions, where a linear layer follows them.
    flat: Vec<T>,
}

impl<T: Real> PreparedCnn<T> {
    /// x `[N, C·H·W]` → out `[N, E]`.
    pub(super) fn forward(&self, x: Pixels<'_, T>, count: usize, out: &mut [T], tape: bool) -> Option<CnnTape<T>> {
        let Some(linear) = &self.linear else {
            let convolutions = self.convolutions.forward(x, out, tape)?;
            return Some(CnnTape { convolutions, flat: Vec::new() });
        };
        let mut flat = vec![T::ZERO; count * self.flat];
        let convolutions = self.convolutions.forward(x, &mut flat, tape);
        linear.forward(&flat, out);
        Some(CnnTape { convolutions: convolutions?, flat })
    }

    pub(super) fn backward(
        &self,
        x: Pixels<'_, T>,
        out: &[T],
        tape: &CnnTape<T>,
        grad_out: &[T],
        grad_packed: &mut [T],
    ) {
        let (grad_convolutions, grad_linear) = grad_packed.split_at_mut(self.parameters);
        let Some(linear) = &self.linear else {
            self.convolutions.backward(x, out, &tape.convolutions, grad_out, grad_convolutions, None);
            return;
        };
        let mut grad_flat = vec![T::ZERO; tape.flat.len()];
        linear.backward(&tape.flat, out, grad_out, Some(&mut grad_flat), grad_linear);
        self.convolutions.backward(x, &tape.flat, &tape.convolutions, &grad_flat, grad_convolutions, None);
    }
}
