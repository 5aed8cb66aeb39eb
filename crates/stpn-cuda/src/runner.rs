//! Where kernels run: a device, or the CPU behind the shim. What is launched, and in which order, is written once.

use crate::real::Real;
use crate::{FAN, Result};

/// Operands of a kernel.
///
/// # Safety
/// A `repr(C)` struct of numbers and addresses, in the layout of the kernel's C++ struct.
#[allow(unsafe_code, reason = "kernels read the bytes of operands")]
pub(crate) unsafe trait Plain: Copy {}

/// Kernels that were compiled together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Those of the layer.
    Layer,
    /// Those that are the same for all layers.
    General,
}

/// A launch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Launch {
    pub unit: Unit,
    pub kernel: &'static str,
    pub blocks: usize,
    /// Bytes of shared memory of a block.
    pub shared: usize,
}

/// Runs kernels one after another.
pub(crate) trait Runner<T: Real> {
    /// An array where kernels can reach it.
    type Array;
    /// One of double precision, whatever the element is.
    type Doubles;

    /// An array with nothing in it yet.
    fn reserve(&self, len: usize) -> Result<Self::Array>;
    fn reserve_doubles(&self, len: usize) -> Result<Self::Doubles>;
    fn copy(&self, from: &Self::Array) -> Result<Self::Array>;
    /// Copies `from` into `to`, from the element `at` on.
    fn copy_into(&self, from: &Self::Array, to: &mut Self::Array, at: usize) -> Result<()>;
    fn address(&self, array: &Self::Array) -> u64;
    fn address_of_doubles(&self, array: &Self::Doubles) -> u64;
    /// Threads of a block of that unit.
    fn threads(&self, unit: Unit) -> usize;

    /// Starts a kernel.
    ///
    /// The operands must be those of the kernel, with addresses of this runner's arrays, which must be long enough.
    fn launch<O: Plain>(&self, launch: Launch, operands: &O) -> Result<()>;
}

/// `ReduceOperands` of `kernels/reduce_operands.cuh`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct ReduceOperands {
    values: u64,
    sums: u64,
    rows: i32,
    fan: i32,
    len: i64,
    tiles: i32,
}

// SAFETY: plain integers in the layout of the C++ struct.
#[allow(unsafe_code, reason = "what kernels are given")]
unsafe impl Plain for ReduceOperands {}

/// Adds rows of `values` `[rows, len]` up to one, in an order that depends on their number alone.
pub(crate) fn reduce<T: Real, R: Runner<T>>(
    runner: &R,
    unit: Unit,
    mut values: R::Array,
    mut rows: usize,
    len: usize,
) -> Result<R::Array> {
    while rows > 1 {
        let (to, tiles) = (rows.div_ceil(FAN), len.div_ceil(runner.threads(unit)));
        let sums = runner.reserve(to * len)?;
        let operands = ReduceOperands {
            values: runner.address(&values),
            sums: runner.address(&sums),
            rows: int(rows),
            fan: int(FAN),
            len: long(len),
            tiles: int(tiles),
        };
        runner.launch(Launch { unit, kernel: "sum_rows", blocks: to * tiles, shared: 0 }, &operands)?;
        (values, rows) = (sums, to);
    }
    Ok(values)
}

/// A number as kernels have it.
pub(crate) fn int(value: usize) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// A length or place as kernels have it.
pub(crate) fn long(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
