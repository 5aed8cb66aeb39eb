//! The kernels' source for one layer: constants first, then the files of `kernels/` in their order.

use std::fmt::Write as _;

use crate::layer::{Granularity, Layer, Modulation, NormalizeState, Rule};
use crate::plan::{Place, Threads};
use crate::real::Real;

/// A file of `kernels/` by its name.
type File = (&'static str, &'static str);

/// The files that all layers need, in the order in which `plastic.cu` includes them.
const COMMON: [File; 5] = [
    ("device.cuh", include_str!("../kernels/device.cuh")),
    ("spec.cuh", include_str!("../kernels/spec.cuh")),
    ("layout.cuh", include_str!("../kernels/layout.cuh")),
    ("sums.cuh", include_str!("../kernels/sums.cuh")),
    ("operands.cuh", include_str!("../kernels/operands.cuh")),
];

/// Those of the STPN family.
const PLASTIC: [File; 3] = [
    ("plastic_table.cuh", include_str!("../kernels/plastic_table.cuh")),
    ("plastic_forward.cuh", include_str!("../kernels/plastic_forward.cuh")),
    ("plastic_backward.cuh", include_str!("../kernels/plastic_backward.cuh")),
];

/// Those of differentiable plasticity and Backpropamine.
const MODULATED: [File; 3] = [
    ("modulated_rule.cuh", include_str!("../kernels/modulated_rule.cuh")),
    ("modulated_forward.cuh", include_str!("../kernels/modulated_forward.cuh")),
    ("modulated_backward.cuh", include_str!("../kernels/modulated_backward.cuh")),
];

const REDUCTION: File = ("reduce.cuh", include_str!("../kernels/reduce.cuh"));

/// `Spec` of `kernels/spec.cuh`, field by field.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RawSpec {
    bound: f64,
    values: [i32; 20],
}

impl RawSpec {
    /// Of that layer with that division.
    pub fn new(layer: &Layer, threads: &Threads) -> Self {
        let flag = usize::from;
        let division = [threads.lanes, threads.count, threads.place as usize];
        let mut bound = 0.0;
        let values: [usize; 20] = match layer {
            Layer::Plastic(of) => {
                bound = of.clamp.unwrap_or(0.0);
                let normalize_state = match of.normalize_state {
                    NormalizeState::None => 0,
                    NormalizeState::Before => 1,
                    NormalizeState::After => 2,
                };
                let granularity = match of.granularity {
                    Granularity::Synapse => 0,
                    Granularity::Presynaptic => 1,
                    Granularity::Scalar => 2,
                };
                let (first, len) = of.plastic();
                let [lanes, count, place] = division;
                [
                    0,
                    of.input,
                    of.hidden,
                    flag(of.recurrent),
                    flag(of.normalize_forward),
                    normalize_state,
                    flag(of.clamp.is_some()),
                    flag(of.decay_all),
                    first,
                    len,
                    granularity,
                    flag(of.bias),
                    flag(of.layer_norm),
                    flag(of.plastic_bias),
                    flag(of.logistic),
                    0,
                    0,
                    lanes,
                    count,
                    place,
                ]
            }
            Layer::Modulated(of) => {
                let modulation = match of.modulation {
                    Modulation::Constant => 0,
                    Modulation::Network => 1,
                    Modulation::Retroactive => 2,
                };
                let rule = match of.rule {
                    Rule::HardClamp => 0,
                    Rule::SoftClamp => 1,
                    Rule::Additive => 2,
                    Rule::Decay => 3,
                };
                let clamped = rule < 2;
                if clamped {
                    bound = if (modulation, rule) == (2, 1) { 0.99999 } else { 1.0 };
                }
                let [lanes, count, place] = division;
                let (input, hidden) = (of.input, of.hidden);
                let start = [1, input, hidden, 1, 0, 0, flag(clamped), 0, input, hidden];
                let end = [0, 1, 0, 0, 0, modulation, rule, lanes, count, place];
                std::array::from_fn(|index| if index < 10 { start[index] } else { end[index - 10] })
            }
        };
        Self { bound, values: values.map(|value| i32::try_from(value).unwrap_or(i32::MAX)) }
    }
}

/// The whole source of the kernels for one layer, without any include.
pub fn source<T: Real>(layer: &Layer, threads: &Threads) -> String {
    let raw = RawSpec::new(layer, threads);
    let values: Vec<String> = raw.values.iter().map(i32::to_string).collect();
    let mut text = String::new();
    // Writing into a string does not fail.
    let _ = writeln!(text, "#define STPN_REAL {}", T::NAME);
    let _ = writeln!(text, "#define STPN_SPEC {:?}, {}", raw.bound, values.join(", "));
    let _ = writeln!(text, "#define STPN_THREADS {}", threads.count);
    // In registers all places must be known. Else code of a thousand synapses in a row would not be faster, but long;
    // a few columns at once keep several reads of memory under way.
    let (rows, columns) =
        if threads.place == Place::Registers { ("unroll", "unroll") } else { ("unroll 1", "unroll 4") };
    let _ = writeln!(text, "#define STPN_UNROLL _Pragma(\"{rows}\")");
    let _ = writeln!(text, "#define STPN_UNROLL_COLUMNS _Pragma(\"{columns}\")");
    let of_family = match layer {
        Layer::Plastic(_) => PLASTIC,
        Layer::Modulated(_) => MODULATED,
    };
    // They are parts of one unit and include nothing.
    for (_, file) in COMMON.into_iter().chain(of_family).chain([REDUCTION]) {
        text.push_str(file);
    }
    text
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
    use crate::{Extent, Modulated, Plan, Plastic};

    #[test]
    fn the_source_needs_no_other_file() {
        let modulated = Modulated { input: 3, hidden: 4, modulation: Modulation::Network, rule: Rule::Decay };
        for layer in [Layer::Plastic(Plastic::maze(3, 4)), Layer::Modulated(modulated)] {
            let plan = Plan::new(&layer, Extent { steps: 5, batch: 2 }, 4, 100_000).expect("a small layer");
            let text = source::<f32>(&layer, &plan.threads);
            assert!(!text.contains("#include"), "a file is included");
            assert!(text.contains(kernel_name(&layer, true)) && text.contains("sum_rows"), "kernels are missing");
        }
    }

    /// The shim compiles `plastic.cu`, a device what [`source`] makes: the same files in the same order.
    #[test]
    fn the_unit_of_the_shim_has_the_same_files() {
        let unit = include_str!("../kernels/plastic.cu");
        let included: Vec<&str> =
            unit.lines().filter_map(|line| line.strip_prefix("#include \"")?.strip_suffix('"')).collect();
        let files = COMMON.into_iter().chain(PLASTIC).chain(MODULATED).chain([REDUCTION]);
        assert_eq!(included, files.map(|(name, _)| name).collect::<Vec<_>>());
    }
}
