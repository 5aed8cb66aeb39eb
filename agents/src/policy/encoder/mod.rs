//! Encoders: from an environment's observations to the recurrent layer's input.
//!
//! An encoder has no memory, so that training runs it on all T·B observations of a batch of sequences at once.

mod bytes;
mod cnn;
mod config;
#[cfg(feature = "cuda")]
mod layer;
mod mlp;
mod numbering;
mod observation;
mod one_hot;

use candle_core::{DType, Tensor};
use stpn_core::kernels::Real;
use stpn_core::kernels::convolution::{Filters, Pixels};
use stpn_core::{Initializer, Parameters};
use stpn_envs::Space;

pub use bytes::ByteScaling;
use cnn::{Cnn, CnnTape, PreparedCnn, image_of_shape};
pub use config::{EncoderConfig, IdentityConfig, MlpConfig, NatureCnnConfig, PaperCnnConfig};
#[cfg(feature = "cuda")]
pub(super) use layer::EncoderLayer;
use mlp::{Mlp, PreparedMlp};
pub(super) use numbering::Numbering;
pub use observation::ObservationRef;
use one_hot::OneHot;

use super::initialization::Initialization;
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
    one_hot: Option<OneHot>,
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
    pub fn new(
        config: &EncoderConfig,
        observation: &Space,
        initialization: Initialization,
        init: &mut Initializer<'_>,
    ) -> Result<Self> {
        config.check()?;
        config.check_memory(observation.len())?;
        let (input, numbers) = (observation.len(), observation.features());
        let image = || {
            image_of_shape(observation.shape()).ok_or_else(|| {
                let problem = format!("{} needs images [C, H, W], got {observation}", config.name());
                Error::config("policy.encoder.name", problem)
            })
        };
        let network = match config {
            EncoderConfig::Identity(_) => Network::Identity,
            EncoderConfig::Mlp(config) => {
                Network::Mlp(Mlp::new(&config.sizes, config.activation, numbers, initialization, init)?)
            }
            EncoderConfig::PaperCnn(_) => Network::Cnn(Cnn::new(PAPER, None, image()?, initialization, init)?),
            EncoderConfig::NatureCnn(config) => {
                Network::Cnn(Cnn::new(NATURE, Some(config.features), image()?, initialization, init)?)
            }
        };
        let (output, parameters) = match &network {
            Network::Identity => (numbers, Parameters::default()),
            Network::Mlp(mlp) => (mlp.output_len(), mlp.parameters().clone()),
            Network::Cnn(cnn) => (cnn.output_len(), cnn.parameters().clone()),
        };
        let one_hot = OneHot::of(observation);
        Ok(Self { network, bytes: config.bytes(), one_hot, dtype: init.dtype(), input, output, parameters })
    }

    /// Features E of one observation.
    pub fn output_len(&self) -> usize {
        self.output
    }

    /// True if features are the observations themselves, or bytes and choices as numbers.
    pub fn is_identity(&self) -> bool {
        matches!(self.network, Network::Identity)
    }

    /// Its layers, in the order of their parameters.
    #[cfg(feature = "cuda")]
    pub(super) fn layers(&self) -> Vec<EncoderLayer> {
        match &self.network {
            Network::Identity => Vec::new(),
            Network::Mlp(mlp) => mlp.shapes().map(|shape| EncoderLayer::Dense(shape, mlp.activation())).collect(),
            Network::Cnn(cnn) => cnn.layers(),
        }
    }

    /// Trainable parameters in a fixed order; none for `identity`.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Observations `[N, O]`, bytes or floats, to features `[N, E]` in the network's dtype: differentiable in the
    /// parameters and in observations that are floats. Convolutions run on their own kernel on the CPU.
    ///
    /// # Errors
    /// Fails on a shape that does not fit.
    pub fn forward(&self, observations: &Tensor) -> Result<Tensor> {
        let x = self.numbers(observations)?;
        match &self.network {
            Network::Identity => Ok(x),
            Network::Mlp(mlp) => mlp.forward(&x),
            Network::Cnn(cnn) => cnn.forward(&x),
        }
    }

    /// [`Encoder::forward`] in candle operations alone: the reference of the other paths.
    ///
    /// # Errors
    /// Fails on a shape that does not fit.
    pub fn forward_composed(&self, observations: &Tensor) -> Result<Tensor> {
        match &self.network {
            Network::Cnn(cnn) => cnn.forward_composed(&self.numbers(observations)?),
            _ => self.forward(observations),
        }
    }

    /// Observations as the network takes them.
    fn numbers(&self, observations: &Tensor) -> Result<Tensor> {
        match &self.one_hot {
            Some(one_hot) => one_hot.tensor(observations, self.dtype),
            None => self.bytes.tensor(observations, self.dtype),
        }
    }

    /// Lays out the variables' present values for work on slices.
    ///
    /// # Errors
    /// Fails if candle cannot copy them out.
    pub fn prepare<T: Real>(&self) -> Result<PreparedEncoder<T>> {
        match self.is_identity() {
            true => Ok(self.prepare_from(&[])),
            false => Ok(self.prepare_from(&self.parameters.packed()?.to_dtype(T::DTYPE)?.to_vec1::<T>()?)),
        }
    }

    /// Lays out `packed` values of all parameters, in their order.
    pub fn prepare_from<T: Real>(&self, packed: &[T]) -> PreparedEncoder<T> {
        let network = match &self.network {
            Network::Identity => PreparedNetwork::Identity,
            Network::Mlp(mlp) => PreparedNetwork::Mlp(mlp.prepare(packed)),
            Network::Cnn(cnn) => PreparedNetwork::Cnn(cnn.prepare(packed)),
        };
        PreparedEncoder { network, numbers: self.numbering(), input: self.input, output: self.output }
    }

    /// How observations become numbers, in work on slices.
    pub(super) fn numbering<T: Real>(&self) -> Numbering<T> {
        let (factor, summand) = self.bytes.affine();
        Numbering { factor: T::of(factor), summand: T::of(summand), one_hot: self.one_hot.clone() }
    }
}

/// An [`Encoder`] with its values in place, for rollouts and training on slices; shared by all threads.
///
/// The features of an observation are those of [`Encoder::forward`] within rounding, whatever it comes with.
#[derive(Debug)]
pub struct PreparedEncoder<T: Real = f32> {
    network: PreparedNetwork<T>,
    numbers: Numbering<T>,
    input: usize,
    output: usize,
}

#[derive(Debug)]
enum PreparedNetwork<T: Real> {
    Identity,
    Mlp(PreparedMlp<T>),
    Cnn(PreparedCnn<T>),
}

/// What a forward pass keeps for its backward pass.
#[derive(Debug)]
pub struct EncoderTape<T: Real>(Kept<T>);

#[derive(Debug)]
enum Kept<T: Real> {
    Nothing,
    Mlp(Vec<Vec<T>>),
    Cnn(CnnTape<T>),
}

impl<T: Real> PreparedEncoder<T> {
    /// Features E of one observation.
    pub fn output_len(&self) -> usize {
        self.output
    }

    /// Observations `[N, O]` → features `[N, E]`.
    ///
    /// # Panics
    /// If `out` has not N·E elements.
    pub fn forward(&self, observations: ObservationRef<'_>, out: &mut [T]) {
        self.run(observations, out, false);
    }

    /// [`PreparedEncoder::forward`] that keeps what [`PreparedEncoder::backward`] needs.
    ///
    /// # Panics
    /// If `out` has not N·E elements.
    pub fn forward_taped(&self, observations: ObservationRef<'_>, out: &mut [T]) -> EncoderTape<T> {
        EncoderTape(self.run(observations, out, true))
    }

    fn run(&self, observations: ObservationRef<'_>, out: &mut [T], tape: bool) -> Kept<T> {
        let count = observations.len() / self.input;
        assert_eq!((count * self.input, count * self.output), (observations.len(), out.len()), "extents do not fit");
        match &self.network {
            PreparedNetwork::Identity => {
                match (observations, &self.numbers.one_hot) {
                    (ObservationRef::F32(x), Some(one_hot)) => one_hot.spread(x, out),
                    (ObservationRef::F32(x), None) => {
                        out.iter_mut().zip(x).for_each(|(out, &x)| *out = T::of(f64::from(x)))
                    }
                    (ObservationRef::U8(x), _) => {
                        out.iter_mut().zip(x).for_each(|(out, &x)| *out = self.numbers.number(x))
                    }
                }
                Kept::Nothing
            }
            PreparedNetwork::Mlp(mlp) => Kept::Mlp(mlp.forward(&self.numbers.of(observations), count, out)),
            PreparedNetwork::Cnn(cnn) => {
                let kept = self.pixels(observations, |pixels| cnn.forward(pixels, count, out, tape));
                kept.map_or(Kept::Nothing, Kept::Cnn)
            }
        }
    }

    /// Writes the gradient of the packed parameters, from the features that `observations` led to and the gradient of
    /// these, both `[N, E]`.
    ///
    /// # Panics
    /// If the extents do not fit or the tape is not that of the forward pass.
    pub fn backward(
        &self,
        observations: ObservationRef<'_>,
        features: &[T],
        tape: &EncoderTape<T>,
        grad_features: &[T],
        grad_packed: &mut [T],
    ) {
        match (&self.network, &tape.0) {
            (PreparedNetwork::Identity, _) => {}
            (PreparedNetwork::Mlp(mlp), Kept::Mlp(inner)) => {
                mlp.backward(&self.numbers.of(observations), inner, features, grad_features, grad_packed);
            }
            (PreparedNetwork::Cnn(cnn), Kept::Cnn(tape)) => {
                self.pixels(observations, |pixels| cnn.backward(pixels, features, tape, grad_features, grad_packed));
            }
            _ => panic!("the tape is of another encoder"),
        }
    }

    fn pixels<R>(&self, observations: ObservationRef<'_>, act: impl FnOnce(Pixels<'_, T>) -> R) -> R {
        match observations {
            ObservationRef::F32(values) => act(Pixels::Values(&T::from_single(values))),
            ObservationRef::U8(bytes) => {
                let Numbering { factor, summand, .. } = self.numbers;
                act(Pixels::Bytes { bytes, factor, summand })
            }
        }
    }
}

#[cfg(test)]
mod tests;
