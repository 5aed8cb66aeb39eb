//! The kernels' source for one unit: constants first, then the files of `kernels/` in their order.

use std::fmt::Write as _;

use crate::gated::{Gated, GatedPlan};
use crate::layer::Layer;
use crate::plan::{Place, Threads};
use crate::real::Real;
use crate::spec::RawSpec;

/// A file of `kernels/` by its name.
type File = (&'static str, &'static str);

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../kernels/", $name)))),*]
    };
}

/// The files that all units need, in the order in which `kernels.cu` includes them.
const COMMON: [File; 5] = files!["device.cuh", "spec.cuh", "nonlinearities.cuh", "warps.cuh", "resets.cuh"];

/// Those of energy and of rollouts, which all layers with a memory need.
const ROLLOUTS: [File; 12] = files![
    "energy_operands.cuh",
    "energy.cuh",
    "encoder_operands.cuh",
    "encoder.cuh",
    "play_operands.cuh",
    "play.cuh",
    "maze_operands.cuh",
    "maze.cuh",
    "foreseen_operands.cuh",
    "foreseen.cuh",
    "game_operands.cuh",
    "game.cuh",
];

/// Those of layers with fast weights.
const SYNAPSES: [File; 7] = files![
    "layout.cuh",
    "sums.cuh",
    "operands.cuh",
    "presynaptic.cuh",
    "synapse_measured_operands.cuh",
    "synapse_rollout_operands.cuh",
    "synapse_source.cuh",
];

/// Those of the STPN family.
const PLASTIC: [File; 3] = files!["plastic_table.cuh", "plastic_forward.cuh", "plastic_backward.cuh"];

/// Those of differentiable plasticity and Backpropamine.
const MODULATED: [File; 3] = files!["modulated_rule.cuh", "modulated_forward.cuh", "modulated_backward.cuh"];

/// Those of LSTM, GRU and RNN.
const GATED: [File; 10] = files![
    "gated_operands.cuh",
    "gated_inputs.cuh",
    "gated_measured_operands.cuh",
    "gated_rollout_operands.cuh",
    "gated_weights.cuh",
    "gated_units.cuh",
    "gated_norm.cuh",
    "gated_source.cuh",
    "gated_forward.cuh",
    "gated_backward.cuh",
];

/// Those that are the same for all layers.
const GENERAL: [File; 25] = files![
    "product_operands.cuh",
    "product.cuh",
    "bytes_operands.cuh",
    "bytes.cuh",
    "gather_operands.cuh",
    "gather.cuh",
    "dense_energy_operands.cuh",
    "dense_energy.cuh",
    "convolution_operands.cuh",
    "convolution.cuh",
    "double_sums.cuh",
    "adam_operands.cuh",
    "adam.cuh",
    "advantage_operands.cuh",
    "advantage.cuh",
    "softmax.cuh",
    "policy_operands.cuh",
    "distribution.cuh",
    "categorical.cuh",
    "bernoulli.cuh",
    "gaussian.cuh",
    "loss_operands.cuh",
    "loss.cuh",
    "ppo_operands.cuh",
    "ppo.cuh",
];

const REDUCTION: [File; 2] = files!["reduce_operands.cuh", "reduce.cuh"];

/// The source of those files, without any include; loops over rows and columns unroll as said.
fn text<T: Real>(raw: &RawSpec, [rows, columns]: [&str; 2], files: &[&[File]]) -> String {
    let values: Vec<String> = raw.values().iter().map(i32::to_string).collect();
    let mut text = String::new();
    // Writing into a string does not fail.
    let _ = writeln!(text, "#define STPN_REAL {}", T::NAME);
    let _ = writeln!(text, "#define STPN_SPEC {:?}, {}", raw.bound, values.join(", "));
    let _ = writeln!(text, "#define STPN_THREADS {}", raw.threads);
    let _ = writeln!(text, "#define STPN_UNROLL _Pragma(\"{rows}\")");
    let _ = writeln!(text, "#define STPN_UNROLL_COLUMNS _Pragma(\"{columns}\")");
    // They are parts of one unit and include nothing.
    for (_, file) in files.iter().copied().flatten() {
        text.push_str(file);
    }
    text
}

/// The whole source of the kernels for one layer with fast weights.
pub fn source<T: Real>(layer: &Layer, threads: &Threads) -> String {
    // In registers all places must be known. Else code of a thousand synapses in a row would not be faster, but long;
    // a few columns at once keep several reads of memory under way.
    let unroll = if threads.place == Place::Registers { ["unroll", "unroll"] } else { ["unroll 1", "unroll 4"] };
    let of_family = match layer {
        Layer::Plastic(_) => &PLASTIC,
        Layer::Modulated(_) => &MODULATED,
    };
    text::<T>(&RawSpec::new(layer, threads), unroll, &[&COMMON, &ROLLOUTS, &SYNAPSES, of_family, &REDUCTION])
}

/// The whole source of the sequence kernels for one LSTM, GRU or RNN.
pub fn gated_source<T: Real>(layer: &Gated, plan: &GatedPlan) -> String {
    text::<T>(&RawSpec::gated(layer, plan), ["unroll 1", "unroll 8"], &[&COMMON, &ROLLOUTS, &GATED, &REDUCTION])
}

/// The whole source of the kernels that are the same for all layers: products, reductions, the optimiser, the loss.
pub fn general_source<T: Real>() -> String {
    text::<T>(&RawSpec::general(), ["unroll 1", "unroll 1"], &[&COMMON, &GENERAL, &REDUCTION])
}

/// Name of the kernel of a pass.
pub fn kernel_name(layer: &Layer, backward: bool) -> &'static str {
    match (layer, backward) {
        (Layer::Plastic(_), false) => "plastic_forward",
        (Layer::Plastic(_), true) => "plastic_backward",
        (Layer::Modulated(_), false) => "modulated_forward",
        (Layer::Modulated(_), true) => "modulated_backward",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Extent, GatedKind, Modulated, Modulation, Plan, Plastic, Rule};

    #[test]
    fn the_source_needs_no_other_file() {
        let modulated = Modulated { input: 3, hidden: 4, modulation: Modulation::Network, rule: Rule::Decay };
        for layer in [Layer::Plastic(Plastic::maze(3, 4)), Layer::Modulated(modulated)] {
            let plan = Plan::new(&layer, Extent { steps: 5, batch: 2 }, 4, 100_000).expect("a small layer");
            let text = source::<f32>(&layer, &plan.threads);
            assert!(!text.contains("#include"), "a file is included");
            assert!(text.contains(kernel_name(&layer, true)) && text.contains("sum_rows"), "kernels are missing");
        }
        let layer = Gated::new(GatedKind::Gru, 3, 4);
        let plan = GatedPlan::new(&layer, Extent { steps: 5, batch: 2 }, 4, 100_000).expect("a small layer");
        let text = gated_source::<f32>(&layer, &plan) + &general_source::<f32>();
        assert!(!text.contains("#include"), "a file is included");
    }

    /// The shim compiles `kernels.cu`, a device what these functions make: the same files in the same order.
    #[test]
    fn the_unit_of_the_shim_has_the_same_files() {
        let unit = include_str!("../kernels/kernels.cu");
        let included: Vec<&str> =
            unit.lines().filter_map(|line| line.strip_prefix("#include \"")?.strip_suffix('"')).collect();
        let files: [&[File]; 8] = [&COMMON, &ROLLOUTS, &SYNAPSES, &PLASTIC, &MODULATED, &GATED, &GENERAL, &REDUCTION];
        assert_eq!(included, files.into_iter().flatten().map(|(name, _)| *name).collect::<Vec<_>>());
    }
}
