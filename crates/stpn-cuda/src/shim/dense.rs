//! Dense layers and the optimiser behind the shim.

use super::machine::{Machine, Problems};
use super::runner::{ShimArray, ShimReal, ShimRunner};
use crate::adam::{self, AdamSettings, AdamState, Moments};
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

/// Parameters after each of some steps of the optimiser, the norms of the gradients, and what is wrong.
#[derive(Clone, Debug)]
pub struct AdamResults<T> {
    /// Parameters after each step.
    pub parameters: Vec<Vec<T>>,
    /// The norm that the gradients of each step had.
    pub norms: Vec<f64>,
    /// What is wrong.
    pub problems: Problems,
}

/// Steps of the optimiser with these gradients, from moments of zero. Parameters and gradients lie in arrays of those
/// lengths, one after another.
///
/// # Panics
/// If the lengths do not add up to that of the parameters, or gradients have another.
pub fn adam<T: ShimReal>(
    settings: &AdamSettings,
    machine: Machine,
    lens: &[usize],
    parameters: &[T],
    gradients: &[Vec<T>],
) -> AdamResults<T> {
    let runner = ShimRunner::new(RawSpec::general(), machine);
    let arrays = |values: &[T]| -> Vec<ShimArray<T>> {
        let mut rest = values;
        let parts = lens.iter().map(|len| {
            let (part, after) = rest.split_at(*len);
            rest = after;
            runner.array(part)
        });
        let arrays = parts.collect();
        assert!(rest.is_empty(), "lengths");
        arrays
    };
    let parameters = arrays(parameters);
    let zeros = |len: usize| runner.array(&vec![T::default(); len]);
    let moments = lens.iter().map(|len| Moments { first: zeros(*len), second: zeros(*len), len: *len }).collect();
    let mut state = AdamState { moments, step: 0 };
    let (mut after, mut norms) = (Vec::new(), Vec::new());
    for gradients in gradients {
        let gradients = arrays(gradients);
        let pairs: Vec<[&ShimArray<T>; 2]> = parameters.iter().zip(&gradients).map(|(p, g)| [p, g]).collect();
        let norm = adam::step(&runner, settings, &mut state, &pairs).expect("the shim");
        after.push(parameters.iter().flat_map(ShimArray::values).collect());
        norms.extend(norm.values());
    }
    AdamResults { parameters: after, norms, problems: runner.problems() }
}
