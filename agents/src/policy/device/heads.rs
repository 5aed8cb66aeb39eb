//! The heads that read one trunk, on a device: one product for all of them.

use std::ops::Range;

use stpn_cuda::cuda::{Buffer, DenseLayer, Device, General};
use stpn_cuda::{Dense, Nonlinearity};

use crate::Result;

/// One or two heads over the same activities.
#[derive(Debug)]
pub(super) struct DeviceHeads {
    layer: DenseLayer<f32>,
    /// Where each head's parameters lie among all, weights first, and how many outputs it has.
    parts: Vec<(Range<usize>, usize)>,
}

impl DeviceHeads {
    /// Heads over activities of `hidden` units.
    ///
    /// # Errors
    /// Fails without units or outputs.
    pub fn new(general: &General<f32>, hidden: usize, parts: Vec<(Range<usize>, usize)>) -> Result<Self> {
        let output = parts.iter().map(|(_, outputs)| outputs).sum();
        let layer = DenseLayer::new(general, Dense::new(hidden, output, Nonlinearity::Linear))?;
        Ok(Self { layer, parts })
    }

    /// Outputs of all heads, `[N, outputs]`.
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn forward(&self, rows: usize, parameters: &Buffer<f32>, hidden: &Buffer<f32>) -> Result<Buffer<f32>> {
        Ok(self.layer.forward(rows, parameters, hidden)?)
    }

    /// Puts the gradient of the heads' parameters into that of all, from parameters, activities, outputs and the
    /// gradient of those; returns that of the activities.
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn backward(
        &self,
        device: &Device,
        rows: usize,
        [parameters, hidden, y, grad_y]: [&Buffer<f32>; 4],
        gradient: &mut Buffer<f32>,
    ) -> Result<Buffer<f32>> {
        let backward = self.layer.backward(rows, [parameters, hidden, y, grad_y], true)?;
        for (joined, place) in self.halves() {
            let half = device.part(&backward.parameters, joined)?;
            device.put(&half, gradient, place.start)?;
        }
        let missing = || stpn_cuda::Error::Length { what: "gradient of x", expected: hidden.len(), got: 0 };
        Ok(backward.x.ok_or_else(missing)?)
    }

    /// The heads' parameters as those of one layer, from all that are on the device.
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn parameters(&self, device: &Device, all: &Buffer<f32>) -> Result<Buffer<f32>> {
        let mut joined = device.zeros(self.layer.layer().parameters())?;
        for (to, place) in self.halves() {
            device.put(&device.part(all, place)?, &mut joined, to.start)?;
        }
        Ok(joined)
    }

    /// Where each head's weights and biases lie: among those of one layer, which has all weights first, and among all
    /// parameters.
    fn halves(&self) -> Vec<(Range<usize>, Range<usize>)> {
        let weights = self.parts.iter().map(|(place, outputs)| place.start..place.end - outputs);
        let biases = self.parts.iter().map(|(place, outputs)| place.end - outputs..place.end);
        let mut end = 0;
        let joined = |place: Range<usize>| {
            let start = end;
            end += place.len();
            (start..end, place)
        };
        weights.chain(biases).map(joined).collect()
    }
}
