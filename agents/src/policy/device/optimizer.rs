//! Adam on a device, with the parameters that it moves.

use std::sync::Arc;

use stpn_cuda::AdamSettings;
use stpn_cuda::cuda::{Adam as DeviceAdam, Buffer};

use super::network::{DeviceNetwork, of_gradient};
use crate::Result;
use crate::optimizer::{Adam, AdamConfig};
use crate::policy::accelerator::{AdamPiece, DeviceOptimizer, GradientOf, Kept};

/// A policy's parameters under training.
#[derive(Debug)]
pub(super) struct Optimizer {
    network: Arc<DeviceNetwork>,
    pieces: Vec<stpn_cuda::AdamPiece>,
    /// All parameters, packed.
    values: Buffer<f32>,
    adam: DeviceAdam<f32>,
    /// The same parameters as the layers take them.
    parameters: Kept,
}

impl Optimizer {
    /// Goes on from packed parameters and a state of Adam.
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn new(network: Arc<DeviceNetwork>, pieces: &[AdamPiece], parameters: &[f32], adam: &Adam) -> Result<Self> {
        let pieces = pieces.iter().cloned().map(|AdamPiece { range, factor, limit }| stpn_cuda::AdamPiece {
            range,
            factor,
            limit,
        });
        let values = network.device.upload(parameters)?;
        Ok(Self {
            pieces: pieces.collect(),
            adam: DeviceAdam::restore(&network.general, &adam.first_moment, &adam.second_moment, adam.step)?,
            parameters: Kept::new(network.parameters(&values)?),
            values,
            network,
        })
    }
}

impl DeviceOptimizer for Optimizer {
    fn parameters(&self) -> Kept {
        self.parameters.clone()
    }

    fn step(&mut self, config: &AdamConfig, learning_rate: f64, gradient: GradientOf<'_>) -> Result<[f64; 2]> {
        let settings = AdamSettings {
            learning_rate,
            beta1: config.beta1,
            beta2: config.beta2,
            epsilon: config.epsilon,
            max_norm: config.max_grad_norm,
        };
        let uploaded;
        let gradient = match gradient {
            GradientOf::There(kept) => of_gradient(kept)?,
            GradientOf::Here(values) => {
                uploaded = self.network.device.upload(values)?;
                &uploaded
            }
        };
        let norms = self.adam.step(&settings, &self.pieces, &mut self.values, gradient)?;
        self.parameters = Kept::new(self.network.parameters(&self.values)?);
        Ok(norms)
    }

    fn read(&self) -> Result<(Vec<f32>, Adam)> {
        let device = &self.network.device;
        let adam = Adam {
            first_moment: device.download(self.adam.first())?,
            second_moment: device.download(self.adam.second())?,
            step: self.adam.steps(),
        };
        Ok((device.download(&self.values)?, adam))
    }

    fn write(&mut self, parameters: &[f32], adam: &Adam) -> Result<()> {
        self.adam = DeviceAdam::restore(&self.network.general, &adam.first_moment, &adam.second_moment, adam.step)?;
        self.values = self.network.device.upload(parameters)?;
        self.parameters = Kept::new(self.network.parameters(&self.values)?);
        Ok(())
    }
}
