//! Stepping a cell that has no fused kernel, in candle operations.

use candle_core::{DType, Device, Tensor};
use stpn_core::{Cell, State};

use crate::Result;

/// The state of a batch under inference, stepped by [`Cell::step`].
pub(super) struct ComposedStepper<'p> {
    cell: &'p dyn Cell,
    device: Device,
    state: State,
}

impl<'p> ComposedStepper<'p> {
    pub(super) fn new(cell: &'p dyn Cell, batch: usize) -> Result<Self> {
        let device = cell.parameters().iter().next().map_or(Device::Cpu, |(_, var)| var.device().clone());
        Ok(Self { cell, device, state: cell.zero_state(batch)? })
    }

    pub(super) fn load(&mut self, state: &[f32]) -> Result<()> {
        let (batch, layout) = (self.state.batch(), self.cell.state_layout());
        if !layout.is_empty() {
            let packed = Tensor::from_slice(state, (batch, state.len() / batch), &self.device)?;
            self.state = State::unpacked(layout, &packed.to_dtype(self.cell.dtype())?)?;
        }
        Ok(())
    }

    pub(super) fn store(&self, state: &mut [f32]) -> Result<()> {
        if !self.cell.state_layout().is_empty() {
            let packed = self.state.packed()?.to_dtype(DType::F32)?.flatten_all()?;
            state.copy_from_slice(&packed.to_vec1::<f32>()?);
        }
        Ok(())
    }

    pub(super) fn step(
        &mut self,
        x: &[f32],
        resets: &[u8],
        hidden: &mut [f32],
        energy: Option<&mut Vec<f32>>,
        energy_mask: Option<&[f32]>,
    ) -> Result<()> {
        let batch = self.state.batch();
        if resets.contains(&1) {
            self.state = self.state.reset(&Tensor::new(resets, &self.device)?)?;
        }
        let x = Tensor::from_slice(x, (batch, self.cell.input_size()), &self.device)?.to_dtype(self.cell.dtype())?;
        if let Some(energy) = energy {
            let mask = match energy_mask {
                Some(mask) => Some(Tensor::new(mask, &self.device)?.to_dtype(self.cell.dtype())?),
                None => None,
            };
            let units = self.cell.energy_per_unit(&x, &self.state, mask.as_ref())?;
            *energy = units.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        }
        let step = self.cell.step(&x, &self.state)?;
        self.state = step.state.detach();
        hidden.copy_from_slice(&step.hidden.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?);
        Ok(())
    }
}
