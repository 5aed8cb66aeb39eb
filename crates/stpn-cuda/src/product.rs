//! Matrix products over any rows and columns of packed arrays.

use crate::nonlinearity::Nonlinearity;
use crate::runner::{Launch, Plain, Runner, Unit, int, long};
use crate::{Real, Result};

/// Rows and columns of a block's tile, terms that lie in shared memory at once, elements between rows of a tile: as in
/// `kernels/product.cuh`.
pub(crate) const SIDE: usize = 64;
pub(crate) const DEPTH: usize = 16;
const PITCH: usize = SIDE + 4;

/// Terms of the sums of a part at least: with fewer, writing the parts would cost as much as computing them.
const LEAST_PART: usize = 512;

/// Parts at most, which are enough blocks for any device.
const MOST_PARTS: usize = 128;

/// Where a matrix lies: element (row, column) at first + row · by_row + column · by_column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub first: usize,
    pub by_row: usize,
    pub by_column: usize,
}

impl Place {
    /// The same elements with rows and columns exchanged.
    pub fn transposed(self) -> Self {
        Self { by_row: self.by_column, by_column: self.by_row, ..self }
    }
}

/// Rows of `len` elements one after another.
pub(crate) fn plain_rows(len: usize) -> Place {
    Place { first: 0, by_row: len, by_column: 1 }
}

/// A matrix: the address of the array it lies in, and where in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operand {
    pub values: u64,
    pub place: Place,
}

/// scale · nonlinearity(left right + bias), or parts of the sums.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Product {
    pub rows: usize,
    pub columns: usize,
    pub depth: usize,
    pub left: Operand,
    pub right: Operand,
    pub out: Operand,
    /// Terms of a part; a multiple of [`DEPTH`] if there are several.
    pub part: usize,
    /// Elements between the results of parts.
    pub out_part: usize,
    /// Address and first element of what is added to the columns.
    pub bias: Option<(u64, usize)>,
    pub nonlinearity: Nonlinearity,
    /// Of the result, or of the activities.
    pub scale: f64,
    /// Address of activities, at whose elements left is multiplied by the slope of the nonlinearity.
    pub activity: Option<u64>,
    /// Right has a last column of ones, which is not in memory; the place of its results.
    pub ones: Option<usize>,
}

impl Product {
    /// Of left `[rows, depth]` and right `[depth, columns]`.
    pub fn new([rows, columns, depth]: [usize; 3], left: Operand, right: Operand, out: Operand) -> Self {
        Self {
            rows,
            columns,
            depth,
            left,
            right,
            out,
            part: depth,
            out_part: 0,
            bias: None,
            nonlinearity: Nonlinearity::Linear,
            scale: 1.0,
            activity: None,
            ones: None,
        }
    }

    /// Starts it.
    pub fn launch<T: Real, R: Runner<T>>(&self, runner: &R) -> Result<()> {
        runner.launch(self.place::<T>("product"), &self.operands())
    }

    /// The launch of a kernel that computes it.
    pub fn place<T: Real>(&self, kernel: &'static str) -> Launch {
        let tiles = self.rows.div_ceil(SIDE) * self.columns.div_ceil(SIDE);
        let parts = self.depth.div_ceil(self.part.max(1));
        Launch { unit: Unit::General, kernel, blocks: tiles * parts, shared: 4 * DEPTH * PITCH * size_of::<T>() }
    }

    /// What the kernel is given.
    pub fn operands(&self) -> ProductOperands {
        ProductOperands {
            rows: int(self.rows),
            columns: int(self.columns),
            depth: long(self.depth),
            part: long(self.part),
            left: RawOperand::new(self.left),
            right: RawOperand::new(self.right),
            activity: self.activity.unwrap_or(0),
            bias: self.bias.map_or(0, |(address, _)| address),
            bias_first: self.bias.map_or(0, |(_, first)| long(first)),
            nonlinearity: self.nonlinearity as i32,
            ones: self.ones.is_some().into(),
            out: RawOperand::new(self.out),
            out_part: long(self.out_part),
            ones_first: self.ones.map_or(0, long),
            scale: self.scale,
        }
    }
}

/// With one more column, of ones, whose results go to `first` of the array, if that is given: sums over the terms.
pub(crate) fn ones_column(product: Product, first: Option<usize>) -> Product {
    let columns = product.columns + usize::from(first.is_some());
    Product { columns, ones: first, ..product }
}

/// Terms of a part of a sum of that many, which depends on their number alone.
pub(crate) fn part_len(terms: usize) -> usize {
    terms.div_ceil(MOST_PARTS).max(LEAST_PART).next_multiple_of(DEPTH)
}

/// `Operand` of `kernels/product_operands.cuh`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct RawOperand {
    values: u64,
    first: i64,
    by_row: i64,
    by_column: i64,
}

impl RawOperand {
    fn new(of: Operand) -> Self {
        let Place { first, by_row, by_column } = of.place;
        Self { values: of.values, first: long(first), by_row: long(by_row), by_column: long(by_column) }
    }
}

/// `ProductOperands` of that file.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProductOperands {
    rows: i32,
    columns: i32,
    depth: i64,
    part: i64,
    left: RawOperand,
    right: RawOperand,
    activity: u64,
    bias: u64,
    bias_first: i64,
    nonlinearity: i32,
    ones: i32,
    out: RawOperand,
    out_part: i64,
    ones_first: i64,
    scale: f64,
}

// SAFETY: plain numbers in the layout of the C++ struct.
#[allow(unsafe_code, reason = "what kernels are given")]
unsafe impl Plain for ProductOperands {}
