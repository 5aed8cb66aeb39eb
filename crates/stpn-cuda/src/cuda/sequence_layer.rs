//! Any layer on a device: what a policy's trunk needs.

use super::device::{Buffer, CudaReal, Device};
use super::gated::GatedLayer;
use super::general::General;
use super::plastic::PlasticLayer;
use super::sequence::{Backward, Forward, Sequence};
use crate::Result;
use crate::any::AnyLayer;
use crate::energy::EnergyOf;

/// A layer of any cell that has kernels.
#[derive(Debug)]
pub enum SequenceLayer<T> {
    /// With fast weights.
    Plastic(Box<PlasticLayer<T>>),
    /// LSTM, GRU or RNN.
    Gated(Box<GatedLayer<T>>),
}

impl<T: CudaReal> SequenceLayer<T> {
    /// Compiles the kernels of that layer, or finds them in the user's cache.
    ///
    /// # Errors
    /// As [`PlasticLayer::new`] and [`GatedLayer::new`].
    pub fn new(general: &General<T>, layer: impl Into<AnyLayer>) -> Result<Self> {
        Ok(match layer.into() {
            AnyLayer::Plastic(layer) => Self::Plastic(Box::new(PlasticLayer::new(general.device(), layer)?)),
            AnyLayer::Gated(layer) => Self::Gated(Box::new(GatedLayer::new(general, layer)?)),
        })
    }

    /// The device.
    pub(super) fn device(&self) -> &Device {
        match self {
            Self::Plastic(layer) => layer.runner().device,
            Self::Gated(layer) => layer.runner().device,
        }
    }

    /// The layer.
    pub fn any(&self) -> AnyLayer {
        match self {
            Self::Plastic(layer) => layer.layer().clone().into(),
            Self::Gated(layer) => layer.layer().clone().into(),
        }
    }

    /// A sequence forward; with `tape`, [`SequenceLayer::backward`] can follow.
    ///
    /// # Errors
    /// As [`PlasticLayer::forward`].
    pub fn forward(&self, sequence: Sequence<'_, T>, tape: bool) -> Result<Forward<T>> {
        match self {
            Self::Plastic(layer) => layer.forward(sequence, tape),
            Self::Gated(layer) => layer.forward(sequence, tape),
        }
    }

    /// A sequence forward without tape, and the energy `[samples, B', H]` of every unit where `energy` says: Σ |G| z²
    /// over its synapses, as in a rollout. Returns before the work is done.
    ///
    /// # Errors
    /// As [`PlasticLayer::forward_measured`].
    pub fn forward_measured(
        &self,
        sequence: Sequence<'_, T>,
        energy: &EnergyOf<'_, T>,
    ) -> Result<(Forward<T>, Buffer<T>)> {
        match self {
            Self::Plastic(layer) => layer.forward_measured(sequence, energy),
            Self::Gated(layer) => layer.forward_measured(sequence, energy),
        }
    }

    /// The exact backward pass of that forward pass.
    ///
    /// # Errors
    /// As [`PlasticLayer::backward`].
    pub fn backward(
        &self,
        sequence: Sequence<'_, T>,
        forward: &Forward<T>,
        grad_hidden: &Buffer<T>,
        grad_end: &Buffer<T>,
    ) -> Result<Backward<T>> {
        match self {
            Self::Plastic(layer) => layer.backward(sequence, forward, grad_hidden, grad_end),
            Self::Gated(layer) => layer.backward(sequence, forward, grad_hidden, grad_end),
        }
    }
}
