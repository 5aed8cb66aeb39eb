//! Puts a policy's gradients on a device.

#[cfg(feature = "cuda")]
use std::sync::Arc;

use super::ActorCritic;
use super::config::PolicyConfig;
#[cfg(feature = "cuda")]
use super::device::DeviceNetwork;
use crate::Result;
use crate::config::ComputeDevice;

impl ActorCritic {
    /// The policy, made from `config`, with its gradients computed on `device`. Rollouts stay on the CPU.
    ///
    /// # Errors
    /// [`crate::Error::Config`] if this program has no CUDA, or CUDA has no kernels for a part of this network; fails if
    /// the device cannot be used.
    #[cfg(feature = "cuda")]
    pub fn on(self, device: ComputeDevice, config: &PolicyConfig) -> Result<Self> {
        let ComputeDevice::Cuda(index) = device else { return Ok(self) };
        let network = DeviceNetwork::new(&self, config, index)?;
        Ok(Self { accelerator: Some(Arc::new(network)), ..self })
    }

    /// The policy, made from `config`, with its gradients computed on `device`. Rollouts stay on the CPU.
    ///
    /// # Errors
    /// [`crate::Error::Config`] for a device other than the CPU, since this program has no CUDA.
    #[cfg(not(feature = "cuda"))]
    pub fn on(self, device: ComputeDevice, _: &PolicyConfig) -> Result<Self> {
        match device {
            ComputeDevice::Cpu => Ok(self),
            ComputeDevice::Cuda(_) => {
                let problem = "\"cuda\" is not in this program: build it with cargo's `--features cuda`, or leave this at \
                               \"cpu\"";
                Err(crate::Error::config("training.device", problem))
            }
        }
    }
}
