//! The golden cases of the plastic cells on the kernels, in double precision: activities, states, all gradients.
#![allow(clippy::unwrap_used, reason = "a failing unwrap fails the test")]

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use serde_json::Value;
use stpn_cuda::shim::{Inputs, Machine};
use stpn_cuda::{Extent, Granularity, Layer, Modulated, Modulation, NormalizeState, Plastic, Rule, Synapses};
use support::{distance, plan, there_and_back};

const TOLERANCE: f64 = 1e-9;

/// Cells whose equations have no fused kernel on any device.
const COMPOSED_ALONE: [&str; 4] = ["stpn-plain-oja", "stpn-pre-oja", "stpnf-plain-oja", "stpn-post-of-f"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../stpn-core/tests/golden")
}

/// The layer that a description names; nothing for cells of other families.
fn layer(name: &str, text: &str) -> Option<(Layer, Extent)> {
    let case: Value = serde_json::from_str(text).unwrap();
    let size = |key: &str| usize::try_from(case[key].as_u64().unwrap()).unwrap();
    let flag = |key: &str| case[key].as_bool().unwrap();
    let word = |key: &str| case[key].as_str().unwrap();
    let extent = Extent { steps: size("steps"), batch: size("batch") };
    let (input, hidden) = (size("input"), size("hidden"));
    let modulated = |modulation| {
        let rule = match word("bound") {
            "hard-clamp" => Rule::HardClamp,
            "soft-clamp" => Rule::SoftClamp,
            "additive" => Rule::Additive,
            "decay" => Rule::Decay,
            other => panic!("{name}: bound {other}"),
        };
        Layer::Modulated(Modulated { input, hidden, modulation, rule })
    };
    let layer = match word("cell") {
        "stpn" => {
            if COMPOSED_ALONE.contains(&name) {
                return None;
            }
            assert_eq!((word("rule"), word("activation")), ("hebb", "tanh"), "{name}");
            assert!(word("norm_of") == "G" || word("normalize_state") == "none", "{name}: norm_of");
            Layer::Plastic(Plastic {
                input,
                hidden,
                recurrent: flag("recurrent"),
                normalize_forward: flag("normalize_forward"),
                normalize_state: match word("normalize_state") {
                    "none" => NormalizeState::None,
                    "before" => NormalizeState::Before,
                    "after" => NormalizeState::After,
                    other => panic!("{name}: normalize_state {other}"),
                },
                clamp: case["clamp"].as_f64(),
                decay_all: word("decay") == "all",
                synapses: match word("plastic") {
                    "all" => Synapses::All,
                    "input" => Synapses::Input,
                    "recurrent" => Synapses::Recurrent,
                    other => panic!("{name}: plastic {other}"),
                },
                granularity: match word("granularity") {
                    "synapse" => Granularity::Synapse,
                    "presynaptic" => Granularity::Presynaptic,
                    "scalar" => Granularity::Scalar,
                    other => panic!("{name}: granularity {other}"),
                },
                bias: flag("bias"),
                layer_norm: flag("layer_norm"),
                plastic_bias: flag("plastic_bias"),
                logistic: false,
            })
        }
        "hebbff" => Layer::Plastic(Plastic::hebbff(input, hidden)),
        "differentiable-plasticity" => modulated(Modulation::Constant),
        "backpropamine" => modulated(Modulation::Network),
        "backpropamine-retroactive" => modulated(Modulation::Retroactive),
        _ => return None,
    };
    Some((layer, extent))
}

/// Parameters in the order in which they are packed; which of them there are, the case says.
const PARAMETERS: [&str; 16] = [
    "weight_ih",
    "weight",
    "bias",
    "weight_hh",
    "alpha",
    "lambda",
    "gamma",
    "lambda_raw",
    "gamma_raw",
    "bias_lambda",
    "bias_gamma",
    "layer_norm.weight",
    "layer_norm.bias",
    "eta",
    "modulator.weight",
    "modulator.bias",
];

const STATE: [&str; 4] = ["h", "F", "bias_F", "trace"];

struct Tensors<'a>(SafeTensors<'a>);

impl Tensors<'_> {
    fn has(&self, name: &str) -> bool {
        self.0.names().into_iter().any(|known| known == name)
    }

    fn get(&self, name: &str) -> Vec<f64> {
        let tensor = self.0.tensor(name).unwrap();
        assert_eq!(tensor.dtype(), safetensors::Dtype::F64, "{name}");
        tensor.data().chunks_exact(8).map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap())).collect()
    }

    /// The parameters of these names one after another.
    fn packed(&self, prefix: &str, names: &[&str]) -> Vec<f64> {
        names.iter().flat_map(|name| self.get(&format!("{prefix}{name}"))).collect()
    }

    /// State fields of each of `rows` (steps and environments), packed.
    fn states(&self, prefix: &str, names: &[&str], rows: usize) -> Vec<f64> {
        let fields: Vec<Vec<f64>> = names.iter().map(|name| self.get(&format!("{prefix}{name}"))).collect();
        let row = |row: usize| fields.iter().flat_map(move |field| field.chunks(field.len() / rows).nth(row).unwrap());
        (0..rows).flat_map(row).copied().collect()
    }
}

fn check(name: &str, layer: &Layer, extent: Extent, tensors: &Tensors<'_>) {
    let parameters: Vec<&str> =
        PARAMETERS.into_iter().filter(|name| tensors.has(&format!("param.{name}"))).collect();
    let state: Vec<&str> = STATE.into_iter().filter(|name| tensors.has(&format!("state0.{name}"))).collect();
    let given = tensors.0.names().into_iter().filter(|name| name.starts_with("param.")).count();
    assert_eq!(given, parameters.len(), "{name}: parameters");
    let packed = tensors.packed("param.", &parameters);
    let (x, start) = (tensors.get("x"), tensors.states("state0.", &state, extent.batch));
    let inputs = Inputs { extent, parameters: &packed, x: &x, resets: None, start: &start };
    let plan = plan::<f64>(layer, extent);

    let hidden = tensors.get("h");
    let all_states = tensors.states("state.", &state, extent.steps * extent.batch);
    let of_step = extent.batch * layer.state_len();
    let end = &all_states[(extent.steps - 1) * of_step..];
    let twice = |weight: Vec<f64>, values: &[f64]| -> Vec<f64> {
        weight.iter().zip(values).map(|(weight, value)| 2.0 * weight * value).collect()
    };
    let grad_hidden = twice(tensors.get("loss_w.h"), &hidden);
    let grad_end = twice(tensors.states("loss_w.state.", &state, extent.batch), end);
    let (forward, backward) = there_and_back(layer, &plan, Machine::default(), inputs, &grad_hidden, &grad_end);
    let close = |what: &str, got: &[f64], want: &[f64]| {
        let distance = distance(got, want);
        assert!(distance < TOLERANCE, "{name} {what}: {distance:e}");
    };
    close("h", &forward.hidden, &hidden);
    close("final state", &forward.end, end);
    close("grad.x", &backward.x, &tensors.get("grad.x"));
    close("grad.state0", &backward.state, &tensors.states("grad.state0.", &state, extent.batch));
    let mut at = 0;
    for parameter in parameters {
        let want = tensors.get(&format!("grad.param.{parameter}"));
        close(&format!("grad.param.{parameter}"), &backward.parameters[at..at + want.len()], &want);
        at += want.len();
    }
    assert_eq!(at, backward.parameters.len(), "{name}: gradients");

    // States after each step are the final ones of the sequence's beginnings.
    for steps in 1..extent.steps {
        let extent = Extent { steps, ..extent };
        let x = &x[..steps * extent.batch * layer.input()];
        let plan = support::plan::<f64>(layer, extent);
        let part = stpn_cuda::shim::forward(layer, &plan, Machine::default(), Inputs { extent, x, ..inputs });
        assert_eq!(part.problems.count, 0, "{name}: {}", part.problems.first);
        close(&format!("state after {steps}"), &part.end, &all_states[(steps - 1) * of_step..steps * of_step]);
    }
}

/// Checks the cases that `wanted` takes, and returns their names.
fn check_all(wanted: impl Fn(&Layer) -> bool) -> BTreeSet<String> {
    let mut checked = BTreeSet::new();
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "json")) {
        let name = path.file_stem().unwrap().to_str().unwrap().to_string();
        let Some((layer, extent)) = layer(&name, &std::fs::read_to_string(&path).unwrap()) else { continue };
        if !wanted(&layer) {
            continue;
        }
        let bytes = std::fs::read(path.with_extension("safetensors")).unwrap();
        check(&name, &layer, extent, &Tensors(SafeTensors::deserialize(&bytes).unwrap()));
        checked.insert(name);
    }
    checked
}

#[test]
fn every_golden_case_of_the_stpn_family() {
    let checked = check_all(|layer| matches!(layer, Layer::Plastic(_)));
    assert_eq!(checked.len(), 25, "{checked:?}");
}

#[test]
fn every_golden_case_of_differentiable_plasticity_and_backpropamine() {
    let checked = check_all(|layer| matches!(layer, Layer::Modulated(_)));
    assert_eq!(checked.len(), 9, "{checked:?}");
}
