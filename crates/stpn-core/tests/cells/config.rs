//! Configuration: what is refused, what survives serialisation, sizes and initial values.

use crate::support::{build, values};
use candle_core::{DType, Device};
use serde_json::{Value, json};
use stpn_core::{CellConfig, CellName, Error, Initializer, Kernel};
use stpn_random::Stream;

/// The error of building a cell from JSON, be it in reading or in building.
fn refusal(config: Value, input: usize, hidden: usize) -> String {
    let config: CellConfig = match serde_json::from_value(config.clone()) {
        Ok(config) => config,
        Err(error) => return error.to_string(),
    };
    let mut stream = Stream::from_seed(0);
    let mut init = Initializer::new(&mut stream, DType::F32, &Device::Cpu);
    let error = config.build(input, hidden, Kernel::Auto, &mut init).expect_err("the configuration is impossible");
    assert!(matches!(error, Error::Config { .. }), "{error:?}");
    error.to_string()
}

#[test]
fn impossible_values_are_refused_by_their_key() {
    for (config, key) in [
        (json!({"name": "stpn", "clamp": 0.0}), "cell.clamp"),
        (json!({"name": "stpn", "clamp": -1.0}), "cell.clamp"),
        (json!({"name": "stpn", "recurrent": false, "plastic": "recurrent"}), "cell.plastic"),
        (json!({"name": "stpn", "normalize_state": "none", "norm_of": "F"}), "cell.norm_of"),
        (json!({"name": "stpn", "bias": false, "plastic_bias": true}), "cell.plastic_bias"),
        (json!({"name": "frame-stack", "frames": 0}), "cell.frames"),
        (json!({"name": "frame-stack", "position": 3}), "cell.position"),
        (json!({"name": "linear-recurrent", "max_radius": 1.0}), "cell.max_radius"),
        (json!({"name": "linear-recurrent", "min_radius": 0.9995}), "cell.min_radius"),
        (json!({"name": "linear-recurrent", "max_phase": 0.0}), "cell.max_phase"),
        (json!({"name": "fast-weights", "inner_steps": 0}), "cell.inner_steps"),
        (json!({"name": "fast-weights", "decay": 1.5}), "cell.decay"),
        (json!({"name": "fast-weights", "rate": -0.1}), "cell.rate"),
    ] {
        let message = refusal(config.clone(), 3, 2);
        assert!(message.starts_with(&format!("{key}: ")), "{config}: {message}");
    }
    for name in CellName::ALL {
        let config = serde_json::to_value(name.config()).unwrap();
        assert!(refusal(config.clone(), 0, 2).starts_with("cell.input: "), "{name}");
        assert!(refusal(config, 3, 0).starts_with("cell.hidden: "), "{name}");
    }
}

#[test]
fn unknown_keys_kinds_and_values_are_refused_with_the_known_ones() {
    for name in CellName::ALL {
        let mut config = serde_json::to_value(name.config()).unwrap();
        config["surprise"] = json!(1);
        assert!(refusal(config, 3, 2).contains("unknown field `surprise`"), "{name}");
    }
    let message = refusal(json!({"name": "transformer"}), 3, 2);
    assert!(message.contains("`transformer`") && message.contains("`stpn`") && message.contains("`lstm`"), "{message}");
    let message = refusal(json!({"name": "stpn", "normalize_state": "post"}), 3, 2);
    assert!(message.contains("`post`") && message.contains("`after`"), "{message}");
    assert!(refusal(json!({"name": "stpn", "bias": "yes"}), 3, 2).contains("boolean"));
}

#[test]
fn configurations_survive_serialisation() {
    for name in CellName::ALL {
        let config = name.config();
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<CellConfig>(&text).unwrap(), config, "{name}: {text}");
    }
}

#[test]
fn options_left_out_take_the_published_settings() {
    let read = |config: Value| serde_json::from_value::<CellConfig>(config).unwrap();
    assert_eq!(read(json!({"name": "stpn"})), CellName::Stpn.config());
    assert_eq!(read(json!({"name": "stpn", "granularity": "scalar"})), CellName::StpnScalar.config());
    assert_eq!(read(json!({"name": "hebbff"})), CellName::HebbFf.config());
    assert_eq!(read(json!({"name": "backpropamine"})), CellName::Backpropamine.config());
    assert_eq!(read(json!({"name": "lstm"})), CellName::Lstm.config());
}

#[test]
fn names_parse_as_they_print() {
    for name in CellName::ALL {
        assert_eq!(name.to_string().parse::<CellName>().unwrap(), name);
        assert!(!name.description().is_empty());
    }
    let error = "transformer".parse::<CellName>().unwrap_err().to_string();
    assert!(error.contains("`transformer`") && error.contains("stpnf-scalar"), "{error}");
}

/// Sizes of the paper's networks: cell parameters, and with the linear readout.
#[test]
fn parameter_counts_are_the_published_ones() {
    for (input, hidden, outputs, cell_count, total) in [(37, 11, 37, 1_595, 2_039), (17, 55, 5, 11_935, 12_215)] {
        let cell = build(&CellName::Stpn.config(), input, hidden, DType::F32);
        assert_eq!(cell.parameters().count(), cell_count);
        assert_eq!(cell.parameters().count() + (hidden + 1) * outputs, total);
    }
}

#[test]
fn initial_values_lie_where_they_should() {
    let range = |name: CellName, parameter: &str| {
        let cell = build(&name.config(), 30, 25, DType::F64);
        let values = values(cell.parameters().get(parameter).unwrap());
        let fold = |f: fn(f64, f64) -> f64, start| values.iter().copied().fold(start, f);
        (fold(f64::min, f64::INFINITY), fold(f64::max, f64::NEG_INFINITY))
    };
    let recurrent = 1.0 / 25f64.sqrt();
    let forward = 1.0 / 30f64.sqrt();
    for (name, parameter, low, high) in [
        (CellName::Stpn, "weight", -recurrent, recurrent),
        (CellName::Stpn, "lambda", 0.0, 1.0),
        (CellName::Stpn, "gamma", -0.001 * recurrent, 0.001 * recurrent),
        (CellName::Stpnf, "weight", -forward, forward),
        (CellName::Stpnf, "gamma", -0.001 * forward, 0.001 * forward),
        (CellName::Rnn, "weight", -recurrent, recurrent),
        (CellName::Lstm, "weight", -recurrent, recurrent),
        (CellName::Gru, "weight_hh", -recurrent, recurrent),
        (CellName::Gru, "bias_ih", -recurrent, recurrent),
        (CellName::Backpropamine, "weight_ih", -forward, forward),
        (CellName::Backpropamine, "weight_hh", 0.0, 0.01),
        (CellName::Backpropamine, "alpha", 0.0, 0.01),
    ] {
        let (smallest, largest) = range(name, parameter);
        let width = high - low;
        assert!(low <= smallest && smallest < low + 0.05 * width, "{name} {parameter}: from {smallest}");
        assert!(high - 0.05 * width < largest && largest <= high, "{name} {parameter}: to {largest}");
    }
    let close_to = |name, parameter: &str, want: f64| {
        let (smallest, largest) = range(name, parameter);
        assert!((smallest - want).abs() < 1e-12 && smallest == largest, "{parameter}: {smallest}, want {want}");
    };
    close_to(CellName::HebbFf, "lambda_raw", (0.99f64 / 0.01).ln());
    close_to(CellName::HebbFf, "gamma_raw", (5.0f64 / 25.0).ln());
    close_to(CellName::DifferentiablePlasticity, "eta", 0.01);
    close_to(CellName::FastWeights, "layer_norm.weight", 1.0);
    close_to(CellName::FastWeights, "layer_norm.bias", 0.0);
}

#[test]
fn one_seed_starts_equal_in_both_precisions() {
    for name in CellName::ALL {
        let [single, double] = [DType::F32, DType::F64].map(|dtype| build(&name.config(), 5, 4, dtype));
        for ((key, single), (_, double)) in single.parameters().iter().zip(double.parameters().iter()) {
            for (s, d) in values(single).into_iter().zip(values(double)) {
                assert_eq!(s, f64::from(d as f32), "{name}: {key}");
            }
        }
    }
}
