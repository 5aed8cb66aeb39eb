//! Encoders: from an environment's observations to the recurrent layer's input.
//!
//! An encoder has no memory, so that training runs it on all T·B observations of a batch of sequences at once.

mod bytes;
mod cnn;
mod config;
mod mlp;

use candle_core::{DType, Tensor};
use stpn_core::{Initializer, Parameters};
use stpn_envs::Space;

pub use bytes::ByteScaling;
use cnn::{Cnn, Filters, Image, PreparedCnn};
pub use config::{EncoderConfig, IdentityConfig, MlpConfig, NatureCnnConfig, PaperCnnConfig};
use mlp::{Mlp, PreparedMlp};

use crate::{Error, Result};

/// Convolutions of the paper's Pong agent.
const PAPER: &[Filters] = &[Filters { count: 16, size: 8, stride: 4 }, Filters { count: 32, size: 4, stride: 2 }];

/// Convolutions of Mnih et al. 2015.
const NATURE: &[Filters] = &[
    Filters { count: 32, size: 8, stride: 4 },
    Filters { count: 64, size: 4, stride: 2 },
    Filters { count: 64, size: 3, stride: 1 },
];

/// A trainable map from observations `[N, O]` to features `[N, E]`.
#[derive(Debug)]
pub struct Encoder {
    network: Network,
    bytes: ByteScaling,
    dtype: DType,
    input: usize,
    output: usize,
    parameters: Parameters,
}

#[derive(Debug)]
enum Network {
    Identity,
    Mlp(Mlp),
    Cnn(Cnn),
}

impl Encoder {
    /// A freshly initialised encoder for an observation space.
    ///
    /// # Errors
    /// [`Error::Config`] on impossible settings or an observation that the encoder cannot take.
    pub fn new(config: &EncoderConfig, observation: &Space, init: &mut Initializer<'_>) -> Result<Self> {
        config.check()?;
        let input = observation.len();
        let image = || {
            Image::of_shape(observation.shape()).ok_or_else(|| {
                let problem = format!("{} needs images [C, H, W], got {observation}", config.name());
                Error::config("policy.encoder.name", problem)
            })
        };
        let network = match config {
            EncoderConfig::Identity(_) => Network::Identity,
            EncoderConfig::Mlp(config) => Network::Mlp(Mlp::new(&config.sizes, config.activation, input, init)?),
            EncoderConfig::PaperCnn(_) => Network::Cnn(Cnn::new(PAPER, None, image()?, init)?),
            EncoderConfig::NatureCnn(config) => Network::Cnn(Cnn::new(NATURE, Some(config.features), image()?, init)?),
        };
        let (output, parameters) = match &network {
            Network::Identity => (input, Parameters::default()),
            Network::Mlp(mlp) => (mlp.output_len(), mlp.parameters().clone()),
            Network::Cnn(cnn) => (cnn.output_len(), cnn.parameters().clone()),
        };
        Ok(Self { network, bytes: config.bytes(), dtype: init.dtype(), input, output, parameters })
    }

    /// Features E of one observation.
    pub fn output_len(&self) -> usize {
        self.output
    }

    /// Trainable parameters in a fixed order; none for `identity`.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Observations `[N, O]`, bytes or floats, to features `[N, E]` in the network's dtype: differentiable in the
    /// parameters and in observations that are floats.
    ///
    /// # Errors
    /// Fails on a shape that does not fit.
    pub fn forward(&self, observations: &Tensor) -> Result<Tensor> {
        let x = self.bytes.tensor(observations, self.dtype)?;
        match &self.network {
            Network::Identity => Ok(x),
            Network::Mlp(mlp) => mlp.forward(&x),
            Network::Cnn(cnn) => cnn.forward(&x),
        }
    }

    /// The present parameters, laid out for inference.
    ///
    /// # Errors
    /// Fails where candle cannot copy them out.
    pub fn prepare(&self) -> Result<PreparedEncoder> {
        let network = match &self.network {
            Network::Identity => PreparedNetwork::Identity,
            Network::Mlp(mlp) => PreparedNetwork::Mlp(mlp.prepare()?),
            Network::Cnn(cnn) => PreparedNetwork::Cnn(cnn.prepare()?),
        };
        Ok(PreparedEncoder { network, table: self.bytes.table(), input: self.input, output: self.output })
    }
}

/// Observations in the element type their space has.
#[derive(Clone, Copy, Debug)]
pub enum ObservationRef<'a> {
    /// Numbers.
    F32(&'a [f32]),
    /// Bytes: pixels.
    U8(&'a [u8]),
}

impl ObservationRef<'_> {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::U8(bytes) => bytes.len(),
        }
    }

    /// True without elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An [`Encoder`]'s values for inference on slices, shared by all workers of a rollout.
#[derive(Clone, Debug)]
pub struct PreparedEncoder {
    network: PreparedNetwork,
    table: [f32; 256],
    input: usize,
    output: usize,
}

#[derive(Clone, Debug)]
enum PreparedNetwork {
    Identity,
    Mlp(PreparedMlp),
    Cnn(PreparedCnn),
}

impl PreparedEncoder {
    /// Features E of one observation.
    pub fn output_len(&self) -> usize {
        self.output
    }

    /// Observations `[N, O]` → features `[N, E]`; within rounding those of [`Encoder::forward`], whatever N.
    ///
    /// # Panics
    /// If `out` has not N·E elements.
    pub fn forward(&self, observations: ObservationRef<'_>, out: &mut [f32]) {
        let count = observations.len() / self.input;
        assert_eq!((count * self.input, count * self.output), (observations.len(), out.len()), "extents do not fit");
        match (observations, &self.network) {
            (ObservationRef::F32(x), PreparedNetwork::Identity) => out.copy_from_slice(x),
            (ObservationRef::U8(x), PreparedNetwork::Identity) => self.scale(x, out),
            (ObservationRef::F32(x), network) => network.forward(x, count, out),
            (ObservationRef::U8(x), network) => {
                let mut scaled = vec![0.0; x.len()];
                self.scale(x, &mut scaled);
                network.forward(&scaled, count, out);
            }
        }
    }

    fn scale(&self, bytes: &[u8], out: &mut [f32]) {
        out.iter_mut().zip(bytes).for_each(|(out, &byte)| *out = self.table[usize::from(byte)]);
    }
}

impl PreparedNetwork {
    fn forward(&self, x: &[f32], count: usize, out: &mut [f32]) {
        match self {
            Self::Identity => out.copy_from_slice(x),
            Self::Mlp(mlp) => mlp.forward(x, count, out),
            Self::Cnn(cnn) => cnn.forward(x, count, out),
        }
    }
}

#[cfg(test)]
mod tests;
