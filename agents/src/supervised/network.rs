//! The network of a supervised task: an agent's trunk under a linear readout.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use stpn_core::kernels::linear::LinearLayer;
use stpn_core::{Cell, Initializer, Parameters};
use stpn_envs::Space;
use stpn_random::{Purpose, Stream};

use super::config::NetworkConfig;
use crate::config::ComputeDevice;
use crate::learner::Trainable;
use crate::policy::Inputs;
use crate::policy::accelerator::{ParameterDevice, ReadoutDevice};
#[cfg(feature = "cuda")]
use crate::policy::device::DeviceReadout;
use crate::policy::initialization::{Initialization, Role};
use crate::policy::linear::Linear;
use crate::policy::trunk::{PreparedTrunk, Trunk};
use crate::{Result, memory};

/// A trunk and the linear layer that reads its activity.
#[derive(Debug)]
pub struct Network {
    trunk: Arc<Trunk>,
    readout: Linear,
    outputs: usize,
    parameters: Parameters,
    accelerator: Option<Arc<dyn ReadoutDevice>>,
}

impl Network {
    /// A freshly initialised network for such inputs.
    ///
    /// # Errors
    /// Fails on an impossible configuration, and if the encoder cannot take the inputs.
    pub fn new(config: &NetworkConfig, inputs: &Space, outputs: usize, seed: u64, dtype: DType) -> Result<Self> {
        memory::check_network(config.hidden, |hidden| {
            let small = Self::new(&NetworkConfig { hidden, ..config.clone() }, inputs, outputs, seed, dtype)?;
            Ok([small.parameters.count(), small.trunk.state_len()])
        })?;
        let mut stream = Stream::new(seed, Purpose::Parameters, 0);
        let mut init = Initializer::new(&mut stream, dtype, &Device::Cpu);
        let trunk = Trunk::new(config.trunk(), inputs, &mut init)?;
        let readout = Linear::new([config.hidden, outputs], Role::Output, Initialization::Uniform, &mut init)?;
        let mut parameters = Parameters::default();
        parameters.append(trunk.parameters());
        parameters.extend("readout", readout.parameters());
        Ok(Self { trunk: Arc::new(trunk), readout, outputs, parameters, accelerator: None })
    }

    /// The network, made from `config`, computed on `device`.
    ///
    /// # Errors
    /// [`crate::Error::NotBuilt`]; [`crate::Error::Config`] if the device has no kernels for a part of this network;
    /// fails if the device cannot be used.
    #[cfg_attr(not(feature = "cuda"), allow(unused_variables, reason = "there is nothing to make from it"))]
    pub fn on(self, device: ComputeDevice, config: &NetworkConfig) -> Result<Self> {
        device.check()?;
        match device {
            #[cfg(feature = "cuda")]
            ComputeDevice::Cuda(index) => {
                let readout = self.trunk.parameters().count()..self.parameters.count();
                let network = DeviceReadout::new(&self.trunk, &config.cell, readout, self.outputs, index)?;
                Ok(Self { accelerator: Some(Arc::new(network)), ..self })
            }
            _ => Ok(self),
        }
    }

    /// What computes it in place of the CPU.
    pub(super) fn accelerator(&self) -> Option<&Arc<dyn ReadoutDevice>> {
        self.accelerator.as_ref()
    }

    /// Scalars of recurrent state of a sequence.
    pub(super) fn state_len(&self) -> usize {
        self.trunk.state_len()
    }

    /// The recurrent layer.
    pub fn cell(&self) -> &dyn Cell {
        self.trunk.cell()
    }

    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Whether sequences run on slices and not as graphs.
    pub(super) fn is_fused(&self) -> bool {
        self.trunk.fused().is_some()
    }

    /// Lays out `packed` values of all parameters, which must be those of the variables too.
    pub(super) fn prepare(&self, packed: &[f32]) -> PreparedNetwork {
        let (of_trunk, of_readout) = packed.split_at(self.trunk.parameters().count());
        PreparedNetwork {
            trunk: self.trunk.prepare(of_trunk),
            readout: LinearLayer::new(of_readout, self.outputs),
            outputs: self.outputs,
            units: self.cell().hidden_size(),
            state: self.trunk.state_len(),
            of_trunk: of_trunk.len(),
        }
    }

    /// Outputs `[A·B, O]` of the last `answers` of sequences from the zero state, in candle operations, differentiably:
    /// the reference of training, which runs on slices.
    ///
    /// # Errors
    /// Fails on shapes that do not fit.
    pub fn forward(&self, inputs: &Inputs<'_>, answers: usize) -> Result<Tensor> {
        let hidden = self.trunk.forward(inputs, &vec![0.0; inputs.batch * self.trunk.state_len()])?;
        let count = answers * inputs.batch;
        self.readout.forward(&hidden.narrow(0, inputs.steps * inputs.batch - count, count)?)
    }
}

impl Trainable for Network {
    /// In a fixed order: `encoder.…`, `cell.…`, `readout.weight`, `readout.bias`.
    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn device(&self) -> Option<Arc<dyn ParameterDevice>> {
        self.accelerator.as_ref().map(|accelerator| Arc::clone(accelerator) as Arc<dyn ParameterDevice>)
    }
}

/// A network with its parameters in place, shared by all threads.
pub(super) struct PreparedNetwork {
    pub trunk: PreparedTrunk<f32>,
    readout: LinearLayer<f32>,
    outputs: usize,
    units: usize,
    /// Scalars of recurrent state per sequence.
    state: usize,
    /// Parameters of the trunk, which come first.
    of_trunk: usize,
}

impl PreparedNetwork {
    /// Activities `[T·B, H]` of sequences from the zero state.
    ///
    /// # Errors
    /// Fails on shapes that do not fit.
    pub fn activities(&self, inputs: &Inputs<'_>) -> Result<Vec<f32>> {
        self.trunk.activities(inputs, &self.zeros(inputs))
    }

    /// Outputs `[count, O]` from the last `count` rows of activities.
    pub fn answers(&self, hidden: &[f32], count: usize) -> Vec<f32> {
        let mut answers = vec![0.0; count * self.outputs];
        self.readout.forward(&hidden[hidden.len() - count * self.units..], &mut answers, self.outputs);
        answers
    }

    /// Runs sequences from the zero state and writes the gradient of a loss of the last `count` answers in all
    /// parameters, packed. `loss` writes its gradient in the answers `[count, O]` over them.
    ///
    /// # Errors
    /// Fails on shapes that do not fit, and where candle does.
    pub fn differentiate<R>(
        &self,
        inputs: &Inputs<'_>,
        count: usize,
        gradient: &mut [f32],
        loss: impl FnOnce(&mut [f32]) -> R,
    ) -> Result<R> {
        let pass = self.trunk.pass(inputs, &self.zeros(inputs))?;
        let mut answers = self.answers(&pass.hidden, count);
        let result = loss(&mut answers);
        let first = pass.hidden.len() - count * self.units;
        let mut to_hidden = vec![0.0; pass.hidden.len()];
        let (to_trunk, to_readout) = gradient.split_at_mut(self.of_trunk);
        self.readout.backward(&pass.hidden[first..], &answers, self.outputs, &mut to_hidden[first..], to_readout);
        self.trunk.backward(inputs, &pass, &to_hidden, to_trunk)?;
        Ok(result)
    }

    fn zeros(&self, inputs: &Inputs<'_>) -> Vec<f32> {
        vec![0.0; inputs.batch * self.state]
    }
}
