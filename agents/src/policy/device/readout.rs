//! The network of a supervised task on a device: a trunk under one linear head.

use std::ops::Range;

use stpn_core::CellConfig;
use stpn_cuda::cuda::{Buffer, Device, General};
use stpn_cuda::{EnergyOf, Extent};

use super::heads::DeviceHeads;
use super::network::elsewhere;
use super::optimizer::Layers;
use super::parameters::BranchParameters;
use super::trunk::{DeviceTrunk, TrunkInputs, TrunkPass};
use crate::Result;
use crate::policy::accelerator::{AnswerLoss, Answers, EnergySteps, Kept, ReadoutDevice, Seen, Sequences};
use crate::policy::trunk::Trunk;

/// Such a network, whose first parameters are the trunk's, then the readout's.
#[derive(Debug)]
pub(crate) struct DeviceReadout {
    device: Device,
    general: General<f32>,
    trunk: DeviceTrunk,
    readout: DeviceHeads,
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

    /// Activities `[count, H]` of the last `count` steps of sequences, and their outputs `[count, O]`.
    fn answer(
        &self,
        inputs: &Inputs,
        own: &BranchParameters,
        pass: &TrunkPass,
        count: usize,
    ) -> Result<[Buffer<f32>; 2]> {
        let rows = inputs.rows();
        let all = pass.hidden(inputs.of_trunk());
        let hidden = self.device.part(all, (rows - count) * self.hidden..rows * self.hidden)?;
        let outputs = self.readout.forward(count, &own.heads, &hidden)?;
        Ok([hidden, outputs])
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
        let [hidden, outputs] = self.answer(&inputs, own, &pass, count)?;
        // They come here anyway, to count those that are right.
        let mut answers = device.download(&outputs)?;
        loss(&mut answers);
        let mut gradient = device.zeros(self.parameters_len)?;
        let arrays = [&own.heads, &hidden, &outputs, &device.upload(&answers)?];
        let of_answers = self.readout.backward(device, count, arrays, &mut gradient)?;
        let mut grad_hidden = device.zeros(inputs.rows() * self.hidden)?;
        device.put(&of_answers, &mut grad_hidden, (inputs.rows() - count) * self.hidden)?;
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
        let [_, outputs] = self.answer(&inputs, own, &pass, count)?;
        let answers = self.device.download(&outputs)?;
        let energy = (energies.iter().map(|&energy| f64::from(energy)).sum(), (energies.len() / self.hidden) as u64);
        Ok(Answers { answers, energy })
    }
}
