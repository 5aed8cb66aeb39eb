//! Encoders of rollouts that the tests share.

use stpn_cuda::rollout::EncoderLayer;
use stpn_cuda::{Dense, Nonlinearity};

use super::Numbers;
use super::rollout::single;

/// Layers with their parameters.
pub struct OwnEncoder<T>(pub Vec<(Dense, Vec<T>)>);

impl OwnEncoder<f64> {
    /// Two layers between `shown` and `input` numbers, with more units in the middle than a warp has threads.
    pub fn new(shown: usize, input: usize) -> Self {
        let mut numbers = Numbers::new(113);
        let layers = [
            Dense::new(shown, 40, Nonlinearity::Relu),
            Dense { scale: 2.5, ..Dense::new(40, input, Nonlinearity::Tanh) },
        ];
        Self(layers.map(|layer| (layer, numbers.vec(layer.parameters(), 0.5))).into())
    }

    /// The same in single precision.
    pub fn single(self) -> OwnEncoder<f32> {
        OwnEncoder(self.0.into_iter().map(|(layer, parameters)| (layer, single(parameters))).collect())
    }
}

impl<T> OwnEncoder<T> {
    pub fn layers(&self) -> Vec<EncoderLayer<'_, [T]>> {
        self.0.iter().map(|(dense, parameters)| EncoderLayer { dense: *dense, parameters: &parameters[..] }).collect()
    }
}
