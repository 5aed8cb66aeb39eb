//! A trunk on a device: layers of an encoder, then a recurrent layer.

use std::ops::Range;

use stpn_core::CellConfig;
use stpn_cuda::cuda::{Buffer, DenseLayer, Device, Forward, General, Sequence, SequenceLayer};
use stpn_cuda::{EnergyOf, Extent};

use super::cells::{DeviceCell, unsupported};
use super::feedforward::Feedforward;
use super::parameters::TrunkParameters;
use crate::Result;
use crate::policy::trunk::Trunk;

/// What a trunk reads that is on the device already.
#[derive(Clone, Copy, Debug)]
pub(super) struct TrunkInputs<'a> {
    pub extent: Extent,
    /// Observations as numbers, `[L, B, O]`.
    pub x: &'a Buffer<f32>,
    /// Starts of episodes, `[L, B]`.
    pub resets: &'a Buffer<u8>,
}

/// The layers of a trunk, and where their parameters lie among the trunk's.
#[derive(Debug)]
pub(super) struct DeviceTrunk {
    /// Those without memory: of the encoder, and a cell behind them.
    feedforward: Vec<(Feedforward, Range<usize>)>,
    cell: Option<(SequenceLayer<f32>, Range<usize>)>,
}

/// What a forward pass leaves for the backward pass.
pub(super) struct TrunkPass {
    /// Output of every layer without memory.
    feedforward: Vec<Buffer<f32>>,
    cell: Option<Forward<f32>>,
}

impl DeviceTrunk {
    /// The same as `trunk`, whose cell has these options.
    ///
    /// # Errors
    /// [`crate::Error::Config`] if CUDA has no kernels for its cell; fails if kernels cannot be compiled.
    pub fn new(general: &General<f32>, trunk: &Trunk, cell: &CellConfig) -> Result<Self> {
        let (encoder, hidden) = (trunk.encoder(), trunk.cell().hidden_size());
        let layers = encoder.layers();
        let mut end = 0;
        let mut place = |len: usize| {
            let start = end;
            end += len;
            start..end
        };
        let mut feedforward = Vec::new();
        let mut add = |layer: Feedforward| {
            let place = place(layer.parameters());
            feedforward.push((layer, place));
        };
        let last = layers.len().saturating_sub(1);
        for (index, layer) in layers.into_iter().enumerate() {
            // What goes on to the cell is scaled; that of an encoder without layers is when it is brought here.
            let scale = if index == last { trunk.input_scale() } else { 1.0 };
            add(Feedforward::of_encoder(general, layer, scale)?);
        }
        let (cell, state_len) = match DeviceCell::new(cell, encoder.output_len(), hidden)? {
            DeviceCell::Dense(layer) => {
                add(Feedforward::dense(general, layer)?);
                (None, 0)
            }
            DeviceCell::Sequence(layer) => {
                let (place, state_len) = (place(layer.parameters()), layer.state_len());
                (Some((SequenceLayer::new(general, layer)?, place)), state_len)
            }
        };
        // An option of a cell that the kernels do not know would otherwise go unnoticed.
        if (end, state_len) != (trunk.parameters().count(), trunk.state_len()) {
            return Err(unsupported("CUDA's kernels for this cell have other parameters or another state"));
        }
        Ok(Self { feedforward, cell })
    }

    /// The recurrent layer, if there is one.
    pub fn recurrent(&self) -> Option<&SequenceLayer<f32>> {
        self.cell.as_ref().map(|(layer, _)| layer)
    }

    /// The layers without memory, if all are dense.
    pub fn dense_layers(&self) -> Option<Vec<&DenseLayer<f32>>> {
        self.feedforward.iter().map(|(layer, _)| layer.as_dense()).collect()
    }

    /// The trunk's parameters, of which the first one is number `first` of all that are on the device.
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn parameters(&self, device: &Device, all: &Buffer<f32>, first: usize) -> Result<TrunkParameters> {
        let own = |place: &Range<usize>| Ok(device.part(all, first + place.start..first + place.end)?);
        Ok(TrunkParameters {
            feedforward: self.feedforward.iter().map(|(_, place)| own(place)).collect::<Result<_>>()?,
            cell: self.cell.as_ref().map(|(_, place)| own(place)).transpose()?,
        })
    }

    /// Activities of sequences from states `[B, S]`. With `tape`, [`DeviceTrunk::backward`] can follow.
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn forward(
        &self,
        inputs: TrunkInputs<'_>,
        parameters: &TrunkParameters,
        start: &Buffer<f32>,
        tape: bool,
    ) -> Result<TrunkPass> {
        let mut pass = self.encode(inputs, parameters)?;
        if let (Some((layer, _)), Some(own)) = (&self.cell, &parameters.cell) {
            pass.cell = Some(layer.forward(pass.sequence(inputs, own, start), tape)?);
        }
        Ok(pass)
    }

    /// [`DeviceTrunk::forward`] without a tape that also gives the energy of every unit at the measured steps of the
    /// measured environments, `[samples, B', H]`.
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn forward_measured(
        &self,
        device: &Device,
        inputs: TrunkInputs<'_>,
        parameters: &TrunkParameters,
        start: &Buffer<f32>,
        measured: &EnergyOf<'_, f32>,
    ) -> Result<(TrunkPass, Vec<f32>)> {
        let mut pass = self.encode(inputs, parameters)?;
        if let (Some((layer, _)), Some(own)) = (&self.cell, &parameters.cell) {
            let (forward, energy) = layer.forward_measured(pass.sequence(inputs, own, start), measured)?;
            pass.cell = Some(forward);
            return Ok((pass, device.download(&energy)?));
        }
        // The cell is the last of the layers without memory.
        let ([.., (layer, _)], [.., own]) = (&self.feedforward[..], &parameters.feedforward[..]) else {
            return Err(unsupported("a network without a cell has no energy"));
        };
        let Extent { steps, batch } = inputs.extent;
        let energy = device.download(&layer.energy(steps * batch, own, pass.before_last(inputs), measured.mask)?)?;
        let row = energy.len() / steps;
        let samples = energy.chunks_exact(row).skip(measured.first).step_by(measured.every);
        let energy = samples.flat_map(|row| &row[..row.len() / batch * measured.batch]).copied().collect();
        Ok((pass, energy))
    }

    /// The layers without memory.
    fn encode(&self, inputs: TrunkInputs<'_>, parameters: &TrunkParameters) -> Result<TrunkPass> {
        let rows = inputs.extent.steps * inputs.extent.batch;
        let mut pass = TrunkPass { feedforward: Vec::with_capacity(self.feedforward.len()), cell: None };
        for ((layer, _), own) in self.feedforward.iter().zip(&parameters.feedforward) {
            let y = layer.forward(rows, own, pass.encoded(inputs))?;
            pass.feedforward.push(y);
        }
        Ok(pass)
    }

    /// Puts the gradient of the trunk's parameters into that of all, where the first one is number `first`, from that
    /// of the activities.
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn backward(
        &self,
        device: &Device,
        inputs: TrunkInputs<'_>,
        (parameters, start, pass): (&TrunkParameters, &Buffer<f32>, &TrunkPass),
        grad_hidden: Buffer<f32>,
        (gradient, first): (&mut Buffer<f32>, usize),
    ) -> Result<()> {
        let rows = inputs.extent.steps * inputs.extent.batch;
        let mut grad = grad_hidden;
        if let (Some((layer, place)), Some(own), Some(forward)) = (&self.cell, &parameters.cell, &pass.cell) {
            // Nothing looks at the last state: the next sequences are others' business.
            let grad_end = device.zeros(start.len())?;
            let backward = layer.backward(pass.sequence(inputs, own, start), forward, &grad, &grad_end)?;
            device.put(&backward.parameters, gradient, first + place.start)?;
            grad = backward.x;
        }
        let layers = self.feedforward.iter().zip(&parameters.feedforward).zip(&pass.feedforward);
        for (index, (((layer, place), own), y)) in layers.enumerate().rev() {
            let x = match index {
                0 => inputs.x,
                _ => &pass.feedforward[index - 1],
            };
            let backward = layer.backward(rows, [own, x, y, &grad], index > 0)?;
            device.put(&backward.parameters, gradient, first + place.start)?;
            if let Some(x) = backward.x {
                grad = x;
            }
        }
        Ok(())
    }
}

impl TrunkPass {
    /// Activities `[N, H]`; the inputs themselves if there is no layer.
    pub fn hidden<'a>(&'a self, inputs: TrunkInputs<'a>) -> &'a Buffer<f32> {
        self.cell.as_ref().map_or_else(|| self.encoded(inputs), |forward| &forward.hidden)
    }

    /// The states after the last step, if there are any.
    pub fn end(&self) -> Option<&Buffer<f32>> {
        self.cell.as_ref().map(|forward| &forward.end)
    }

    /// The same, alone.
    pub fn into_end(self) -> Option<Buffer<f32>> {
        self.cell.map(|forward| forward.end)
    }

    /// What the last layer without memory put out so far.
    fn encoded<'a>(&'a self, inputs: TrunkInputs<'a>) -> &'a Buffer<f32> {
        self.feedforward.last().unwrap_or(inputs.x)
    }

    /// What that layer was given.
    fn before_last<'a>(&'a self, inputs: TrunkInputs<'a>) -> &'a Buffer<f32> {
        self.feedforward.iter().rev().nth(1).unwrap_or(inputs.x)
    }

    fn sequence<'a>(
        &'a self,
        inputs: TrunkInputs<'a>,
        parameters: &'a Buffer<f32>,
        start: &'a Buffer<f32>,
    ) -> Sequence<'a, f32> {
        let x = self.encoded(inputs);
        Sequence { extent: inputs.extent, parameters, x, resets: Some(inputs.resets), start }
    }
}
