//! A layer on a device: forward and backward over arrays that lie there.
#![allow(unsafe_code, reason = "launches of kernels")]

use std::marker::PhantomData;

use cudarc::driver::sys::CUfunction_attribute;
use cudarc::driver::{CudaFunction, CudaSlice, DevicePtr, DevicePtrMut, DeviceRepr, LaunchConfig, PushKernelArg};

use super::cache::Cache;
use super::compile::compile;
use super::device::{Buffer, CudaReal, Device, failed};
use crate::layer::Layer;
use crate::plan::{Plan, Threads};
use crate::source::{kernel_name, source};
use crate::{Error, Extent, FAN, Result};

/// A layer whose kernels are compiled for a device.
#[derive(Debug)]
pub struct PlasticLayer<T> {
    device: Device,
    layer: Layer,
    threads: Threads,
    forward: CudaFunction,
    backward: CudaFunction,
    sum_rows: CudaFunction,
    element: PhantomData<T>,
}

/// Operands of a sequence: packed parameters, x `[T, B, I]`, resets `[T, B]` (1 where an episode starts), initial state
/// `[B, S]`.
#[derive(Clone, Copy, Debug)]
pub struct Sequence<'a, T> {
    /// T and B.
    pub extent: Extent,
    /// Packed parameters.
    pub parameters: &'a Buffer<T>,
    /// Inputs.
    pub x: &'a Buffer<T>,
    /// Starts of episodes.
    pub resets: Option<&'a Buffer<u8>>,
    /// The initial state.
    pub start: &'a Buffer<T>,
}

/// Results of a forward pass.
#[derive(Debug)]
pub struct Forward<T> {
    /// Activities `[T, B, H]`.
    pub hidden: Buffer<T>,
    /// The final state `[B, S]`.
    pub end: Buffer<T>,
    /// What the backward pass needs; none if it was not asked for.
    tape: Option<Tape<T>>,
}

#[derive(Debug)]
struct Tape<T> {
    records: Buffer<T>,
    checkpoints: Buffer<T>,
}

/// Results of a backward pass.
#[derive(Debug)]
pub struct Backward<T> {
    /// Gradient of x.
    pub x: Buffer<T>,
    /// Gradient of the initial state.
    pub state: Buffer<T>,
    /// Gradient of the packed parameters.
    pub parameters: Buffer<T>,
}

/// `Operands` of `kernels/operands.cuh`, field by field; addresses on the device, 0 for none.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct Operands {
    steps: i32,
    batch: i32,
    every: i32,
    slots_in_shared: i32,
    group: i32,
    parameters: u64,
    x: u64,
    resets: u64,
    start: u64,
    end: u64,
    hidden: u64,
    records: u64,
    checkpoints: u64,
    grad_hidden: u64,
    grad_state: u64,
    grad_x: u64,
    partials: u64,
    scratch: u64,
    scratch_len: i64,
}

// SAFETY: plain integers in the layout of the C++ struct.
unsafe impl DeviceRepr for Operands {}

fn int(value: usize) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

fn unsigned(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn expect(what: &'static str, got: usize, expected: usize) -> Result<()> {
    if got == expected { Ok(()) } else { Err(Error::Length { what, expected, got }) }
}

impl<T: CudaReal> PlasticLayer<T> {
    /// Compiles the kernels of that layer, or finds them in the user's cache.
    ///
    /// # Errors
    /// [`Error::Layer`], [`Error::TooLarge`], [`Error::NoCompiler`], [`Error::Compile`], [`Error::NewCompiler`],
    /// [`Error::Device`].
    pub fn new(device: &Device, layer: Layer) -> Result<Self> {
        layer.check()?;
        let shared = device.shared();
        // Refuses what is too large before anything is compiled.
        let threads = Plan::new(&layer, Extent { steps: 1, batch: 1 }, size_of::<T>(), shared)?.threads;
        let module = device.load(compile(&source::<T>(&layer, &threads), device.arch(), &Cache::of_user())?)?;
        let function = |name: &str| module.load_function(name).map_err(|error| failed("finding a kernel", error));
        let pass = |backward: bool| {
            let function = function(kernel_name(&layer, backward))?;
            let most = CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            function.set_attribute(most, int(shared)).map_err(|error| failed("reserving shared memory", error))?;
            Ok(function)
        };
        let (forward, backward, sum_rows) = (pass(false)?, pass(true)?, function("sum_rows")?);
        Ok(Self { device: device.clone(), layer, threads, forward, backward, sum_rows, element: PhantomData })
    }

    /// The layer.
    pub fn layer(&self) -> &Layer {
        &self.layer
    }

    fn plan(&self, extent: Extent) -> Result<Plan> {
        let plan = Plan::new(&self.layer, extent, size_of::<T>(), self.device.shared())?;
        debug_assert_eq!(plan.threads, self.threads, "the division does not depend on the extent");
        Ok(plan)
    }

    fn check(&self, sequence: Sequence<'_, T>) -> Result<()> {
        let (layer, extent) = (&self.layer, sequence.extent);
        let units = extent.steps * extent.batch;
        if units == 0 {
            return Err(Error::Layer { problem: "a sequence needs at least one step and one environment".to_string() });
        }
        expect("parameters", sequence.parameters.len(), layer.parameters())?;
        expect("x", sequence.x.len(), units * layer.input())?;
        expect("resets", sequence.resets.map_or(units, Buffer::len), units)?;
        expect("state", sequence.start.len(), extent.batch * layer.state_len())
    }

    /// Refuses a pass for which the memory does not suffice, and says what would fit.
    fn check_memory(&self, extent: Extent, plan: &Plan, backward: bool, tape: bool) -> Result<()> {
        let size = size_of::<T>();
        let (needed, free) = (plan.bytes(&self.layer, extent, size, backward, tape), self.device.free()?);
        if needed <= free {
            return Ok(());
        }
        let fits = Plan::fitting(&self.layer, extent, size, self.device.shared(), free);
        Err(Error::Memory { needed, free, fits, batch: extent.batch })
    }

    fn operands(&self, extent: Extent, plan: &Plan, backward: bool) -> Operands {
        Operands {
            steps: int(extent.steps),
            batch: int(extent.batch),
            every: int(plan.every),
            slots_in_shared: i32::from(plan.slots_in_shared),
            group: int(plan.group),
            scratch_len: i64::try_from(plan.scratch_len(&self.layer, backward)).unwrap_or(i64::MAX),
            ..Operands::default()
        }
    }

    fn launch(&self, function: &CudaFunction, operands: &Operands, blocks: usize, shared: usize) -> Result<()> {
        let config = LaunchConfig {
            grid_dim: (unsigned(blocks), 1, 1),
            block_dim: (unsigned(self.threads.count), 1, 1),
            shared_mem_bytes: unsigned(shared * size_of::<T>()),
        };
        // SAFETY: the kernel takes this one struct, and its addresses are of arrays whose lengths were checked.
        let launched = unsafe { self.device.stream.launch_builder(function).arg(operands).launch(config) };
        launched.map(|_| ()).map_err(|error| failed("starting a kernel", error))
    }

    /// A sequence forward. With `tape`, [`PlasticLayer::backward`] can follow. Returns before the work is done;
    /// [`Device::download`] waits for it.
    ///
    /// # Errors
    /// [`Error::Length`] for arrays that do not fit, [`Error::Memory`], [`Error::Device`].
    pub fn forward(&self, sequence: Sequence<'_, T>, tape: bool) -> Result<Forward<T>> {
        self.check(sequence)?;
        let (extent, layer, device) = (sequence.extent, &self.layer, &self.device);
        let plan = self.plan(extent)?;
        self.check_memory(extent, &plan, false, tape)?;
        let mut hidden = device.reserve::<T>(extent.steps * extent.batch * layer.hidden())?;
        let mut end = device.reserve::<T>(extent.batch * layer.state_len())?;
        let mut scratch = device.reserve::<T>(extent.batch * plan.scratch_len(layer, false))?;
        let mut kept = None;
        if tape {
            let records = device.reserve::<T>(plan.records_len(layer, extent))?;
            kept = Some(Tape { records, checkpoints: device.reserve::<T>(plan.checkpoints_len(layer, extent))? });
        }
        let mut operands = self.operands(extent, &plan, false);
        let stream = &device.stream;
        {
            let (parameters, _parameters) = sequence.parameters.0.device_ptr(stream);
            let (x, _x) = sequence.x.0.device_ptr(stream);
            let (start, _start) = sequence.start.0.device_ptr(stream);
            let resets = sequence.resets.map(|resets| resets.0.device_ptr(stream));
            let (hidden, _hidden) = hidden.0.device_ptr_mut(stream);
            let (end, _end) = end.0.device_ptr_mut(stream);
            let (scratch, _scratch) = scratch.0.device_ptr_mut(stream);
            (operands.parameters, operands.x, operands.start) = (parameters, x, start);
            (operands.hidden, operands.end, operands.scratch) = (hidden, end, scratch);
            operands.resets = resets.as_ref().map_or(0, |(address, _)| *address);
            let tape = kept
                .as_mut()
                .map(|tape| (tape.records.0.device_ptr_mut(stream), tape.checkpoints.0.device_ptr_mut(stream)));
            if let Some(((records, _), (checkpoints, _))) = &tape {
                (operands.records, operands.checkpoints) = (*records, *checkpoints);
            }
            self.launch(&self.forward, &operands, plan.blocks(extent.batch, false), plan.shared_len(layer, false))?;
        }
        Ok(Forward { hidden, end, tape: kept })
    }

    /// The exact backward pass of that forward pass, from the gradients of the activities `[T, B, H]` and of the final
    /// state `[B, S]`. Returns before the work is done.
    ///
    /// # Errors
    /// [`Error::Length`] for arrays that do not fit or a forward pass without tape, [`Error::Memory`],
    /// [`Error::Device`].
    pub fn backward(
        &self,
        sequence: Sequence<'_, T>,
        forward: &Forward<T>,
        grad_hidden: &Buffer<T>,
        grad_end: &Buffer<T>,
    ) -> Result<Backward<T>> {
        self.check(sequence)?;
        let (extent, layer, device) = (sequence.extent, &self.layer, &self.device);
        let plan = self.plan(extent)?;
        let units = extent.steps * extent.batch * layer.hidden();
        expect("activities", forward.hidden.len(), units)?;
        expect("grad_hidden", grad_hidden.len(), units)?;
        expect("grad_end", grad_end.len(), sequence.start.len())?;
        let checkpoints = plan.checkpoints_len(layer, extent);
        let Some(tape) = &forward.tape else {
            return Err(Error::Length { what: "tape", expected: checkpoints, got: 0 });
        };
        expect("tape", tape.checkpoints.len(), checkpoints)?;
        self.check_memory(extent, &plan, true, true)?;
        let copy = device.stream.clone_dtod(&grad_end.0).map_err(|error| failed("a copy on the device", error));
        let mut state = Buffer(copy?);
        let mut grad_x = device.reserve::<T>(sequence.x.len())?;
        let blocks = plan.blocks(extent.batch, true);
        let mut partials = device.reserve::<T>(blocks * layer.parameters())?;
        let mut scratch = device.reserve::<T>(blocks * plan.scratch_len(layer, true))?;
        let mut operands = self.operands(extent, &plan, true);
        let stream = &device.stream;
        {
            let (parameters, _parameters) = sequence.parameters.0.device_ptr(stream);
            let (x, _x) = sequence.x.0.device_ptr(stream);
            let (start, _start) = sequence.start.0.device_ptr(stream);
            let resets = sequence.resets.map(|resets| resets.0.device_ptr(stream));
            let (hidden, _hidden) = forward.hidden.0.device_ptr(stream);
            let (records, _records) = tape.records.0.device_ptr(stream);
            let (checkpoints, _checkpoints) = tape.checkpoints.0.device_ptr(stream);
            let (grad_hidden, _grad_hidden) = grad_hidden.0.device_ptr(stream);
            let (grad_state, _grad_state) = state.0.device_ptr_mut(stream);
            let (grad_x, _grad_x) = grad_x.0.device_ptr_mut(stream);
            let (partials, _partials) = partials.0.device_ptr_mut(stream);
            let (scratch, _scratch) = scratch.0.device_ptr_mut(stream);
            (operands.parameters, operands.x, operands.start) = (parameters, x, start);
            (operands.hidden, operands.records, operands.checkpoints) = (hidden, records, checkpoints);
            (operands.grad_hidden, operands.grad_state, operands.grad_x) = (grad_hidden, grad_state, grad_x);
            (operands.partials, operands.scratch) = (partials, scratch);
            operands.resets = resets.as_ref().map_or(0, |(address, _)| *address);
            self.launch(&self.backward, &operands, blocks, plan.shared_len(layer, true))?;
        }
        let mut rows = blocks;
        while rows > 1 {
            partials = self.sum_rows(&partials, rows)?;
            rows = rows.div_ceil(FAN);
        }
        Ok(Backward { x: grad_x, state, parameters: partials })
    }

    /// One pass of the reduction over `[rows, parameters]`.
    fn sum_rows(&self, values: &Buffer<T>, rows: usize) -> Result<Buffer<T>> {
        let len = self.layer.parameters();
        let (to, tiles) = (rows.div_ceil(FAN), len.div_ceil(self.threads.count));
        let mut sums = self.device.reserve::<T>(to * len)?;
        let config = LaunchConfig {
            grid_dim: (unsigned(to * tiles), 1, 1),
            block_dim: (unsigned(self.threads.count), 1, 1),
            shared_mem_bytes: 0,
        };
        let (rows, fan, tiles, len) = (int(rows), int(FAN), int(tiles), i64::try_from(len).unwrap_or(i64::MAX));
        let sums_slice: &mut CudaSlice<T> = &mut sums.0;
        let mut launch = self.device.stream.launch_builder(&self.sum_rows);
        launch.arg(&values.0).arg(sums_slice).arg(&rows).arg(&fan).arg(&len).arg(&tiles);
        // SAFETY: these are the kernel's arguments in their order; the arrays have `rows` and `to` rows of `len`.
        unsafe { launch.launch(config) }.map_err(|error| failed("starting the reduction", error))?;
        Ok(sums)
    }
}
