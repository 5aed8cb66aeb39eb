//! The network of a supervised task: a cell under a linear readout.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use stpn_core::kernels::FusedKernel;
use stpn_core::{Cell, Initializer, Kernel, Parameters, StateField};
use stpn_random::{Purpose, Stream};

use super::data::Answers;
use crate::learner::Trainable;
use crate::policy::PolicyConfig;
use crate::policy::linear::Linear;
use crate::{Result, memory};

/// A cell and the linear layer that reads its activity.
#[derive(Debug)]
pub struct Network {
    cell: Box<dyn Cell>,
    readout: Linear,
    outputs: usize,
    parameters: Parameters,
    device: Device,
}

impl Network {
    /// A freshly initialised network of `input` inputs and `outputs` outputs.
    ///
    /// # Errors
    /// Fails on an impossible configuration.
    pub fn new(config: &PolicyConfig, input: usize, outputs: usize, seed: u64, dtype: DType) -> Result<Self> {
        memory::check_network(config.hidden, |hidden| {
            let small = Self::new(&PolicyConfig { hidden, ..config.clone() }, input, outputs, seed, dtype)?;
            Ok([small.parameters.count(), small.state_len()])
        })?;
        let device = Device::Cpu;
        let mut stream = Stream::new(seed, Purpose::Parameters, 0);
        let mut init = Initializer::new(&mut stream, dtype, &device);
        let cell = config.cell.build(input, config.hidden, config.kernel, &mut init)?;
        let readout = Linear::new(config.hidden, outputs, &mut init)?;
        let mut parameters = Parameters::default();
        parameters.extend("cell", cell.parameters());
        parameters.extend("readout", readout.parameters());
        Ok(Self { cell, readout, outputs, parameters, device })
    }

    /// The cell.
    pub fn cell(&self) -> &dyn Cell {
        self.cell.as_ref()
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// The cell's kernel, where it has one and is to use it.
    pub fn fused(&self) -> Option<Arc<dyn FusedKernel>> {
        self.cell.fused().filter(|_| self.cell.kernel() == Kernel::Auto)
    }

    /// Scalars of recurrent state per sequence.
    pub fn state_len(&self) -> usize {
        self.cell.state_layout().iter().map(StateField::len).sum()
    }

    /// Outputs `[A·B, O]` of the answers to sequences x `[T, B, I]` from the zero state, differentiably.
    ///
    /// # Errors
    /// Fails on shapes that do not fit.
    pub fn forward(&self, x: &[f32], steps: usize, batch: usize, answers: Answers) -> Result<Tensor> {
        let shape = (steps, batch, self.cell.input_size());
        let x = Tensor::from_slice(x, shape, &self.device)?.to_dtype(self.cell.dtype())?;
        let hidden = self.cell.sequence(&x, None, &self.cell.zero_state(batch)?)?.hidden;
        let count = answers.count(steps);
        let answered = hidden.narrow(0, steps - count, count)?.reshape((count * batch, self.cell.hidden_size()))?;
        self.readout.forward(&answered)
    }
}

impl Trainable for Network {
    /// In a fixed order: `cell.…`, `readout.weight`, `readout.bias`.
    fn parameters(&self) -> &Parameters {
        &self.parameters
    }
}
