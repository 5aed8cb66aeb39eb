//! Bytes as numbers.

use crate::runner::{Launch, Plain, Runner, Unit, long};
use crate::spec::GENERAL_THREADS;
use crate::{Real, Result};

/// `BytesOperands` of `kernels/bytes_operands.cuh`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct BytesOperands<T> {
    len: i64,
    bytes: u64,
    numbers: u64,
    factor: T,
    summand: T,
}

// SAFETY: plain numbers in the layout of the C++ struct.
#[allow(unsafe_code, reason = "what kernels are given")]
unsafe impl<T: Real> Plain for BytesOperands<T> {}

/// `byte * factor + summand` of `len` bytes at that address.
pub(crate) fn numbers<T: Real, R: Runner<T>>(
    runner: &R,
    (bytes, len): (u64, usize),
    factor: f64,
    summand: f64,
) -> Result<R::Array> {
    let numbers = runner.reserve(len)?;
    let operands = BytesOperands {
        len: long(len),
        bytes,
        numbers: runner.address(&numbers),
        factor: T::of(factor),
        summand: T::of(summand),
    };
    let blocks = len.div_ceil(GENERAL_THREADS);
    runner.launch(Launch { unit: Unit::General, kernel: "numbers_of_bytes", blocks, shared: 0 }, &operands)?;
    Ok(numbers)
}
