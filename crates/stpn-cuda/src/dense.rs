//! Dense layers: y = scale · nonlinearity(W x + b) over many rows, and its gradients. Parameters are packed: W
//! `[O, I]`, then b `[O]`.

use crate::nonlinearity::Nonlinearity;
use crate::product::{Operand, Product, ones_column, part_len, plain_rows};
use crate::runner::{Launch, Plain, Runner, Unit, int, long, reduce};
use crate::spec::GENERAL_THREADS;
use crate::{Real, Result};

/// A dense layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dense {
    /// Input size I.
    pub input: usize,
    /// Output size O.
    pub output: usize,
    /// What follows.
    pub nonlinearity: Nonlinearity,
    /// What the activity is multiplied by, above 0.
    pub scale: f64,
}

impl Dense {
    /// With these sizes and a scale of 1.
    pub fn new(input: usize, output: usize, nonlinearity: Nonlinearity) -> Self {
        Self { input, output, nonlinearity, scale: 1.0 }
    }

    /// Number of packed parameters.
    pub fn parameters(&self) -> usize {
        self.output * (self.input + 1)
    }
}

/// `DenseEnergyOperands` of `kernels/dense_energy_operands.cuh`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct DenseEnergyOperands {
    squares_len: i64,
    magnitudes_len: i64,
    input: i32,
    x: u64,
    mask: u64,
    parameters: u64,
    squares: u64,
    magnitudes: u64,
}

// SAFETY: plain integers in the layout of the C++ struct.
#[allow(unsafe_code, reason = "what kernels are given")]
unsafe impl Plain for DenseEnergyOperands {}

/// Gradients of the parameters, and of x if it was asked for.
#[derive(Debug)]
pub(crate) struct DenseBackward<A> {
    pub parameters: A,
    pub x: Option<A>,
}

/// x `[N, I]` to y `[N, O]`.
pub(crate) fn forward<T: Real, R: Runner<T>>(
    runner: &R,
    layer: &Dense,
    rows: usize,
    parameters: &R::Array,
    x: &R::Array,
) -> Result<R::Array> {
    let Dense { input, output, nonlinearity, scale } = *layer;
    let y = runner.reserve(rows * output)?;
    let packed = runner.address(parameters);
    Product {
        bias: Some((packed, output * input)),
        nonlinearity,
        scale,
        ..Product::new(
            [rows, output, input],
            Operand { values: runner.address(x), place: plain_rows(input) },
            Operand { values: packed, place: plain_rows(input).transposed() },
            Operand { values: runner.address(&y), place: plain_rows(output) },
        )
    }
    .launch(runner)?;
    Ok(y)
}

/// The energy Σ_i |W_oi| (m_i x_i)² of every output, `[N, O]`; bias, nonlinearity and scale have no part in it. `mask`
/// is the address of m `[I]`, 0 for none.
pub(crate) fn energy<T: Real, R: Runner<T>>(
    runner: &R,
    layer: &Dense,
    rows: usize,
    [parameters, x]: [&R::Array; 2],
    mask: u64,
) -> Result<R::Array> {
    let Dense { input, output, .. } = *layer;
    let (squares, magnitudes) = (runner.reserve(rows * input)?, runner.reserve(output * input)?);
    let operands = DenseEnergyOperands {
        squares_len: long(rows * input),
        magnitudes_len: long(output * input),
        input: int(input),
        x: runner.address(x),
        mask,
        parameters: runner.address(parameters),
        squares: runner.address(&squares),
        magnitudes: runner.address(&magnitudes),
    };
    let blocks = ((rows + output) * input).div_ceil(GENERAL_THREADS);
    runner.launch(Launch { unit: Unit::General, kernel: "energy_factors", blocks, shared: 0 }, &operands)?;
    let energy = runner.reserve(rows * output)?;
    Product::new(
        [rows, output, input],
        Operand { values: operands.squares, place: plain_rows(input) },
        Operand { values: operands.magnitudes, place: plain_rows(input).transposed() },
        Operand { values: runner.address(&energy), place: plain_rows(output) },
    )
    .launch(runner)?;
    Ok(energy)
}

/// From the gradient of y, with the x and y of [`forward`].
pub(crate) fn backward<T: Real, R: Runner<T>>(
    runner: &R,
    layer: &Dense,
    rows: usize,
    [parameters, x, y, grad_y]: [&R::Array; 4],
    to_inputs: bool,
) -> Result<DenseBackward<R::Array>> {
    let Dense { input, output, nonlinearity, scale } = *layer;
    let grad_y = Operand { values: runner.address(grad_y), place: plain_rows(output) };
    let activity = Some(runner.address(y)).filter(|_| nonlinearity != Nonlinearity::Linear || scale != 1.0);

    let part = part_len(rows);
    let parts = rows.div_ceil(part);
    let partials = runner.reserve(parts * layer.parameters())?;
    let weights = Product {
        part,
        out_part: layer.parameters(),
        nonlinearity,
        activity,
        scale,
        ..Product::new(
            [output, input, rows],
            Operand { place: grad_y.place.transposed(), ..grad_y },
            Operand { values: runner.address(x), place: plain_rows(input) },
            Operand { values: runner.address(&partials), place: plain_rows(input) },
        )
    };
    ones_column(weights, Some(output * input)).launch(runner)?;
    let gradient = reduce(runner, Unit::General, partials, parts, layer.parameters())?;

    let mut grad_x = None;
    if to_inputs {
        let to = grad_x.insert(runner.reserve(rows * input)?);
        Product {
            nonlinearity,
            activity,
            scale,
            ..Product::new(
                [rows, input, output],
                grad_y,
                Operand { values: runner.address(parameters), place: plain_rows(input) },
                Operand { values: runner.address(to), place: plain_rows(input) },
            )
        }
        .launch(runner)?;
    }
    Ok(DenseBackward { parameters: gradient, x: grad_x })
}
