//! Kernels that are the same for all layers.

use std::marker::PhantomData;
use std::sync::Arc;

use super::device::{CudaReal, Device};
use super::kernels::Kernels;
use super::runner::DeviceRunner;
use crate::Result;
use crate::source::general_source;
use crate::spec::GENERAL_THREADS;

/// Matrix products, convolutions, copies of columns, reductions, the optimiser, losses and advantages on a device.
/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct General<T> {
    device: Device,
    kernels: Arc<Kernels>,
    element: PhantomData<T>,
}

impl<T: CudaReal> General<T> {
    /// Compiles them, or finds them in the user's cache.
    ///
    /// # Errors
    /// [`Error::NoCompiler`](crate::Error::NoCompiler), [`Error::Compile`](crate::Error::Compile),
    /// [`Error::NewCompiler`](crate::Error::NewCompiler), [`Error::Device`](crate::Error::Device).
    pub fn new(device: &Device) -> Result<Self> {
        let names = [
            "product",
            "convolution",
            "overlap",
            "energy_factors",
            "numbers_of_bytes",
            "gather_numbers",
            "gather_words",
            "gather_bytes",
            "sum_rows",
            "square_sums",
            "norm_of_parts",
            "adam",
            "a2c_loss",
            "ppo_loss",
            "generalized_advantages",
        ];
        let kernels = Kernels::new(device, &general_source::<T>(), GENERAL_THREADS, &names)?;
        Ok(Self { device: device.clone(), kernels: Arc::new(kernels), element: PhantomData })
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Runs them, with those of a layer.
    pub(super) fn runner<'a>(&'a self, layer: Option<&'a Kernels>) -> DeviceRunner<'a> {
        DeviceRunner { device: &self.device, layer, general: Some(&self.kernels) }
    }
}
