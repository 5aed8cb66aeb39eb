//! Convolutions behind the shim.

use super::dense::DenseResults;
use super::machine::Machine;
use super::runner::{ShimReal, ShimRunner};
use crate::convolution::{self, Convolution};
use crate::spec::RawSpec;

/// Runs a layer forward and back, from the gradient of y, with at most `room` elements of the gradients of windows at once.
///
/// # Panics
/// If an array has another length than the layer asks for.
pub fn convolution<T: ShimReal>(
    layer: &Convolution,
    machine: Machine,
    [parameters, x, grad_y]: [&[T]; 3],
    room: usize,
) -> DenseResults<T> {
    layer.check().expect("a layer that has an output");
    let images = x.len() / layer.input();
    assert_eq!((x.len(), grad_y.len()), (images * layer.input(), images * layer.output()), "images");
    assert_eq!(parameters.len(), layer.parameters(), "parameters");
    let runner = ShimRunner::new(RawSpec::general(), machine);
    let [parameters, x, grad_y] = [parameters, x, grad_y].map(|values| runner.array(values));
    let y = convolution::forward(&runner, layer, images, &parameters, &x).expect("the shim");
    let arrays = [&parameters, &x, &y, &grad_y];
    let back = convolution::backward(&runner, layer, images, arrays, true, room).expect("the shim");
    let grad_x = back.x.expect("it was asked for");
    let (y, parameters, x) = (y.values(), back.parameters.values(), grad_x.values());
    DenseResults { y, parameters, x, problems: runner.problems() }
}
