//! A device, and memory on it.
#![allow(unsafe_code, reason = "the driver is a C library")]

use std::ops::Range;
use std::sync::Arc;

use cudarc::driver::sys::{CUdevice_attribute, CUresult};
use cudarc::driver::{
    CudaContext, CudaModule, CudaSlice, CudaStream, DeviceRepr, DriverError, ValidAsZeroBits, result, sys,
};
use cudarc::nvrtc::Ptx;

use super::compile::{ARCHITECTURES, Compiled};
use crate::{Error, Gathered, Real, Result};

/// The CUDA version whose functions are called, as the driver counts it, and the driver that first had it.
const CUDA: (i32, &str) = (12_000, "525");

/// The element types that devices know.
pub trait CudaReal: Real + Gathered + DeviceRepr + ValidAsZeroBits {}
impl CudaReal for f32 {}
impl CudaReal for f64 {}

/// An array on a device.
#[derive(Debug)]
pub struct Buffer<T>(pub(super) CudaSlice<T>);

impl<T> Buffer<T> {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if it has no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A device with its queue. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Device {
    pub(super) context: Arc<CudaContext>,
    pub(super) stream: Arc<CudaStream>,
    name: String,
    arch: &'static str,
    shared: usize,
    /// CUDA version of the driver.
    driver: i32,
}

impl Device {
    /// Opens the device of that number.
    ///
    /// # Errors
    /// [`Error::NoDriver`], [`Error::OldDriver`], [`Error::NoDevice`], [`Error::OldDevice`].
    pub fn open(index: usize) -> Result<Self> {
        // The bindings would panic without the library.
        // SAFETY: loading a library runs its initialisers; the driver's have no conditions.
        if !unsafe { sys::is_culib_present() } {
            return Err(no_driver("libcuda is not found".to_string()));
        }
        let mut version = 0;
        // SAFETY: the pointer is valid for the call, which needs no initialised driver.
        let code = unsafe { sys::cuDriverGetVersion(&raw mut version) };
        code.result().map_err(|error| no_driver(describe(error)))?;
        if version < CUDA.0 {
            return Err(old_driver(version, CUDA.0));
        }
        match result::init() {
            Ok(()) => {}
            Err(DriverError(CUresult::CUDA_ERROR_NO_DEVICE)) => return Err(Error::NoDevice { index, count: 0 }),
            Err(error) => return Err(no_driver(describe(error))),
        }
        let count = CudaContext::device_count().map_err(|error| no_driver(describe(error)))?;
        let count = usize::try_from(count).unwrap_or(0);
        if index >= count {
            return Err(Error::NoDevice { index, count });
        }
        let fail = |error| failed("opening the device", error);
        let context = CudaContext::new(index).map_err(fail)?;
        let (name, capability) = (context.name().map_err(fail)?, context.compute_capability().map_err(fail)?);
        let Some((_, arch)) = ARCHITECTURES.into_iter().find(|(needed, _)| capability >= *needed) else {
            let found = format!("{}.{}", capability.0, capability.1);
            return Err(Error::OldDevice { name, found, needed: "7.5" });
        };
        let optin = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN;
        let shared = usize::try_from(context.attribute(optin).map_err(fail)?).unwrap_or(0);
        let stream = context.default_stream();
        Ok(Self { context, stream, name, arch, shared, driver: version })
    }

    /// Its name, e.g. "NVIDIA H200".
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Shared memory that a block may have, in bytes.
    pub fn shared(&self) -> usize {
        self.shared
    }

    /// The virtual architecture that kernels are compiled for.
    pub(super) fn arch(&self) -> &'static str {
        self.arch
    }

    /// Free memory, in bytes, after all work before it.
    ///
    /// # Errors
    /// [`Error::Device`].
    pub fn free(&self) -> Result<usize> {
        // What arrays of earlier work had goes back to the device only then.
        self.synchronize()?;
        Ok(self.context.mem_get_info().map_err(|error| failed("asking for the free memory", error))?.0)
    }

    /// A copy of `values` on the device.
    ///
    /// # Errors
    /// [`Error::Device`].
    pub fn upload<T: DeviceRepr>(&self, values: &[T]) -> Result<Buffer<T>> {
        self.stream.clone_htod(values).map(Buffer).map_err(|error| failed("a copy to the device", error))
    }

    /// Copies `values` into the first elements of an array.
    pub(super) fn upload_into<T: DeviceRepr>(&self, values: &[T], to: &mut Buffer<T>) -> Result<()> {
        let mut part = to.0.slice_mut(..values.len());
        self.stream.memcpy_htod(values, &mut part).map_err(|error| failed("a copy to the device", error))
    }

    /// A copy of what is on the device, after all work before it.
    ///
    /// # Errors
    /// [`Error::Device`], also for a kernel before it that failed.
    pub fn download<T: DeviceRepr>(&self, buffer: &Buffer<T>) -> Result<Vec<T>> {
        self.stream.clone_dtoh(&buffer.0).map_err(|error| failed("a copy from the device", error))
    }

    /// A copy of a part of an array.
    ///
    /// # Errors
    /// [`Error::Length`] if the array does not reach so far, [`Error::Device`].
    pub fn part<T: DeviceRepr>(&self, from: &Buffer<T>, range: Range<usize>) -> Result<Buffer<T>> {
        let (len, expected) = (from.len(), range.end);
        let part = from.0.try_slice(range).ok_or(Error::Length { what: "array of a part", expected, got: len })?;
        self.stream.clone_dtod(&part).map(Buffer).map_err(|error| failed("a copy on the device", error))
    }

    /// Copies an array into another one, from the element `at` on.
    ///
    /// # Errors
    /// [`Error::Length`] if the other one does not reach so far, [`Error::Device`].
    pub fn put<T: DeviceRepr>(&self, from: &Buffer<T>, to: &mut Buffer<T>, at: usize) -> Result<()> {
        let (len, expected) = (to.len(), at + from.len());
        let short = Error::Length { what: "array of a part", expected, got: len };
        let mut part = to.0.try_slice_mut(at..expected).ok_or(short)?;
        self.stream.memcpy_dtod(&from.0, &mut part).map_err(|error| failed("a copy on the device", error))
    }

    /// Zeros on the device.
    ///
    /// # Errors
    /// [`Error::Device`].
    pub fn zeros<T: DeviceRepr + ValidAsZeroBits>(&self, len: usize) -> Result<Buffer<T>> {
        // Memory of no length has no address.
        let zeros = self.stream.alloc_zeros(len.max(1));
        zeros.map(Buffer).map_err(|error| failed("reserving memory", error))
    }

    /// Memory with nothing in it yet, for what a kernel writes before anything reads it: zeros would cost a pass over
    /// it.
    pub(super) fn reserve<T: DeviceRepr>(&self, len: usize) -> Result<Buffer<T>> {
        // SAFETY: nothing reads it before a kernel or a copy has written it, and numbers have no invalid bits.
        let memory = unsafe { self.stream.alloc(len.max(1)) };
        memory.map(Buffer).map_err(|error| failed("reserving memory", error))
    }

    /// Waits for all work.
    ///
    /// # Errors
    /// [`Error::Device`] if some of it failed.
    pub fn synchronize(&self) -> Result<()> {
        self.stream.synchronize().map_err(|error| failed("a kernel", error))
    }

    /// Loads compiled kernels.
    pub(super) fn load(&self, compiled: Compiled) -> Result<Arc<CudaModule>> {
        self.context.load_module(Ptx::from_src(compiled.ptx)).map_err(|error| match error {
            DriverError(CUresult::CUDA_ERROR_UNSUPPORTED_PTX_VERSION) => {
                Error::NewCompiler { driver: words(self.driver), compiler: compiled.compiler }
            }
            error => failed("loading the kernels", error),
        })
    }
}

fn no_driver(reason: String) -> Error {
    Error::NoDriver { reason, minimum: CUDA.1 }
}

/// A version as the driver counts it, in words.
fn words(version: i32) -> String {
    format!("{}.{}", version / 1000, version % 1000 / 10)
}

fn old_driver(found: i32, needed: i32) -> Error {
    Error::OldDriver { found: words(found), needed: words(needed) }
}

/// What the driver says of an error.
fn describe(error: DriverError) -> String {
    let text = error.error_string().map(|text| text.to_string_lossy().into_owned());
    text.unwrap_or_else(|_| format!("{:?}", error.0))
}

/// The error of a kernel that is not there.
pub(super) fn no_kernel(name: &str) -> Error {
    Error::Device { what: "finding a kernel", reason: format!("{name} is not loaded") }
}

/// The error of an operation.
pub(super) fn failed(what: &'static str, error: DriverError) -> Error {
    match error {
        DriverError(CUresult::CUDA_ERROR_OUT_OF_MEMORY) => Error::NoMemory { what },
        error => Error::Device { what, reason: describe(error) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_driver_is_named_by_versions() {
        let message = old_driver(11_040, 12_000).to_string();
        assert!(message.contains("CUDA 11.4") && message.contains("need 12.0"), "{message}");
    }
}
