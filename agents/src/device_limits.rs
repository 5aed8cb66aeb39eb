//! What a device can do at most.

use serde::Serialize;

use crate::Result;
use crate::config::ComputeDevice;

/// Limits of a device other than the CPU.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeviceLimits {
    /// Its name.
    pub name: String,
    /// Multiply-adds of f32 per second.
    pub multiply_adds_per_second: f64,
    /// Bytes read and written per second in its memory.
    pub memory_bytes_per_second: f64,
}

impl DeviceLimits {
    /// Those of `device`; none if it is the CPU.
    ///
    /// # Errors
    /// [`crate::Error::NotBuilt`]; fails if the device cannot be used.
    pub fn of(device: ComputeDevice) -> Result<Option<Self>> {
        device.check()?;
        match device {
            #[cfg(feature = "cuda")]
            ComputeDevice::Cuda(index) => {
                let device = stpn_cuda::cuda::Device::open(index)?;
                let stpn_cuda::cuda::DeviceLimits { multiply_adds_per_second, memory_bytes_per_second } =
                    device.limits()?;
                let name = device.name().to_string();
                Ok(Some(Self { name, multiply_adds_per_second, memory_bytes_per_second }))
            }
            _ => Ok(None),
        }
    }
}
