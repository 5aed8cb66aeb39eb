//! Dense layers behind the shim.

use super::machine::{Machine, Problems};
use super::runner::{ShimReal, ShimRunner};
use crate::dense::{self, Dense};
use crate::spec::RawSpec;

/// y of a layer, the gradients of its packed parameters and of x, and what is wrong.
#[derive(Clone, Debug)]
pub struct DenseResults<T> {
    /// y `[N, O]`.
    pub y: Vec<T>,
    /// Gradient of the packed parameters.
    pub parameters: Vec<T>,
    /// Gradient of x `[N, I]`.
    pub x: Vec<T>,
    /// What is wrong.
    pub problems: Problems,
}

/// Runs a layer forward and back, from the gradient of y.
///
/// # Panics
/// If an array has another length than the layer asks for.
pub fn dense<T: ShimReal>(layer: &Dense, machine: Machine, parameters: &[T], x: &[T], grad_y: &[T]) -> DenseResults<T> {
    let rows = x.len() / layer.input;
    assert_eq!((x.len(), grad_y.len()), (rows * layer.input, rows * layer.output), "rows");
    assert_eq!(parameters.len(), layer.parameters(), "parameters");
    let runner = ShimRunner::new(RawSpec::general(), machine);
    let (parameters, x, grad_y) = (runner.array(parameters), runner.array(x), runner.array(grad_y));
    let y = dense::forward(&runner, layer, rows, &parameters, &x).expect("the shim");
    let back = dense::backward(&runner, layer, rows, [&parameters, &x, &y, &grad_y], true).expect("the shim");
    let grad_x = back.x.expect("it was asked for");
    let (y, parameters, x) = (y.values(), back.parameters.values(), grad_x.values());
    DenseResults { y, parameters, x, problems: runner.problems() }
}
