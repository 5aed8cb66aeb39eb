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

/// What a forward pass leaves for the backward pass.
pub(super) struct HeadsPass {
    parameters: Buffer<f32>,
    y: Buffer<f32>,
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

    /// Outputs of all heads, `[N, outputs]`, and what the backward pass needs.
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn forward(
        &self,
        device: &Device,
        rows: usize,
        hidden: &Buffer<f32>,
        parameters: &[f32],
    ) -> Result<(Vec<f32>, HeadsPass)> {
        let own = device.upload(&self.joined(parameters))?;
        let y = self.layer.forward(rows, &own, hidden)?;
        Ok((device.download(&y)?, HeadsPass { parameters: own, y }))
    }

    /// Writes the gradient of the heads' parameters from that of their outputs; returns that of the activities.
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn backward(
        &self,
        device: &Device,
        rows: usize,
        hidden: &Buffer<f32>,
        pass: &HeadsPass,
        (grad_outputs, gradient): (&[f32], &mut [f32]),
    ) -> Result<Buffer<f32>> {
        self.back(device, rows, (&pass.parameters, hidden, &pass.y), &device.upload(grad_outputs)?, gradient)
    }

    /// [`DeviceHeads::backward`] from what is on the device: parameters, activities, outputs and the gradient of those.
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn back(
        &self,
        device: &Device,
        rows: usize,
        (parameters, hidden, y): (&Buffer<f32>, &Buffer<f32>, &Buffer<f32>),
        grad_y: &Buffer<f32>,
        gradient: &mut [f32],
    ) -> Result<Buffer<f32>> {
        let backward = self.layer.backward(rows, [parameters, hidden, y, grad_y], true)?;
        self.split(&device.download(&backward.parameters)?, gradient);
        let missing = || stpn_cuda::Error::Length { what: "gradient of x", expected: hidden.len(), got: 0 };
        Ok(backward.x.ok_or_else(missing)?)
    }

    /// The heads' parameters as those of one layer: all weights, then all biases.
    pub fn joined(&self, parameters: &[f32]) -> Vec<f32> {
        let halves =
            self.parts.iter().map(|(place, outputs)| parameters[place.clone()].split_at(place.len() - outputs));
        let (weights, biases): (Vec<&[f32]>, Vec<&[f32]>) = halves.unzip();
        [weights.concat(), biases.concat()].concat()
    }

    /// Writes the gradient of that layer's parameters to the heads' places.
    fn split(&self, joined: &[f32], gradient: &mut [f32]) {
        let outputs: usize = self.parts.iter().map(|(_, outputs)| outputs).sum();
        let (mut weights, mut biases) = joined.split_at(joined.len() - outputs);
        for (place, outputs) in &self.parts {
            let (of_weights, of_biases) = gradient[place.clone()].split_at_mut(place.len() - outputs);
            for (to, from) in [(of_weights, &mut weights), (of_biases, &mut biases)] {
                let (own, rest) = from.split_at(to.len());
                to.copy_from_slice(own);
                *from = rest;
            }
        }
    }
}
