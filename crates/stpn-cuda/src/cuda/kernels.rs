//! Kernels that were compiled together and are on a device.
#![allow(unsafe_code, reason = "launches of kernels")]

use std::collections::BTreeMap;

use cudarc::driver::sys::CUfunction_attribute;
use cudarc::driver::{CudaFunction, DeviceRepr, LaunchConfig, PushKernelArg};

use super::cache::Cache;
use super::compile::compile;
use super::device::{Device, failed, no_kernel};
use crate::Result;
use crate::runner::{Launch, Plain, int};

/// Kernels by their names, with the threads of their blocks.
#[derive(Debug)]
pub(super) struct Kernels {
    functions: BTreeMap<&'static str, CudaFunction>,
    pub threads: usize,
}

/// Operands as the bindings want them.
#[repr(transparent)]
#[derive(Clone, Copy)]
struct Argument<O>(O);

// SAFETY: `Plain` promises the layout of the kernel's struct.
unsafe impl<O: Plain> DeviceRepr for Argument<O> {}

impl Kernels {
    /// Compiles a source, or finds it in the user's cache, and loads the kernels of these names.
    pub fn new(device: &Device, source: &str, threads: usize, names: &[&'static str]) -> Result<Self> {
        let module = device.load(compile(source, device.arch(), &Cache::of_user())?)?;
        let most = CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
        let mut functions = BTreeMap::new();
        for name in names {
            let function = module.load_function(name).map_err(|error| failed("finding a kernel", error))?;
            let set = function.set_attribute(most, int(device.shared()));
            set.map_err(|error| failed("reserving shared memory", error))?;
            functions.insert(*name, function);
        }
        Ok(Self { functions, threads })
    }

    /// Starts one of them.
    pub fn launch<O: Plain>(&self, device: &Device, launch: Launch, operands: &O) -> Result<()> {
        let function = self.functions.get(launch.kernel).ok_or_else(|| no_kernel(launch.kernel))?;
        let unsigned = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let config = LaunchConfig {
            grid_dim: (unsigned(launch.blocks), 1, 1),
            block_dim: (unsigned(self.threads), 1, 1),
            shared_mem_bytes: unsigned(launch.shared),
        };
        let argument = Argument(*operands);
        // SAFETY: the kernel takes this one struct, and its addresses are of arrays whose lengths were checked.
        let launched = unsafe { device.stream.launch_builder(function).arg(&argument).launch(config) };
        launched.map(|_| ()).map_err(|error| failed("starting a kernel", error))
    }
}
