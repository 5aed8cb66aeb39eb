//! Some columns of an array: the training sequences of a minibatch, out of a rollout.

use crate::runner::{Launch, Plain, Runner, Unit, int, long};
use crate::spec::GENERAL_THREADS;
use crate::{Real, Result};

/// An element that kernels gather.
pub trait Gathered: Copy {
    /// The kernel for it.
    #[doc(hidden)]
    const KERNEL: &'static str;
}

impl Gathered for f32 {
    const KERNEL: &'static str = "gather_numbers";
}

impl Gathered for f64 {
    const KERNEL: &'static str = "gather_numbers";
}

impl Gathered for u32 {
    const KERNEL: &'static str = "gather_words";
}

impl Gathered for u8 {
    const KERNEL: &'static str = "gather_bytes";
}

/// `GatherOperands` of `kernels/gather_operands.cuh`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct GatherOperands {
    len: i64,
    of: i32,
    count: i32,
    width: i32,
    columns: u64,
    from: u64,
    to: u64,
}

// SAFETY: plain numbers in the layout of the C++ struct.
#[allow(unsafe_code, reason = "what kernels are given")]
unsafe impl Plain for GatherOperands {}

/// What is gathered: `count` columns of the first `rows` rows of an array `[rows, of, width]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gather {
    pub rows: usize,
    pub of: usize,
    pub count: usize,
    pub width: usize,
}

impl Gather {
    /// Elements of the result, `[rows, count, width]`.
    pub fn len(&self) -> usize {
        self.rows * self.count * self.width
    }

    /// Copies them between arrays at these addresses, by the columns' numbers at another.
    pub fn launch<E: Gathered, T: Real, R: Runner<T>>(&self, runner: &R, [columns, from, to]: [u64; 3]) -> Result<()> {
        if self.len() == 0 {
            return Ok(());
        }
        let &Self { of, count, width, .. } = self;
        let operands = GatherOperands {
            len: long(self.len()),
            of: int(of),
            count: int(count),
            width: int(width),
            columns,
            from,
            to,
        };
        let blocks = self.len().div_ceil(GENERAL_THREADS);
        runner.launch(Launch { unit: Unit::General, kernel: E::KERNEL, blocks, shared: 0 }, &operands)
    }
}
