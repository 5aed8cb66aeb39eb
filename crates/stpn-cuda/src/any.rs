//! A layer of any cell that has kernels.

use crate::gated::Gated;
use crate::layer::Layer;

/// A layer of any cell that has kernels. All of them have packed parameters and a packed state.
#[derive(Clone, Debug, PartialEq)]
pub enum AnyLayer {
    /// With fast weights.
    Plastic(Layer),
    /// LSTM, GRU or RNN.
    Gated(Gated),
}

impl From<Layer> for AnyLayer {
    fn from(layer: Layer) -> Self {
        Self::Plastic(layer)
    }
}

impl From<Gated> for AnyLayer {
    fn from(layer: Gated) -> Self {
        Self::Gated(layer)
    }
}

impl AnyLayer {
    /// Input size I.
    pub fn input(&self) -> usize {
        match self {
            Self::Plastic(layer) => layer.input(),
            Self::Gated(layer) => layer.input,
        }
    }

    /// Units H.
    pub fn hidden(&self) -> usize {
        match self {
            Self::Plastic(layer) => layer.hidden(),
            Self::Gated(layer) => layer.hidden,
        }
    }

    /// Number of packed parameters.
    pub fn parameters(&self) -> usize {
        match self {
            Self::Plastic(layer) => layer.parameters(),
            Self::Gated(layer) => layer.parameters(),
        }
    }

    /// Length S of the packed state of one environment.
    pub fn state_len(&self) -> usize {
        match self {
            Self::Plastic(layer) => layer.state_len(),
            Self::Gated(layer) => layer.state_len(),
        }
    }
}
