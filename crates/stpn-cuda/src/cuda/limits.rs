//! What a device can do at most.

use cudarc::driver::sys::CUdevice_attribute as Attribute;

use super::device::{Device, failed};
use crate::Result;

/// Limits of a device, computed from its numbers of units and its highest clocks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeviceLimits {
    /// Multiply-adds of f32 per second.
    pub multiply_adds_per_second: f64,
    /// Bytes read and written per second in its memory.
    pub memory_bytes_per_second: f64,
}

/// Multiply-adds of f32 that a multiprocessor of that generation begins in a clock, by NVIDIA's programming guide.
fn lanes((major, minor): (i32, i32)) -> u32 {
    match (major, minor) {
        (7, _) | (8, 0) => 64,
        _ => 128,
    }
}

impl Device {
    /// Its limits.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device).
    pub fn limits(&self) -> Result<DeviceLimits> {
        let fail = |error| failed("asking for the device's limits", error);
        let attribute = |attribute| self.context.attribute(attribute).map(f64::from).map_err(fail);
        let generation = self.context.compute_capability().map_err(fail)?;
        let units = attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)? * f64::from(lanes(generation));
        // Clocks are in kHz; memory gives data twice in a clock.
        let clock = 1e3 * attribute(Attribute::CU_DEVICE_ATTRIBUTE_CLOCK_RATE)?;
        let memory_clock = 1e3 * attribute(Attribute::CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE)?;
        let bytes = attribute(Attribute::CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH)? / 8.0;
        Ok(DeviceLimits {
            multiply_adds_per_second: units * clock,
            memory_bytes_per_second: 2.0 * memory_clock * bytes,
        })
    }
}
