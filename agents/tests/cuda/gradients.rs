//! Outputs and gradients of networks with every cell and encoder.

use candle_core::{DType, Device};
use stpn_agents::config::ComputeDevice;
use stpn_agents::policy::encoder::ObservationRef;
use stpn_agents::policy::{Inputs, PolicyConfig};
use stpn_agents::{ActorCritic, RunConfig};
use stpn_core::cells::CellName;
use stpn_envs::{Dtype, Space};
use stpn_random::Stream;

use crate::{distance, emulated};

fn policy_config(text: &str) -> PolicyConfig {
    let text = format!("env = {{ name = 'maze' }}\nalgorithm = {{ name = 'a2c' }}\npolicy = {{ {text} }}");
    let RunConfig::Agent(config) = RunConfig::from_table(text.parse().unwrap()).unwrap() else { panic!("{text}") };
    config.policy
}

/// Outputs of the heads and gradients of random weights on them, on the CPU and on the device.
fn compare(config: &PolicyConfig, observations: &Space, actions: &Space) {
    let (steps, batch) = (7, 5);
    let n = steps * batch;
    let mut stream = Stream::from_seed(5);
    let numbers: Vec<f32> = match observations {
        Space::Discrete { n: choices } => (0..n).map(|at| (at % choices) as f32).collect(),
        _ => (0..n * observations.len()).map(|_| stream.normal() as f32).collect(),
    };
    let bytes: Vec<u8> = numbers.iter().map(|number| (number * 40.0 + 100.0) as u8).collect();
    let observed = match observations.dtype() {
        Dtype::U8 => ObservationRef::U8(&bytes),
        Dtype::F32 => ObservationRef::F32(&numbers),
    };
    let episode_starts: Vec<u8> = (0..n).map(|at| u8::from(at < 3 || at % 11 == 7)).collect();
    let inputs = Inputs { steps, batch, observations: observed, episode_starts: &episode_starts };
    let made = || ActorCritic::new(config, observations, actions, 3, DType::F32, &Device::Cpu).unwrap();
    let state: Vec<f32> = (0..batch * made().state_len()).map(|_| 0.3 * stream.normal() as f32).collect();
    let weights: Vec<f32> = (0..n * (made().distribution().len() + 1)).map(|_| stream.normal() as f32).collect();
    let run = |device: ComputeDevice| {
        let policy = made().on(device, config).unwrap();
        assert_eq!(policy.is_accelerated(), device != ComputeDevice::Cpu);
        let mut gradient = vec![7.0; policy.parameters().count()];
        let prepared = policy.prepare::<f32>().unwrap();
        let outputs = prepared.differentiate(&inputs, &state, &mut gradient, |outputs, grads| {
            let (of_distributions, of_values) = weights.split_at(outputs.distributions.len());
            grads.distributions.copy_from_slice(of_distributions);
            grads.values.copy_from_slice(of_values);
            outputs.clone()
        });
        (outputs.unwrap(), gradient)
    };
    let (here, gradient_here) = run(ComputeDevice::Cpu);
    let (there, gradient_there) = run(ComputeDevice::Cuda(0));
    for (what, a, b) in [
        ("distributions", &there.distributions, &here.distributions),
        ("values", &there.values, &here.values),
        ("gradient", &gradient_there, &gradient_here),
    ] {
        assert!(distance(a, b) < 2e-5, "{config:?}: {what}: {:e}", distance(a, b));
    }
    assert_eq!(run(ComputeDevice::Cuda(0)), (there, gradient_there), "the same bits every time");
}

#[test]
fn gradients_on_the_device_are_those_of_the_cpu() {
    if !emulated("gradients::gradients_on_the_device_are_those_of_the_cpu") {
        return;
    }
    let boxed = |len: usize| Space::boxed(-1.0, 1.0, [len]);
    let encoders = ["", "encoder = 'mlp', ", "encoder = { name = 'mlp', sizes = [5, 4], activation = 'relu' }, "];
    let critics = ["", "critic = 'separate', "];
    let observations = [boxed(4), Space::Discrete { n: 6 }, Space::pixels([5])];
    let actions = [Space::Discrete { n: 3 }, boxed(2), Space::MultiDiscrete { counts: vec![2, 3] }];
    let mut compared = 0;
    for cell in CellName::ALL {
        let kernels = !matches!(
            cell,
            CellName::FastWeights
                | CellName::LinearRecurrent
                | CellName::LinearAttention
                | CellName::DeltaRule
                | CellName::FrameStack
        );
        let (encoder, critic) = (encoders[compared % 3], critics[compared / 2 % 2]);
        // λ and γ far from zero, so that synapses are plastic.
        let options = if cell.as_str().starts_with("stpn") { ", initial_rate = 0.5" } else { "" };
        let recurrent = match cell.as_str() {
            "stpnf" | "stpnf-scalar" => ", recurrent = false, normalize_state = 'none', bias = false",
            _ => "",
        };
        let name = if cell.as_str().starts_with("stpn") { "stpn" } else { cell.as_str() };
        let of_cell = match cell {
            CellName::DifferentiablePlasticity => "{ name = 'backpropamine', modulation = 'constant' }".to_string(),
            CellName::BackpropamineRetroactive => "{ name = 'backpropamine', modulation = 'retroactive' }".to_string(),
            CellName::DeltaRule => "{ name = 'linear-attention', rule = 'delta' }".to_string(),
            CellName::StpnScalar | CellName::StpnfScalar => {
                format!("{{ name = '{name}', granularity = 'scalar'{options}{recurrent} }}")
            }
            _ => format!("{{ name = '{name}'{options}{recurrent} }}"),
        };
        let config = policy_config(&format!("hidden = 9, {critic}{encoder}cell = {of_cell}"));
        if kernels {
            compare(&config, &observations[compared / 3 % 3], &actions[compared % 3]);
            compared += 1;
        } else {
            let policy = ActorCritic::new(&config, &observations[0], &actions[0], 3, DType::F32, &Device::Cpu).unwrap();
            let refused = policy.on(ComputeDevice::Cuda(0), &config).unwrap_err().to_string();
            assert!(refused.contains("training.device") && refused.contains(cell.as_str()), "{refused}");
        }
    }
    assert_eq!(compared, CellName::ALL.len() - 5);
    for of_cell in [
        "{ name = 'stpn', initial_rate = 0.5, clamp = 0.2, decay = 'all', normalize_state = 'after' }",
        "{ name = 'stpn', initial_rate = 0.5, plastic = 'input', granularity = 'presynaptic', plastic_bias = true }",
        "{ name = 'stpn', initial_rate = 0.5, plastic = 'recurrent', normalize_forward = false, layer_norm = true }",
        "{ name = 'backpropamine', bound = 'hard-clamp' }",
        "{ name = 'backpropamine', bound = 'additive' }",
        "{ name = 'backpropamine', bound = 'decay' }",
        "{ name = 'lstm', split = true }",
        "{ name = 'lstm', layer_norm = true }",
        "{ name = 'rnn', split = true }",
        "{ name = 'mlp', activation = 'relu' }",
    ] {
        compare(&policy_config(&format!("hidden = 9, cell = {of_cell}")), &observations[0], &actions[0]);
    }
    for option in ["rule = 'oja'", "norm_of = 'F'"] {
        let config = policy_config(&format!("hidden = 9, cell = {{ name = 'stpn', {option} }}"));
        let policy = ActorCritic::new(&config, &observations[0], &actions[0], 3, DType::F32, &Device::Cpu).unwrap();
        let refused = policy.on(ComputeDevice::Cuda(0), &config).unwrap_err().to_string();
        assert!(refused.contains("training.device to \"cpu\""), "{refused}");
    }

    for encoder in encoders {
        for of_cell in ["'stpn'", "{ name = 'mlp' }"] {
            let config = policy_config(&format!("hidden = 9, {encoder}input_scale = 2.5, cell = {of_cell}"));
            compare(&config, &observations[0], &actions[0]);
        }
    }

    // The smallest images of which every convolution has something left.
    let images = [Space::boxed(-1.0, 1.0, [2, 36, 37]), Space::pixels([1, 36, 36])];
    for (image, policy) in [
        (0, "encoder = { name = 'nature-cnn', features = 9 }, cell = 'lstm'"),
        (1, "encoder = { name = 'nature-cnn', features = 9 }, input_scale = 2.5, cell = 'stpn'"),
        (0, "encoder = 'paper-cnn', input_scale = 2.5, cell = 'mlp'"),
        (1, "encoder = 'paper-cnn', critic = 'separate', cell = 'rnn'"),
    ] {
        compare(&policy_config(&format!("hidden = 9, {policy}")), &images[image], &actions[0]);
    }
}
