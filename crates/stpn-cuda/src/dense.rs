//! Dense layers: y = scale · nonlinearity(W x + b) over many rows, and its gradients. Parameters are packed: W
//! `[O, I]`, then b `[O]`.

use crate::nonlinearity::Nonlinearity;
use crate::product::{Operand, Product, ones_column, part_len, plain_rows};
use crate::runner::{Runner, Unit, reduce};
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
