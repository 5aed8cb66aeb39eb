//! Runs kernels on the machine.
#![allow(unsafe_code, reason = "calls of the kernels that build.rs compiled as C++")]

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, CString, c_char, c_void};
use std::sync::{Mutex, PoisonError};

use super::machine::{Machine, Problems};
use crate::runner::{Launch, Plain, Runner, Unit};
use crate::spec::{GENERAL_THREADS, RawSpec};
use crate::{Real, Result};

/// An array that a launch may touch, for C++.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Allocation {
    address: usize,
    bytes: i64,
    initialised: i32,
}

#[repr(C)]
struct Outcome {
    problems: i64,
    first: [c_char; 256],
}

type LaunchFunction = unsafe extern "C" fn(
    spec: *const RawSpec,
    kernel: *const c_char,
    blocks: i32,
    threads: i32,
    shared: i64,
    operands: *const c_void,
    arrays: *mut Allocation,
    count: i64,
    order: i32,
    skipped: i32,
    outcome: *mut Outcome,
) -> bool;

unsafe extern "C" {
    fn stpn_shim_launch_float(
        spec: *const RawSpec,
        kernel: *const c_char,
        blocks: i32,
        threads: i32,
        shared: i64,
        operands: *const c_void,
        arrays: *mut Allocation,
        count: i64,
        order: i32,
        skipped: i32,
        outcome: *mut Outcome,
    ) -> bool;
    fn stpn_shim_launch_double(
        spec: *const RawSpec,
        kernel: *const c_char,
        blocks: i32,
        threads: i32,
        shared: i64,
        operands: *const c_void,
        arrays: *mut Allocation,
        count: i64,
        order: i32,
        skipped: i32,
        outcome: *mut Outcome,
    ) -> bool;
}

/// The element types that the shim is compiled for.
#[expect(private_interfaces, reason = "called in this file alone")]
pub trait ShimReal: Real {
    /// The kernels.
    #[doc(hidden)]
    const LAUNCH: LaunchFunction;
}

#[expect(private_interfaces, reason = "called in this file alone")]
impl ShimReal for f32 {
    const LAUNCH: LaunchFunction = stpn_shim_launch_float;
}

#[expect(private_interfaces, reason = "called in this file alone")]
impl ShimReal for f64 {
    const LAUNCH: LaunchFunction = stpn_shim_launch_double;
}

/// Only one launch at a time: the machine is one.
static LAUNCH: Mutex<()> = Mutex::new(());

/// An array that kernels write.
pub struct ShimArray<T>(Box<[Cell<T>]>);

impl<T: Copy> ShimArray<T> {
    /// What is in it.
    pub fn values(&self) -> Vec<T> {
        self.0.iter().map(Cell::get).collect()
    }
}

/// The machine with its arrays, and what it found wrong so far.
#[derive(Debug)]
pub struct ShimRunner {
    layer: RawSpec,
    machine: Machine,
    arrays: RefCell<Vec<Allocation>>,
    problems: RefCell<Problems>,
}

fn number<N: TryFrom<usize, Error: std::fmt::Debug>>(value: usize) -> N {
    N::try_from(value).expect("sizes of tests are small")
}

impl ShimRunner {
    /// For kernels of that layer.
    pub fn new(layer: RawSpec, machine: Machine) -> Self {
        Self { layer, machine, arrays: RefCell::default(), problems: RefCell::default() }
    }

    /// A copy of values, for kernels.
    pub fn array<T: Copy>(&self, values: &[T]) -> ShimArray<T> {
        self.enter(values.iter().copied().map(Cell::new).collect(), true)
    }

    /// The address of an array of any element.
    pub fn address_of<T>(array: &ShimArray<T>) -> u64 {
        array.0.as_ptr() as u64
    }

    /// What was wrong.
    pub fn problems(self) -> Problems {
        self.problems.into_inner()
    }

    fn enter<T>(&self, values: Box<[Cell<T>]>, initialised: bool) -> ShimArray<T> {
        let (address, bytes) = (values.as_ptr() as usize, number(size_of_val(&*values)));
        self.arrays.borrow_mut().push(Allocation { address, bytes, initialised: initialised.into() });
        ShimArray(values)
    }

    fn empty<T: Copy + Default>(&self, len: usize) -> ShimArray<T> {
        // Memory of no length has no address.
        self.enter(vec![Cell::new(T::default()); len.max(1)].into(), false)
    }
}

impl<T: ShimReal> Runner<T> for ShimRunner {
    type Array = ShimArray<T>;
    type Doubles = ShimArray<f64>;

    fn reserve(&self, len: usize) -> Result<Self::Array> {
        Ok(self.empty(len))
    }

    fn reserve_doubles(&self, len: usize) -> Result<Self::Doubles> {
        Ok(self.empty(len))
    }

    fn copy(&self, from: &Self::Array) -> Result<Self::Array> {
        Ok(self.array(&from.values()))
    }

    fn copy_into(&self, from: &Self::Array, to: &mut Self::Array, at: usize) -> Result<()> {
        to.0[at..at + from.0.len()].iter().zip(&from.0).for_each(|(to, from)| to.set(from.get()));
        Ok(())
    }

    fn address(&self, array: &Self::Array) -> u64 {
        Self::address_of(array)
    }

    fn address_of_doubles(&self, array: &Self::Doubles) -> u64 {
        Self::address_of(array)
    }

    fn threads(&self, unit: Unit) -> usize {
        match unit {
            Unit::Layer => usize::try_from(self.layer.threads).unwrap_or(0),
            Unit::General => GENERAL_THREADS,
        }
    }

    fn launch<O: Plain>(&self, launch: Launch, operands: &O) -> Result<()> {
        let spec = if launch.unit == Unit::Layer { self.layer } else { RawSpec::general() };
        let kernel = CString::new(launch.kernel).expect("a name");
        let mut arrays = self.arrays.borrow_mut();
        let mut outcome = Outcome { problems: 0, first: [0; 256] };
        let known = {
            let _one = LAUNCH.lock().unwrap_or_else(PoisonError::into_inner);
            // SAFETY: the arrays are those of this runner with their lengths, beyond which the machine does not go, and
            // the operands are a struct that the kernel knows.
            unsafe {
                (T::LAUNCH)(
                    &raw const spec,
                    kernel.as_ptr(),
                    number(launch.blocks),
                    spec.threads,
                    number(launch.shared),
                    std::ptr::from_ref(operands).cast(),
                    arrays.as_mut_ptr(),
                    number(arrays.len()),
                    self.machine.order as i32,
                    self.machine.without_barrier.unwrap_or(-1),
                    &raw mut outcome,
                )
            }
        };
        assert!(known, "no kernel {}", launch.kernel);
        // SAFETY: the machine ends the text with a zero within the array.
        let first = unsafe { CStr::from_ptr(outcome.first.as_ptr()) };
        let mut problems = self.problems.borrow_mut();
        if problems.count == 0 {
            problems.first = format!("{}: {}", launch.kernel, first.to_string_lossy());
        }
        problems.count += outcome.problems;
        Ok(())
    }
}
