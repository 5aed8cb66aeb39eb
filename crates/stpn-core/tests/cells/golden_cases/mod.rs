//! The golden cases: typed descriptions, and tensors.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path as FilePath, PathBuf};

use candle_core::{DType, Device, Tensor};
use serde::Deserialize;
use serde_json::{Map, Value};
use stpn_core::cells::{
    AssociativeRule, BackpropamineConfig, Bound, Decay, FastWeightsConfig, FrameStackConfig, Granularity, GruConfig,
    HebbFfConfig, LinearAttentionConfig, LinearRecurrentConfig, LstmConfig, Modulation, NormOf, NormalizeState,
    Plastic, RnnConfig, Rule, StpnConfig,
};
use stpn_core::{Cell, CellConfig, Kernel};

/// Which implementation of a sequence is compared.
#[derive(Clone, Copy, Debug)]
pub enum Path {
    Composed,
    Fused,
}

/// One case: a cell, its data and what must come out.
pub struct Case {
    pub name: String,
    pub config: CellConfig,
    pub batch: usize,
    pub steps: usize,
    input: usize,
    pub hidden: usize,
    tensors: HashMap<String, Tensor>,
}

/// The part of a description that all cells have.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Frame {
    cell: String,
    input: usize,
    hidden: usize,
    batch: usize,
    steps: usize,
    #[expect(dead_code, reason = "for human readers")]
    note: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Tanh {
    Tanh,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Sigmoid {
    Sigmoid,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "activation admits one value")]
struct StpnCase {
    activation: Tanh,
    recurrent: bool,
    normalize_forward: bool,
    normalize_state: NormalizeState,
    norm_of: NormOf,
    clamp: Option<f64>,
    rule: Rule,
    decay: Decay,
    plastic: Plastic,
    granularity: Granularity,
    bias: bool,
    layer_norm: bool,
    plastic_bias: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "activation admits one value")]
struct HebbFfCase {
    activation: Sigmoid,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "activation admits one value")]
struct FastWeightsCase {
    activation: Tanh,
    inner_steps: usize,
    decay: f64,
    rate: f64,
    layer_norm: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "activation admits one value")]
struct RnnCase {
    activation: Tanh,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LstmCase {
    #[serde(default)]
    layer_norm: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LinearRecurrentCase {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LinearAttentionCase {
    rule: AssociativeRule,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FrameStackCase {
    frames: usize,
    position: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "activation admits one value")]
struct BackpropamineCase {
    activation: Tanh,
    modulation: Option<Tanh>,
    bound: Bound,
    clamp: f64,
}

/// Reads a description; panics on any cell, option or value it does not know. `split` where the file has the
/// matrices of inputs and units apart, which descriptions leave to the reader.
fn describe(name: &str, text: &str, split: bool) -> (Frame, CellConfig) {
    let mut options: Map<String, Value> = serde_json::from_str(text).unwrap_or_else(|why| panic!("{name}: {why}"));
    let mut frame = Map::new();
    for key in ["cell", "input", "hidden", "batch", "steps", "note"] {
        frame.extend(options.remove(key).map(|value| (key.to_string(), value)));
    }
    let frame: Frame = serde_json::from_value(Value::Object(frame)).unwrap_or_else(|why| panic!("{name}: {why}"));
    let config = configure(name, &frame.cell, Value::Object(options), split);
    (frame, config)
}

/// The cell's configuration.
fn configure(name: &str, cell: &str, options: Value, split: bool) -> CellConfig {
    fn parse<T: for<'de> Deserialize<'de>>(name: &str, options: Value) -> T {
        serde_json::from_value(options).unwrap_or_else(|why| panic!("{name}: {why}"))
    }
    let modulated = |modulation, options| {
        let BackpropamineCase { modulation: nonlinearity, bound, clamp, .. } = parse(name, options);
        assert_eq!(clamp, 1.0, "{name}: clamp");
        assert_eq!(nonlinearity.is_none(), modulation == Modulation::Constant, "{name}: modulation");
        CellConfig::Backpropamine(BackpropamineConfig { modulation, bound })
    };
    match cell {
        "stpn" => {
            let case: StpnCase = parse(name, options);
            CellConfig::Stpn(StpnConfig {
                recurrent: case.recurrent,
                normalize_forward: case.normalize_forward,
                normalize_state: case.normalize_state,
                norm_of: case.norm_of,
                clamp: case.clamp,
                rule: case.rule,
                decay: case.decay,
                plastic: case.plastic,
                granularity: case.granularity,
                bias: case.bias,
                layer_norm: case.layer_norm,
                plastic_bias: case.plastic_bias,
                // Parameters are the case's.
                ..StpnConfig::default()
            })
        }
        "hebbff" => {
            let HebbFfCase { .. } = parse(name, options);
            CellConfig::Hebbff(HebbFfConfig {})
        }
        "fast-weights" => {
            let FastWeightsCase { inner_steps, decay, rate, layer_norm, .. } = parse(name, options);
            CellConfig::FastWeights(FastWeightsConfig { inner_steps, decay, rate, layer_norm })
        }
        "rnn" => {
            let RnnCase { .. } = parse(name, options);
            CellConfig::Rnn(RnnConfig { split })
        }
        "lstm" => {
            let LstmCase { layer_norm } = parse(name, options);
            CellConfig::Lstm(LstmConfig { split, layer_norm })
        }
        "gru" => CellConfig::Gru(parse::<GruConfig>(name, options)),
        "linear-recurrent" => {
            let LinearRecurrentCase {} = parse(name, options);
            // Its options are about initial values; parameters are the case's.
            CellConfig::LinearRecurrent(LinearRecurrentConfig::default())
        }
        "linear-attention" => {
            let LinearAttentionCase { rule } = parse(name, options);
            CellConfig::LinearAttention(LinearAttentionConfig { rule })
        }
        "frame-stack" => {
            let FrameStackCase { frames, position } = parse(name, options);
            CellConfig::FrameStack(FrameStackConfig { frames, position })
        }
        "differentiable-plasticity" => modulated(Modulation::Constant, options),
        "backpropamine" => modulated(Modulation::Network, options),
        "backpropamine-retroactive" => modulated(Modulation::Retroactive, options),
        other => panic!("{name}: unknown cell {other}"),
    }
}

impl Case {
    fn load(description: &FilePath) -> Self {
        let name = description.file_stem().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(description).unwrap();
        let tensors = candle_core::safetensors::load(description.with_extension("safetensors"), &Device::Cpu).unwrap();
        let (Frame { input, hidden, batch, steps, .. }, config) =
            describe(&name, &text, tensors.contains_key("param.weight_ih"));
        Self { name, config, batch, steps, input, hidden, tensors }
    }

    /// True for the cells whose single-precision runs may drift further.
    pub fn is_backpropamine(&self) -> bool {
        matches!(self.config, CellConfig::Backpropamine(_))
    }

    /// The case's cell, with initial values.
    pub fn build(&self, dtype: DType, kernel: Kernel) -> Box<dyn Cell> {
        let mut stream = stpn_random::Stream::from_seed(0);
        let mut init = stpn_core::Initializer::new(&mut stream, dtype, &Device::Cpu);
        self.config.build(self.input, self.hidden, kernel, &mut init).unwrap()
    }

    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// A tensor of the file in the given precision.
    pub fn tensor(&self, name: &str, dtype: DType) -> Tensor {
        let tensor = self.tensors.get(name).unwrap_or_else(|| panic!("{}: no tensor {name}", self.name));
        tensor.to_dtype(dtype).unwrap()
    }

    /// The names that begin with `prefix`.
    pub fn names_below(&self, prefix: &str) -> BTreeSet<String> {
        self.tensors.keys().filter(|name| name.starts_with(prefix)).cloned().collect()
    }
}

/// The folder of cases.
fn folder() -> PathBuf {
    let committed = || FilePath::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    std::env::var_os("STPN_GOLDEN_DIR").map_or_else(committed, PathBuf::from)
}

/// All cases, by name. Fails on an empty folder, and on a description or tensors that stand alone.
pub fn load_cases() -> Vec<Case> {
    let folder = folder();
    let stems = |extension: &str| -> BTreeSet<PathBuf> {
        let entries = fs::read_dir(&folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|e| e == extension)).map(|p| p.with_extension("")).collect()
    };
    let descriptions = stems("json");
    assert_eq!(descriptions, stems("safetensors"), "every case is a .json and a .safetensors");
    assert!(!descriptions.is_empty(), "no case in {}", folder.display());
    descriptions.iter().map(|stem| Case::load(&PathBuf::from(format!("{}.json", stem.display())))).collect()
}

#[test]
#[should_panic(expected = "unknown field `surprise`")]
fn an_unknown_option_is_a_failure() {
    let text = r#"{"cell": "lstm", "surprise": 1, "input": 5, "hidden": 4, "batch": 3, "steps": 7}"#;
    describe("case", text, false);
}

#[test]
#[should_panic(expected = "unknown cell transformer")]
fn an_unknown_cell_is_a_failure() {
    describe("case", r#"{"cell": "transformer", "input": 5, "hidden": 4, "batch": 3, "steps": 7}"#, false);
}
