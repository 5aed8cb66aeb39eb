//! Adam on a device, with the parameters that it moves.

use std::fmt::Debug;
use std::sync::Arc;

use stpn_cuda::AdamSettings;
use stpn_cuda::cuda::{Adam as DeviceAdam, Buffer, Device, General};

use super::network::of_gradient;
use crate::Result;
use crate::optimizer::{Adam, AdamConfig};
use crate::policy::accelerator::{AdamPiece, DeviceOptimizer, GradientOf, Kept, ParameterDevice};

/// Layers whose parameters lie in one array.
pub(super) trait Layers: Debug + Send + Sync {
    fn device(&self) -> &Device;

    fn general(&self) -> &General<f32>;

    /// Their parameters as they take them.
    ///
    /// # Errors
    /// Fails if the device does.
    fn divided(&self, all: &Buffer<f32>) -> Result<Kept>;
}

impl<N: Layers + 'static> ParameterDevice for N {
    fn place(&self, parameters: &[f32]) -> Result<Kept> {
        self.divided(&self.device().upload(parameters)?)
    }

    fn read(&self, gradient: &Kept) -> Result<Vec<f32>> {
        Ok(self.device().download(of_gradient(gradient)?)?)
    }

    fn optimizer(
        self: Arc<Self>,
        pieces: &[AdamPiece],
        parameters: &[f32],
        adam: &Adam,
    ) -> Result<Box<dyn DeviceOptimizer>> {
        Ok(Box::new(Optimizer::new(self, pieces, parameters, adam)?))
    }
}

/// A network's parameters under training.
#[derive(Debug)]
pub(super) struct Optimizer {
    layers: Arc<dyn Layers>,
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
    pub fn new(layers: Arc<dyn Layers>, pieces: &[AdamPiece], parameters: &[f32], adam: &Adam) -> Result<Self> {
        let pieces = pieces.iter().cloned().map(|AdamPiece { range, factor, limit }| stpn_cuda::AdamPiece {
            range,
            factor,
            limit,
        });
        let values = layers.device().upload(parameters)?;
        Ok(Self {
            pieces: pieces.collect(),
            adam: DeviceAdam::restore(layers.general(), &adam.first_moment, &adam.second_moment, adam.step)?,
            parameters: layers.divided(&values)?,
            values,
            layers,
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
                uploaded = self.layers.device().upload(values)?;
                &uploaded
            }
        };
        let norms = self.adam.step(&settings, &self.pieces, &mut self.values, gradient)?;
        self.parameters = self.layers.divided(&self.values)?;
        Ok(norms)
    }

    fn read(&self) -> Result<(Vec<f32>, Adam)> {
        let device = self.layers.device();
        let adam = Adam {
            first_moment: device.download(self.adam.first())?,
            second_moment: device.download(self.adam.second())?,
            step: self.adam.steps(),
        };
        Ok((device.download(&self.values)?, adam))
    }

    fn write(&mut self, parameters: &[f32], adam: &Adam) -> Result<()> {
        let (first, second) = (&adam.first_moment, &adam.second_moment);
        self.adam = DeviceAdam::restore(self.layers.general(), first, second, adam.step)?;
        self.values = self.layers.device().upload(parameters)?;
        self.parameters = self.layers.divided(&self.values)?;
        Ok(())
    }
}
