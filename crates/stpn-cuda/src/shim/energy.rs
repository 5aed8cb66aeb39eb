//! Energy of sequences and of dense layers behind the shim.

use super::machine::{Machine, Problems};
use super::runner::{ShimReal, ShimRunner};
use super::sequence::{Inputs, lent};
use crate::any::AnyLayer;
use crate::dense::{self, Dense};
use crate::energy::EnergyOf;
use crate::gated::{GatedPlan, passes};
use crate::plan::Plan;
use crate::plastic;
use crate::sequence::MeasuredSequence;
use crate::spec::RawSpec;

/// Results of a forward pass whose energy was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasuredResults<T> {
    /// Activities `[T, B, H]`.
    pub hidden: Vec<T>,
    /// The final state `[B, S]`.
    pub end: Vec<T>,
    /// Energy of every unit, `[samples, B', H]`.
    pub energy: Vec<T>,
    /// What is wrong.
    pub problems: Problems,
}

/// Runs a sequence forward and measures its energy. A block has `shared` bytes of shared memory.
///
/// # Panics
/// If an array has another length than the layer and the extent ask for, or nothing is measured.
pub fn forward_measured<T: ShimReal>(
    layer: &AnyLayer,
    shared: usize,
    machine: Machine,
    inputs: Inputs<'_, T>,
    energy: &EnergyOf<'_, T>,
) -> MeasuredResults<T> {
    let extent = inputs.extent;
    inputs.check([layer.parameters(), layer.input(), layer.state_len()]);
    energy.check_sequence(layer.input(), extent.steps, extent.batch).expect("something that can be measured");
    let (runner, results) = match layer {
        AnyLayer::Plastic(layer) => {
            let plan = Plan::new(layer, extent, size_of::<T>(), shared).expect("a layer that fits");
            let runner = ShimRunner::new(RawSpec::new(layer, &plan.threads), machine);
            let (arrays, mask) = (lent(&runner, inputs), energy.mask.map(|mask| runner.array(mask)));
            let of = (energy, mask.as_ref().map_or(0, ShimRunner::address_of));
            let measured = plastic::forward_measured(&runner, layer, &plan, &arrays.inputs(extent), of);
            (runner, measured.expect("the shim"))
        }
        AnyLayer::Gated(layer) => {
            let plan = GatedPlan::new(layer, extent, size_of::<T>(), shared).expect("a layer that fits");
            let runner = ShimRunner::new(RawSpec::gated(layer, &plan), machine);
            let (arrays, mask) = (lent(&runner, inputs), energy.mask.map(|mask| runner.array(mask)));
            let of = (energy, mask.as_ref().map_or(0, ShimRunner::address_of));
            let measured = passes::forward_measured(&runner, layer, &plan, &arrays.inputs(extent), of);
            (runner, measured.expect("the shim"))
        }
    };
    let MeasuredSequence { hidden, end, energy } = results;
    let (hidden, end, energy) = (hidden.values(), end.values(), energy.values());
    MeasuredResults { hidden, end, energy, problems: runner.problems() }
}

/// The energy of a dense layer's outputs for x `[N, I]`, `[N, O]`, and what is wrong.
///
/// # Panics
/// If an array has another length than the layer asks for.
pub fn dense_energy<T: ShimReal>(
    layer: &Dense,
    machine: Machine,
    parameters: &[T],
    x: &[T],
    mask: Option<&[T]>,
) -> (Vec<T>, Problems) {
    let rows = x.len() / layer.input;
    assert_eq!((x.len(), parameters.len()), (rows * layer.input, layer.parameters()), "lengths");
    assert!(mask.is_none_or(|mask| mask.len() == layer.input), "mask");
    let runner = ShimRunner::new(RawSpec::general(), machine);
    let (parameters, x) = (runner.array(parameters), runner.array(x));
    let mask = mask.map(|mask| runner.array(mask));
    let address = mask.as_ref().map_or(0, ShimRunner::address_of);
    let energy = dense::energy(&runner, layer, rows, [&parameters, &x], address).expect("the shim");
    (energy.values(), runner.problems())
}
