//! The network of a supervised task on a device: a trunk under one linear head.

use std::ops::Range;
use std::sync::Arc;

use stpn_core::CellConfig;
use stpn_cuda::cuda::{Buffer, Device, General};
use stpn_cuda::{EnergyOf, Extent};

use super::heads::DeviceHeads;
use super::network::{elsewhere, of_gradient};
use super::optimizer::{Layers, Optimizer};
use super::parameters::BranchParameters;
use super::trunk::{DeviceTrunk, TrunkInputs, TrunkPass};
use crate::Result;
use crate::optimizer::Adam;
use crate::policy::accelerator::{
    AdamPiece, AnswerLoss, Answers, DeviceOptimizer, EnergySteps, Kept, ParameterDevice, ReadoutDevice, Seen, Sequences,
};
use crate::policy::trunk::Trunk;

/// Such a network, whose first parameters are the trunk's, then the readout's.
#[derive(Debug)]
pub(crate) struct DeviceReadout {
    device: Device,
    general: General<f32>,
    trunk: DeviceTrunk,
    readout: DeviceHeads,
    outputs: usize,
    state_len: usize,
    hidden: usize,
    parameters_len: usize,
}

/// Sequences that are on the device, with their first states.
struct Inputs {
    extent: Extent,
    x: Buffer<f32>,
    resets: Buffer<u8>,
    start: Buffer<f32>,
}

impl Inputs {
    fn of_trunk(&self) -> TrunkInputs<'_> {
        TrunkInputs { extent: self.extent, x: &self.x, resets: &self.resets }
    }

    fn rows(&self) -> usize {
        self.extent.steps * self.extent.batch
    }
}

impl DeviceReadout {
    /// `trunk`, whose cell has these options, under a readout with so many outputs, whose parameters lie at `place`, on
    /// the device of that number.
    ///
    /// # Errors
    /// [`crate::Error::Config`] if CUDA has no kernels for a part of it; fails if the device cannot be used.
    pub fn new(trunk: &Trunk, cell: &CellConfig, place: Range<usize>, outputs: usize, index: usize) -> Result<Self> {
        let device = Device::open(index)?;
        let general = General::new(&device)?;
        let hidden = trunk.cell().hidden_size();
        Ok(Self {
            trunk: DeviceTrunk::new(&general, trunk, cell)?,
            readout: DeviceHeads::new(&general, hidden, vec![(place.clone(), outputs)])?,
            outputs,
            state_len: trunk.state_len(),
            hidden,
            parameters_len: place.end,
            device,
            general,
        })
    }

    fn upload(&self, sequences: &Sequences<'_>) -> Result<Inputs> {
        let x = match sequences.observations {
            Seen::Numbers(numbers) => self.device.upload(numbers)?,
            Seen::Bytes { bytes, factor, summand } => {
                let bytes = self.device.upload(bytes)?;
                self.general.numbers_of_bytes(&bytes, f64::from(*factor), f64::from(*summand))?
            }
        };
        Ok(Inputs {
            extent: Extent { steps: sequences.steps, batch: sequences.batch },
            x,
            resets: self.device.upload(sequences.episode_starts)?,
            start: match self.state_len {
                0 => self.device.zeros(0)?,
                _ => self.device.upload(sequences.state)?,
            },
        })
    }

    /// All outputs `[N, O]`, there, and the last `count` of them, here.
    fn read(
        &self,
        inputs: &Inputs,
        own: &BranchParameters,
        pass: &TrunkPass,
        count: usize,
    ) -> Result<(Buffer<f32>, Vec<f32>)> {
        let outputs = self.readout.forward(inputs.rows(), &own.heads, pass.hidden(inputs.of_trunk()))?;
        let last = self.device.part(&outputs, (inputs.rows() - count) * self.outputs..inputs.rows() * self.outputs)?;
        let last = self.device.download(&last)?;
        Ok((outputs, last))
    }
}

impl ParameterDevice for DeviceReadout {
    fn place(&self, parameters: &[f32]) -> Result<Kept> {
        self.divided(&self.device.upload(parameters)?)
    }

    fn read(&self, gradient: &Kept) -> Result<Vec<f32>> {
        Ok(self.device.download(of_gradient(gradient)?)?)
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

impl Layers for DeviceReadout {
    fn device(&self) -> &Device {
        &self.device
    }

    fn general(&self) -> &General<f32> {
        &self.general
    }

    fn divided(&self, all: &Buffer<f32>) -> Result<Kept> {
        Ok(Kept::new(BranchParameters {
            trunk: self.trunk.parameters(&self.device, all, 0)?,
            heads: self.readout.parameters(&self.device, all)?,
        }))
    }
}

impl ReadoutDevice for DeviceReadout {
    fn differentiate(
        &self,
        sequences: &Sequences<'_>,
        count: usize,
        parameters: &Kept,
        loss: &mut AnswerLoss<'_>,
    ) -> Result<Kept> {
        let (inputs, own) = (self.upload(sequences)?, parameters.get::<BranchParameters>().ok_or_else(elsewhere)?);
        let (of_trunk, device) = (inputs.of_trunk(), &self.device);
        let pass = self.trunk.forward(of_trunk, &own.trunk, &inputs.start, true)?;
        let (outputs, mut answers) = self.read(&inputs, own, &pass, count)?;
        // The answers are read here anyway, to count those that are right.
        loss(&mut answers);
        let mut grad_outputs = device.zeros(outputs.len())?;
        device.put(&device.upload(&answers)?, &mut grad_outputs, outputs.len() - answers.len())?;
        let mut gradient = device.zeros(self.parameters_len)?;
        let arrays = [&own.heads, pass.hidden(of_trunk), &outputs, &grad_outputs];
        let grad_hidden = self.readout.backward(device, inputs.rows(), arrays, &mut gradient)?;
        let passes = (&own.trunk, &inputs.start, &pass);
        self.trunk.backward(device, of_trunk, passes, grad_hidden, (&mut gradient, 0))?;
        Ok(Kept::new(gradient))
    }

    fn answers(
        &self,
        sequences: &Sequences<'_>,
        count: usize,
        parameters: &Kept,
        energy: Option<&EnergySteps>,
    ) -> Result<Answers> {
        let (inputs, own) = (self.upload(sequences)?, parameters.get::<BranchParameters>().ok_or_else(elsewhere)?);
        let of_trunk = inputs.of_trunk();
        let (pass, energies) = match energy {
            None => (self.trunk.forward(of_trunk, &own.trunk, &inputs.start, false)?, Vec::new()),
            Some(EnergySteps { first, every, environments, input_mask }) => {
                let mask = input_mask.as_deref();
                let measured = EnergyOf { first: *first, every: *every, batch: *environments, mask };
                self.trunk.forward_measured(&self.device, of_trunk, &own.trunk, &inputs.start, &measured)?
            }
        };
        let (_, answers) = self.read(&inputs, own, &pass, count)?;
        let energy = (energies.iter().map(|&energy| f64::from(energy)).sum(), (energies.len() / self.hidden) as u64);
        Ok(Answers { answers, energy })
    }
}
