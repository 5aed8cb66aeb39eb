//! A trunk on a device: layers of an encoder, then a recurrent layer.

use std::ops::Range;

use stpn_core::CellConfig;
use stpn_cuda::Extent;
use stpn_cuda::cuda::{Buffer, Device, Forward, General, Sequence, SequenceLayer};

use super::cells::{DeviceCell, unsupported};
use super::feedforward::Feedforward;
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
    /// Parameters and output of every layer without memory.
    feedforward: Vec<(Buffer<f32>, Buffer<f32>)>,
    cell: Option<CellPass>,
}

struct CellPass {
    parameters: Buffer<f32>,
    /// The initial state `[B, S]`.
    start: Buffer<f32>,
    forward: Forward<f32>,
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

    /// The recurrent layer, if there is nothing else.
    pub fn alone(&self) -> Option<&SequenceLayer<f32>> {
        self.cell.as_ref().filter(|_| self.feedforward.is_empty()).map(|(layer, _)| layer)
    }

    /// Activities of sequences from states `[B, S]`.
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn forward(
        &self,
        device: &Device,
        inputs: TrunkInputs<'_>,
        parameters: &[f32],
        state: &[f32],
    ) -> Result<TrunkPass> {
        let rows = inputs.extent.steps * inputs.extent.batch;
        let mut pass = TrunkPass { feedforward: Vec::with_capacity(self.feedforward.len()), cell: None };
        for (layer, place) in &self.feedforward {
            let own = device.upload(&parameters[place.clone()])?;
            let y = layer.forward(rows, &own, pass.encoded(inputs))?;
            pass.feedforward.push((own, y));
        }
        if let Some((layer, place)) = &self.cell {
            let (own, start) = (device.upload(&parameters[place.clone()])?, device.upload(state)?);
            let forward = layer.forward(pass.sequence(inputs, &own, &start), true)?;
            pass.cell = Some(CellPass { parameters: own, start, forward });
        }
        Ok(pass)
    }

    /// Writes the gradient of the packed parameters, from that of the activities.
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn backward(
        &self,
        device: &Device,
        inputs: TrunkInputs<'_>,
        pass: &TrunkPass,
        grad_hidden: Buffer<f32>,
        gradient: &mut [f32],
    ) -> Result<()> {
        let rows = inputs.extent.steps * inputs.extent.batch;
        let mut grad = grad_hidden;
        if let (Some((layer, place)), Some(cell)) = (&self.cell, &pass.cell) {
            // Nothing looks at the last state: the next sequences are others' business.
            let grad_end = device.zeros(cell.start.len())?;
            let sequence = pass.sequence(inputs, &cell.parameters, &cell.start);
            let backward = layer.backward(sequence, &cell.forward, &grad, &grad_end)?;
            gradient[place.clone()].copy_from_slice(&device.download(&backward.parameters)?);
            grad = backward.x;
        }
        for (index, ((layer, place), (own, y))) in self.feedforward.iter().zip(&pass.feedforward).enumerate().rev() {
            let x = match index {
                0 => inputs.x,
                _ => &pass.feedforward[index - 1].1,
            };
            let backward = layer.backward(rows, [own, x, y, &grad], index > 0)?;
            gradient[place.clone()].copy_from_slice(&device.download(&backward.parameters)?);
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
        self.cell.as_ref().map_or_else(|| self.encoded(inputs), |cell| &cell.forward.hidden)
    }

    /// What the last layer without memory put out so far.
    fn encoded<'a>(&'a self, inputs: TrunkInputs<'a>) -> &'a Buffer<f32> {
        self.feedforward.last().map_or(inputs.x, |(_, y)| y)
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
