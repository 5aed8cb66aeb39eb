//! Runs kernels on a device.

use cudarc::driver::DevicePtr;

use super::device::{Buffer, CudaReal, Device, failed, no_kernel};
use super::kernels::Kernels;
use crate::Result;
use crate::runner::{Launch, Plain, Runner, Unit};
use crate::spec::GENERAL_THREADS;

/// A device with the kernels of a layer and those that are the same for all layers, as far as they are needed.
///
/// All work of a device is on one stream, in the order in which it is started: memory is not given back before what
/// uses it is done.
#[derive(Clone, Copy, Debug)]
pub(super) struct DeviceRunner<'a> {
    pub device: &'a Device,
    pub layer: Option<&'a Kernels>,
    pub general: Option<&'a Kernels>,
}

impl DeviceRunner<'_> {
    /// The address of an array of any element.
    pub fn address_of<E>(&self, array: &Buffer<E>) -> u64 {
        array.0.device_ptr(&self.device.stream).0
    }
}

impl<T: CudaReal> Runner<T> for DeviceRunner<'_> {
    type Array = Buffer<T>;
    type Doubles = Buffer<f64>;

    fn reserve(&self, len: usize) -> Result<Buffer<T>> {
        self.device.reserve(len)
    }

    fn reserve_doubles(&self, len: usize) -> Result<Buffer<f64>> {
        self.device.reserve(len)
    }

    fn copy(&self, from: &Buffer<T>) -> Result<Buffer<T>> {
        let copy = self.device.stream.clone_dtod(&from.0);
        copy.map(Buffer).map_err(|error| failed("a copy on the device", error))
    }

    fn copy_into(&self, from: &Buffer<T>, to: &mut Buffer<T>, at: usize) -> Result<()> {
        let mut part = to.0.slice_mut(at..at + from.len());
        let copied = self.device.stream.memcpy_dtod(&from.0, &mut part);
        copied.map_err(|error| failed("a copy on the device", error))
    }

    fn address(&self, array: &Buffer<T>) -> u64 {
        self.address_of(array)
    }

    fn address_of_doubles(&self, array: &Buffer<f64>) -> u64 {
        self.address_of(array)
    }

    fn threads(&self, unit: Unit) -> usize {
        match unit {
            Unit::Layer => self.layer.map_or(0, |kernels| kernels.threads),
            Unit::General => GENERAL_THREADS,
        }
    }

    fn launch<O: Plain>(&self, launch: Launch, operands: &O) -> Result<()> {
        let kernels = match launch.unit {
            Unit::Layer => self.layer,
            Unit::General => self.general,
        };
        kernels.ok_or_else(|| no_kernel(launch.kernel))?.launch(self.device, launch, operands)
    }
}
