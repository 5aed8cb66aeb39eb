//! The kernels on the CPU, for tests: every access to memory is checked, and races are found.
#![allow(unsafe_code, reason = "calls of the kernels that build.rs compiled as C++")]

use std::ffi::{CStr, c_char};
use std::ptr::{null, null_mut};

use crate::layer::Layer;
use crate::plan::Plan;
use crate::source::RawSpec;
use crate::{Extent, FAN, Real};

/// In which order blocks, and the threads between two barriers, take their turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By their numbers.
    #[default]
    InOrder,
    /// From the last to the first.
    Reversed,
    /// Mixed, always in the same way.
    Shuffled,
}

/// How the machine runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Order of blocks and threads.
    pub order: Order,
    /// A barrier that is left out, by its number in the kernels: a planted race.
    pub without_barrier: Option<i32>,
}

/// What the machine found wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    /// How many.
    pub count: i64,
    /// The first, in words.
    pub first: String,
}

/// Operands of a forward pass: x `[T, B, I]`, resets `[T, B]`, state `[B, S]`, packed parameters.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a, T> {
    /// T and B.
    pub extent: Extent,
    /// Packed parameters.
    pub parameters: &'a [T],
    /// Inputs.
    pub x: &'a [T],
    /// 1 where an episode starts.
    pub resets: Option<&'a [u8]>,
    /// The initial state.
    pub start: &'a [T],
}

/// Results of a forward pass.
#[derive(Clone, Debug)]
pub struct Forward<T> {
    /// Activities `[T, B, H]`.
    pub hidden: Vec<T>,
    /// The final state `[B, S]`.
    pub end: Vec<T>,
    /// For the backward pass.
    pub records: Vec<T>,
    /// For the backward pass.
    pub checkpoints: Vec<T>,
    /// What is wrong.
    pub problems: Problems,
}

/// Results of a backward pass.
#[derive(Clone, Debug)]
pub struct Backward<T> {
    /// Gradient of x.
    pub x: Vec<T>,
    /// Gradient of the initial state.
    pub state: Vec<T>,
    /// Gradient of the packed parameters.
    pub parameters: Vec<T>,
    /// What is wrong.
    pub problems: Problems,
}

#[repr(C)]
struct Arrays<T> {
    parameters: *const T,
    x: *const T,
    resets: *const u8,
    start: *const T,
    end: *mut T,
    hidden: *mut T,
    records: *mut T,
    checkpoints: *mut T,
    grad_hidden: *const T,
    grad_state: *mut T,
    grad_x: *mut T,
    partials: *mut T,
    scratch: *mut T,
    lens: [i64; 13],
}

#[repr(C)]
struct Settings {
    steps: i32,
    batch: i32,
    every: i32,
    slots_in_shared: i32,
    group: i32,
    blocks: i32,
    backward: i32,
    order: i32,
    skipped_site: i32,
    shared_len: i64,
    scratch_len: i64,
}

#[repr(C)]
struct Outcome {
    problems: i64,
    first: [c_char; 256],
}

impl Outcome {
    fn new() -> Self {
        Self { problems: 0, first: [0; 256] }
    }

    fn problems(&self) -> Problems {
        // SAFETY: the kernels end the text with a zero within the array.
        let first = unsafe { CStr::from_ptr(self.first.as_ptr()) };
        Problems { count: self.problems, first: first.to_string_lossy().into_owned() }
    }
}

type SumRows<T> = unsafe extern "C" fn(*const RawSpec, *const T, *mut T, i32, i32, i64, i32, *mut Outcome);

/// The element types that the shim is compiled for.
#[expect(private_interfaces, reason = "called in this file alone")]
pub trait ShimReal: Real {
    /// Runs a pass.
    ///
    /// # Safety
    /// The pointers must fit the lengths beside them.
    #[doc(hidden)]
    unsafe fn sequence(spec: &RawSpec, settings: &Settings, arrays: &Arrays<Self>, outcome: &mut Outcome);
    /// The reduction.
    #[doc(hidden)]
    const SUM_ROWS: SumRows<Self>;
}

unsafe extern "C" {
    fn stpn_shim_sequence_float(
        spec: *const RawSpec,
        set: *const Settings,
        arrays: *const Arrays<f32>,
        out: *mut Outcome,
    );
    fn stpn_shim_sequence_double(
        spec: *const RawSpec,
        set: *const Settings,
        arrays: *const Arrays<f64>,
        out: *mut Outcome,
    );
    fn stpn_shim_sum_rows_float(
        spec: *const RawSpec,
        values: *const f32,
        sums: *mut f32,
        rows: i32,
        fan: i32,
        len: i64,
        order: i32,
        out: *mut Outcome,
    );
    fn stpn_shim_sum_rows_double(
        spec: *const RawSpec,
        values: *const f64,
        sums: *mut f64,
        rows: i32,
        fan: i32,
        len: i64,
        order: i32,
        out: *mut Outcome,
    );
}

#[expect(private_interfaces, reason = "called in this file alone")]
impl ShimReal for f32 {
    unsafe fn sequence(spec: &RawSpec, settings: &Settings, arrays: &Arrays<f32>, outcome: &mut Outcome) {
        // SAFETY: the caller's promise.
        unsafe { stpn_shim_sequence_float(spec, settings, arrays, outcome) }
    }
    const SUM_ROWS: SumRows<f32> = stpn_shim_sum_rows_float;
}

#[expect(private_interfaces, reason = "called in this file alone")]
impl ShimReal for f64 {
    unsafe fn sequence(spec: &RawSpec, settings: &Settings, arrays: &Arrays<f64>, outcome: &mut Outcome) {
        // SAFETY: the caller's promise.
        unsafe { stpn_shim_sequence_double(spec, settings, arrays, outcome) }
    }
    const SUM_ROWS: SumRows<f64> = stpn_shim_sum_rows_double;
}

/// Only one launch at a time: the machine is one.
static LAUNCH: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn int(value: usize) -> i32 {
    i32::try_from(value).expect("sizes of tests are small")
}

fn long(value: usize) -> i64 {
    i64::try_from(value).expect("sizes of tests are small")
}

fn settings(layer: &Layer, plan: &Plan, extent: Extent, machine: Machine, backward: bool) -> Settings {
    Settings {
        steps: int(extent.steps),
        batch: int(extent.batch),
        every: int(plan.every),
        slots_in_shared: i32::from(plan.slots_in_shared),
        group: int(plan.group),
        blocks: int(plan.blocks(extent.batch, backward)),
        backward: i32::from(backward),
        order: machine.order as i32,
        skipped_site: machine.without_barrier.unwrap_or(-1),
        shared_len: long(plan.shared_len(layer, backward)),
        scratch_len: long(plan.scratch_len(layer, backward)),
    }
}

/// Runs a sequence forward.
///
/// # Panics
/// If an array has another length than the layer and the extent ask for.
pub fn forward<T: ShimReal>(layer: &Layer, plan: &Plan, machine: Machine, inputs: Inputs<'_, T>) -> Forward<T> {
    let Inputs { extent, parameters, x, resets, start } = inputs;
    let units = extent.steps * extent.batch;
    assert_eq!(parameters.len(), layer.parameters(), "parameters");
    assert_eq!(x.len(), units * layer.input(), "x");
    assert_eq!(start.len(), extent.batch * layer.state_len(), "start");
    assert!(resets.is_none_or(|resets| resets.len() == units), "resets");
    let zeros = |len: usize| vec![T::default(); len];
    let mut hidden = zeros(units * layer.hidden());
    let mut end = zeros(start.len());
    let mut records = zeros(plan.records_len(layer, extent).max(1));
    let mut checkpoints = zeros(plan.checkpoints_len(layer, extent));
    let mut scratch = zeros((plan.scratch_len(layer, false) * extent.batch).max(1));
    let lens = [
        parameters.len(),
        x.len(),
        resets.map_or(0, <[u8]>::len),
        start.len(),
        end.len(),
        hidden.len(),
        records.len(),
        checkpoints.len(),
        0,
        0,
        0,
        0,
        scratch.len(),
    ];
    let arrays = Arrays {
        parameters: parameters.as_ptr(),
        x: x.as_ptr(),
        resets: resets.map_or(null(), <[u8]>::as_ptr),
        start: start.as_ptr(),
        end: end.as_mut_ptr(),
        hidden: hidden.as_mut_ptr(),
        records: records.as_mut_ptr(),
        checkpoints: checkpoints.as_mut_ptr(),
        grad_hidden: null(),
        grad_state: null_mut(),
        grad_x: null_mut(),
        partials: null_mut(),
        scratch: scratch.as_mut_ptr(),
        lens: lens.map(long),
    };
    let problems = run(layer, plan, &settings(layer, plan, extent, machine, false), &arrays);
    Forward { hidden, end, records, checkpoints, problems }
}

/// Runs a sequence backward, from the gradients of the activities `[T, B, H]` and of the final state `[B, S]`.
///
/// # Panics
/// If an array has another length than the layer and the extent ask for.
pub fn backward<T: ShimReal>(
    layer: &Layer,
    plan: &Plan,
    machine: Machine,
    inputs: Inputs<'_, T>,
    forward: &Forward<T>,
    grad_hidden: &[T],
    grad_end: &[T],
) -> Backward<T> {
    let Inputs { extent, parameters, x, resets, start } = inputs;
    assert_eq!(grad_hidden.len(), forward.hidden.len(), "grad_hidden");
    assert_eq!(grad_end.len(), start.len(), "grad_end");
    let zeros = |len: usize| vec![T::default(); len];
    let blocks = plan.blocks(extent.batch, true);
    let (mut hidden, mut records) = (forward.hidden.clone(), forward.records.clone());
    let mut checkpoints = forward.checkpoints.clone();
    let (mut grad_x, mut grad_state) = (zeros(x.len()), grad_end.to_vec());
    let mut partials = zeros(blocks * layer.parameters());
    let mut scratch = zeros((plan.scratch_len(layer, true) * blocks).max(1));
    let lens = [
        parameters.len(),
        x.len(),
        resets.map_or(0, <[u8]>::len),
        start.len(),
        0,
        hidden.len(),
        records.len(),
        checkpoints.len(),
        grad_hidden.len(),
        grad_state.len(),
        grad_x.len(),
        partials.len(),
        scratch.len(),
    ];
    let arrays = Arrays {
        parameters: parameters.as_ptr(),
        x: x.as_ptr(),
        resets: resets.map_or(null(), <[u8]>::as_ptr),
        start: start.as_ptr(),
        end: null_mut(),
        hidden: hidden.as_mut_ptr(),
        records: records.as_mut_ptr(),
        checkpoints: checkpoints.as_mut_ptr(),
        grad_hidden: grad_hidden.as_ptr(),
        grad_state: grad_state.as_mut_ptr(),
        grad_x: grad_x.as_mut_ptr(),
        partials: partials.as_mut_ptr(),
        scratch: scratch.as_mut_ptr(),
        lens: lens.map(long),
    };
    let mut problems = run(layer, plan, &settings(layer, plan, extent, machine, true), &arrays);
    let mut rows = blocks;
    while rows > 1 {
        let (sums, found) = sum_rows(layer, plan, machine, &partials, rows);
        rows = rows.div_ceil(FAN);
        partials = sums;
        if problems.count == 0 {
            problems = found;
        }
    }
    Backward { x: grad_x, state: grad_state, parameters: partials, problems }
}

/// One pass of the reduction over `values` `[rows, len]`.
fn sum_rows<T: ShimReal>(
    layer: &Layer,
    plan: &Plan,
    machine: Machine,
    values: &[T],
    rows: usize,
) -> (Vec<T>, Problems) {
    let len = values.len() / rows;
    let mut sums = vec![T::default(); rows.div_ceil(FAN) * len];
    let mut outcome = Outcome::new();
    let spec = RawSpec::new(layer, &plan.threads);
    let _one = LAUNCH.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // SAFETY: the lengths are those of the slices.
    unsafe {
        let (from, to) = (values.as_ptr(), sums.as_mut_ptr());
        (T::SUM_ROWS)(&spec, from, to, int(rows), int(FAN), long(len), machine.order as i32, &mut outcome);
    }
    (sums, outcome.problems())
}

fn run<T: ShimReal>(layer: &Layer, plan: &Plan, settings: &Settings, arrays: &Arrays<T>) -> Problems {
    let mut outcome = Outcome::new();
    let spec = RawSpec::new(layer, &plan.threads);
    let _one = LAUNCH.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // SAFETY: the lengths in `arrays` are those of the slices whose pointers it has.
    unsafe { T::sequence(&spec, settings, arrays, &mut outcome) };
    outcome.problems()
}
