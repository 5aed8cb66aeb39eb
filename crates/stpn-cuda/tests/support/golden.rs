//! The golden cases of the cells that have kernels: layers, operands, and what must come out.

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use serde_json::Value;
use stpn_cuda::{
    Extent, Gated, GatedKind, Granularity, Layer, Modulated, Modulation, NormalizeState, Plastic, Rule, Synapses,
};

use super::distance;

/// Cells whose equations have no fused kernel on any device.
const COMPOSED_ALONE: [&str; 4] = ["stpn-plain-oja", "stpn-pre-oja", "stpnf-plain-oja", "stpn-post-of-f"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../stpn-core/tests/golden")
}

/// The size of that name.
fn size(case: &Value, key: &str) -> usize {
    usize::try_from(case[key].as_u64().unwrap()).unwrap()
}

/// The layer with fast weights that a description names; nothing for cells of other families.
fn plastic(name: &str, case: &Value) -> Option<Layer> {
    let flag = |key: &str| case[key].as_bool().unwrap();
    let word = |key: &str| case[key].as_str().unwrap();
    let (input, hidden) = (size(case, "input"), size(case, "hidden"));
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
    Some(layer)
}

/// The LSTM, GRU or RNN that a description names.
fn gated(case: &Value, tensors: &Tensors<'_>) -> Option<Gated> {
    let kind = match case["cell"].as_str().unwrap() {
        "lstm" => GatedKind::Lstm,
        "gru" => GatedKind::Gru,
        "rnn" => GatedKind::Rnn,
        _ => return None,
    };
    let layer = Gated::new(kind, size(case, "input"), size(case, "hidden"));
    let layer_norm = case["layer_norm"].as_bool().unwrap_or(false);
    Some(Gated { split: tensors.has("param.weight_ih"), layer_norm, ..layer })
}

/// Parameters in the order in which they are packed; which of them there are, the case says.
const GATED_PARAMETERS: [&str; 8] =
    ["weight", "weight_ih", "weight_hh", "bias", "bias_ih", "bias_hh", "layer_norm.weight", "layer_norm.bias"];

/// Those of layers with fast weights.
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

const STATE: [&str; 5] = ["h", "c", "F", "bias_F", "trace"];

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

/// One case.
pub struct Case<L = Layer> {
    pub name: String,
    pub layer: L,
    pub extent: Extent,
    pub parameters: Vec<f64>,
    pub x: Vec<f64>,
    pub start: Vec<f64>,
    pub grad_hidden: Vec<f64>,
    pub grad_end: Vec<f64>,
    hidden: Vec<f64>,
    /// Packed states after each step, `[T, B, S]`.
    states: Vec<f64>,
    state_len: usize,
    grad_x: Vec<f64>,
    grad_start: Vec<f64>,
    grad_parameters: Vec<(String, Vec<f64>)>,
}

/// What came out.
pub struct Results {
    pub hidden: Vec<f64>,
    pub end: Vec<f64>,
    pub grad_x: Vec<f64>,
    pub grad_start: Vec<f64>,
    pub grad_parameters: Vec<f64>,
}

impl<L> Case<L> {
    fn new(name: &str, layer: L, extent: Extent, names: &[&'static str], tensors: &Tensors<'_>) -> Self {
        let parameters: Vec<&str> =
            names.iter().copied().filter(|name| tensors.has(&format!("param.{name}"))).collect();
        let state: Vec<&str> = STATE.into_iter().filter(|name| tensors.has(&format!("state0.{name}"))).collect();
        let given = tensors.0.names().into_iter().filter(|name| name.starts_with("param.")).count();
        assert_eq!(given, parameters.len(), "{name}: parameters");
        let hidden = tensors.get("h");
        let states = tensors.states("state.", &state, extent.steps * extent.batch);
        let end = &states[(extent.steps - 1) * (states.len() / extent.steps)..];
        let state_len = states.len() / extent.steps / extent.batch;
        // The loss is the sum of the weighted squares.
        let twice = |weight: Vec<f64>, values: &[f64]| -> Vec<f64> {
            weight.iter().zip(values).map(|(weight, value)| 2.0 * weight * value).collect()
        };
        let gradient = |name: &str| (format!("grad.param.{name}"), tensors.get(&format!("grad.param.{name}")));
        Self {
            name: name.to_string(),
            extent,
            parameters: tensors.packed("param.", &parameters),
            x: tensors.get("x"),
            start: tensors.states("state0.", &state, extent.batch),
            grad_hidden: twice(tensors.get("loss_w.h"), &hidden),
            grad_end: twice(tensors.states("loss_w.state.", &state, extent.batch), end),
            grad_x: tensors.get("grad.x"),
            grad_start: tensors.states("grad.state0.", &state, extent.batch),
            grad_parameters: parameters.iter().map(|name| gradient(name)).collect(),
            layer,
            hidden,
            states,
            state_len,
        }
    }

    /// Packed states after so many steps, `[B, S]`.
    pub fn state_after(&self, steps: usize) -> &[f64] {
        let len = self.extent.batch * self.state_len;
        &self.states[(steps - 1) * len..steps * len]
    }

    /// Panics unless all results are those of the case.
    pub fn compare(&self, results: &Results, tolerance: f64) {
        let close = |what: &str, got: &[f64], want: &[f64]| {
            let distance = distance(got, want);
            assert!(distance < tolerance, "{} {what}: {distance:e}", self.name);
        };
        close("h", &results.hidden, &self.hidden);
        close("final state", &results.end, self.state_after(self.extent.steps));
        close("grad.x", &results.grad_x, &self.grad_x);
        close("grad.state0", &results.grad_start, &self.grad_start);
        let mut rest = &results.grad_parameters[..];
        for (name, want) in &self.grad_parameters {
            let (got, after) = rest.split_at(want.len());
            close(name, got, want);
            rest = after;
        }
        assert!(rest.is_empty(), "{}: gradients", self.name);
    }
}

/// All cases of layers that `of` finds, whose parameters are packed in the order of `names`.
fn cases_of<L>(names: &[&'static str], of: impl Fn(&str, &Value, &Tensors<'_>) -> Option<L>) -> Vec<Case<L>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut cases = Vec::new();
    for path in paths.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "json")) {
        let name = path.file_stem().unwrap().to_str().unwrap().to_string();
        let case: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let bytes = std::fs::read(path.with_extension("safetensors")).unwrap();
        let tensors = Tensors(SafeTensors::deserialize(&bytes).unwrap());
        let Some(layer) = of(&name, &case, &tensors) else { continue };
        let extent = Extent { steps: size(&case, "steps"), batch: size(&case, "batch") };
        cases.push(Case::new(&name, layer, extent, names, &tensors));
    }
    cases
}

/// All cases of the layers with fast weights.
pub fn cases() -> Vec<Case> {
    cases_of(&PARAMETERS, |name, case, _| plastic(name, case))
}

/// All cases of LSTM, GRU and RNN.
pub fn gated_cases() -> Vec<Case<Gated>> {
    cases_of(&GATED_PARAMETERS, |_, case, tensors| gated(case, tensors))
}
