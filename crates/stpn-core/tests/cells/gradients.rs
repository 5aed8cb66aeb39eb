//! Gradients beyond the golden cases: every trainable variable receives one, and options without a golden case agree
//! with finite differences.

use crate::support::{build, close, normal, random_state, set_parameters, values};
use candle_core::{DType, Device, Tensor, Var};
use stpn_core::cells::{
    Activation, BackpropamineConfig, Bound, Decay, FastWeightsConfig, Granularity, LstmConfig, MlpConfig, Modulation,
    NormOf, NormalizeState, Plastic, Rule, StpnConfig,
};
use stpn_core::{Cell, CellConfig, CellName, Sequence, State};

/// Weighted squares of the activities and, where asked for, of the final state.
fn loss(out: &Sequence, with_state: bool) -> Tensor {
    let weighted = |tensor: &Tensor, index| {
        let weight = normal(tensor.dims(), 1.0, index, tensor.dtype());
        (weight * tensor.sqr().unwrap()).unwrap().sum_all().unwrap()
    };
    let mut loss = weighted(&out.hidden, 50);
    if with_state {
        for (index, (_, tensor)) in out.state.iter().enumerate() {
            loss = (loss + weighted(tensor, 51 + index as u64)).unwrap();
        }
    }
    loss
}

/// Learning from the activities alone, from the zero state, as agents do.
#[test]
fn every_variable_of_every_cell_receives_a_gradient() {
    for name in CellName::ALL {
        for dtype in [DType::F32, DType::F64] {
            let cell = build(&name.config(), 5, 4, dtype);
            let x = normal(&[6, 3, 5], 1.0, 0, dtype);
            let resets = Tensor::zeros((6, 3), DType::U8, &Device::Cpu).unwrap();
            let state = cell.zero_state(3).unwrap();
            for out in [cell.sequence(&x, Some(&resets), &state), cell.sequence_composed(&x, None, &state)] {
                let gradients = loss(&out.unwrap(), false).backward().unwrap();
                for (parameter, var) in cell.parameters().iter() {
                    let gradient = gradients.get(var).unwrap_or_else(|| panic!("{name}: {parameter} has no gradient"));
                    let largest = values(gradient).iter().fold(0.0, |largest, g| f64::max(largest, g.abs()));
                    assert!(largest > 0.0 && largest.is_finite(), "{name}: {parameter}'s gradient is {largest}");
                }
            }
        }
    }
}

/// Options that no golden case has, or not together.
fn uncovered() -> Vec<(&'static str, CellConfig)> {
    let stpn = StpnConfig::default;
    let backpropamine = |modulation, bound| CellConfig::Backpropamine(BackpropamineConfig { modulation, bound });
    vec![
        ("state norm alone", CellConfig::Stpn(StpnConfig { normalize_forward: false, ..stpn() })),
        ("before, of F", CellConfig::Stpn(StpnConfig { norm_of: NormOf::F, ..stpn() })),
        (
            "oja on the recurrent part, presynaptic, plastic bias",
            CellConfig::Stpn(StpnConfig {
                rule: Rule::Oja,
                plastic: Plastic::Recurrent,
                granularity: Granularity::Presynaptic,
                plastic_bias: true,
                layer_norm: true,
                ..stpn()
            }),
        ),
        (
            "after, of F, of the inputs, scalar, decay of all, clamp",
            CellConfig::Stpn(StpnConfig {
                normalize_state: NormalizeState::After,
                norm_of: NormOf::F,
                plastic: Plastic::Input,
                granularity: Granularity::Scalar,
                decay: Decay::All,
                clamp: Some(0.2),
                ..stpn()
            }),
        ),
        (
            "three inner steps",
            CellConfig::FastWeights(FastWeightsConfig { inner_steps: 3, ..FastWeightsConfig::default() }),
        ),
        (
            "no layer norm",
            CellConfig::FastWeights(FastWeightsConfig { layer_norm: false, ..FastWeightsConfig::default() }),
        ),
        ("split, layer norm", CellConfig::Lstm(LstmConfig { split: true, layer_norm: true })),
        ("retroactive, additive", backpropamine(Modulation::Retroactive, Bound::Additive)),
        ("retroactive, decay", backpropamine(Modulation::Retroactive, Bound::Decay)),
        ("constant, additive", backpropamine(Modulation::Constant, Bound::Additive)),
        ("tanh", CellConfig::Mlp(MlpConfig { activation: Activation::Tanh })),
        ("relu", CellConfig::Mlp(MlpConfig { activation: Activation::Relu })),
    ]
}

/// A run whose gradient is taken: inputs, an initial state, and one element's episode that restarts at step 2.
struct Run {
    cell: Box<dyn Cell>,
    x: Var,
    state: Vec<(&'static str, Var)>,
    resets: Tensor,
}

impl Run {
    fn new(config: &CellConfig) -> Self {
        let cell = build(config, 2, 3, DType::F64);
        // Larger than the initial values, so that plasticity matters; λ stays a decay.
        let mut index = 20;
        let draws: Vec<(String, Tensor)> = (cell.parameters().iter())
            .map(|(name, var)| {
                index += 1;
                (name.to_string(), normal(var.dims(), 0.5, index, DType::F64))
            })
            .collect();
        set_parameters(cell.as_ref(), |name| draws.iter().find(|(known, _)| known == name).unwrap().1.clone());
        let x = Var::from_tensor(&normal(&[4, 2, 2], 1.0, 0, DType::F64)).unwrap();
        let state = random_state(cell.as_ref(), 2);
        let state = state.iter().map(|(name, tensor)| (name, Var::from_tensor(tensor).unwrap())).collect();
        let resets = Tensor::new(&[[0u8, 0], [0, 0], [1, 0], [0, 0]], &Device::Cpu).unwrap();
        Self { cell, x, state, resets }
    }

    fn loss(&self, composed: bool) -> Tensor {
        let fields = self.state.iter().map(|(name, var)| (*name, var.as_tensor().clone())).collect();
        let state = State::new(2, fields);
        let resets = Some(&self.resets);
        let out = match composed {
            true => self.cell.sequence_composed(&self.x, resets, &state).unwrap(),
            false => self.cell.sequence(&self.x, resets, &state).unwrap(),
        };
        loss(&out, true)
    }

    fn variables(&self) -> Vec<(String, Var)> {
        let parameters = self.cell.parameters().iter().map(|(name, var)| (name.to_string(), var.clone()));
        let states = self.state.iter().map(|(name, var)| (format!("state0.{name}"), var.clone()));
        parameters.chain(states).chain([("x".to_string(), self.x.clone())]).collect()
    }
}

#[test]
fn uncovered_options_agree_with_finite_differences() {
    const STEP: f64 = 1e-6;
    for (what, config) in uncovered() {
        let run = Run::new(&config);
        let gradients = [true, false].map(|composed| run.loss(composed).backward().unwrap());
        for (name, var) in run.variables() {
            let original = values(&var);
            let shifted = |index: usize, by: f64| {
                let mut moved = original.clone();
                moved[index] += by;
                var.set(&Tensor::from_vec(moved, var.dims(), &Device::Cpu).unwrap()).unwrap();
                run.loss(true).to_scalar::<f64>().unwrap()
            };
            let slopes: Vec<f64> =
                (0..original.len()).map(|i| (shifted(i, STEP) - shifted(i, -STEP)) / (2.0 * STEP)).collect();
            var.set(&Tensor::from_vec(original.clone(), var.dims(), &Device::Cpu).unwrap()).unwrap();
            let slopes = Tensor::from_vec(slopes, var.dims(), &Device::Cpu).unwrap();
            for gradients in &gradients {
                let gradient = gradients.get(&var).unwrap_or_else(|| panic!("{what}: {name} has no gradient"));
                close(gradient, &slopes, 1e-6).unwrap_or_else(|why| panic!("{config:?}, {what}: {name}: {why}"));
            }
        }
    }
}
