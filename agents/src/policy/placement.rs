//! Puts a policy on a device.

#[cfg(feature = "cuda")]
use std::sync::Arc;

use super::ActorCritic;
use super::config::PolicyConfig;
#[cfg(feature = "cuda")]
use super::device::DeviceNetwork;
use crate::Result;
use crate::config::ComputeDevice;

impl ActorCritic {
    /// The policy, made from `config`, computed on `device`, its rollouts
    /// collected there at once if [`ActorCritic::rollouts`] gives something that can.
    ///
    /// # Errors
    /// [`crate::Error::NotBuilt`]; [`crate::Error::Config`] if the device has no kernels for a part of this network;
    /// fails if the device cannot be used.
    #[cfg_attr(not(feature = "cuda"), allow(unused_variables, reason = "there is nothing to make from it"))]
    pub fn on(self, device: ComputeDevice, config: &PolicyConfig) -> Result<Self> {
        device.check()?;
        match device {
            #[cfg(feature = "cuda")]
            ComputeDevice::Cuda(index) => {
                let network = DeviceNetwork::new(&self, config, index)?;
                Ok(self.accelerated(Arc::new(network)))
            }
            _ => Ok(self),
        }
    }
}
