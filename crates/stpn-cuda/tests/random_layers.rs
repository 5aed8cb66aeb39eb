//! Layers of all options with random values and resets, against equations written plainly and differentiated by
//! numbers with a derivative.
#![allow(clippy::unwrap_used, reason = "a failing unwrap fails the test")]

mod support;

use stpn_cuda::shim::{Inputs, Machine};
use stpn_cuda::{
    Extent, Granularity, Layer, Modulated, Modulation, NormalizeState, Place, Plan, Plastic, Rule, Synapses, Threads,
};
use support::dual::Dual;
use support::{Numbers, distance, plan, reference, there_and_back};

const TOLERANCE: f64 = 1e-9;

/// One layer with values for everything.
struct Case {
    layer: Layer,
    extent: Extent,
    parameters: Vec<f64>,
    x: Vec<f64>,
    resets: Vec<u8>,
    start: Vec<f64>,
    grad_hidden: Vec<f64>,
    grad_end: Vec<f64>,
}

impl Case {
    fn new(layer: Layer, extent: Extent, seed: u64) -> Self {
        layer.check().unwrap();
        let mut numbers = Numbers::new(seed);
        let units = extent.steps * extent.batch;
        let state = extent.batch * layer.state_len();
        let parameters = numbers.vec(layer.parameters(), 0.8);
        let x = numbers.vec(units * layer.input(), 1.0);
        let start = numbers.vec(state, 0.4);
        // One in six, also at the first step; one environment has none.
        let resets = (0..units).map(|at| u8::from(at % extent.batch != 1 && numbers.next() < -0.66)).collect();
        let grad_hidden = numbers.vec(units * layer.hidden(), 1.0);
        let grad_end = numbers.vec(state, 1.0);
        Self { layer, extent, parameters, x, resets, start, grad_hidden, grad_end }
    }

    fn inputs(&self) -> Inputs<'_, f64> {
        Inputs {
            extent: self.extent,
            parameters: &self.parameters,
            x: &self.x,
            resets: Some(&self.resets),
            start: &self.start,
        }
    }

    /// Activities `[T, H]` and final state of one environment, everything plus `step` times its direction.
    fn of_environment(&self, env: usize, parameters: &[Dual], x: &[Dual], start: &[Dual]) -> (Vec<Dual>, Vec<Dual>) {
        let resets: Vec<u8> = (0..self.extent.steps).map(|t| self.resets[t * self.extent.batch + env]).collect();
        reference::sequence(&self.layer, parameters, x, &resets, start)
    }

    /// Rows of environment `env` in `[T, B, len]`.
    fn rows(&self, values: &[f64], env: usize, len: usize) -> Vec<f64> {
        let batch = self.extent.batch;
        (0..self.extent.steps).flat_map(|t| &values[(t * batch + env) * len..][..len]).copied().collect()
    }

    fn check(&self, plan: &Plan) {
        let (forward, backward) =
            there_and_back(&self.layer, plan, Machine::default(), self.inputs(), &self.grad_hidden, &self.grad_end);
        let (input, size, state) = (self.layer.input(), self.layer.hidden(), self.layer.state_len());
        let duals = |values: &[f64]| -> Vec<Dual> { values.iter().copied().map(Dual::from).collect() };
        let mut of_parameters = vec![0.0; self.parameters.len()];
        let close = |what: &str, got: &[f64], want: &[f64]| {
            let distance = distance(got, want);
            assert!(distance < TOLERANCE, "{what}: {distance:e}\n{:?}\n{plan:?}", self.layer);
        };
        for env in 0..self.extent.batch {
            let mut values = [
                duals(&self.parameters),
                duals(&self.rows(&self.x, env, input)),
                duals(&self.start[env * state..(env + 1) * state]),
            ];
            let [parameters, x, start] = &values;
            let (hidden, end) = self.of_environment(env, parameters, x, start);
            let plain = |values: &[Dual]| -> Vec<f64> { values.iter().map(|value| value.value).collect() };
            close("hidden", &self.rows(&forward.hidden, env, size), &plain(&hidden));
            close("end", &forward.end[env * state..(env + 1) * state], &plain(&end));

            let grad_hidden = self.rows(&self.grad_hidden, env, size);
            let grad_end = &self.grad_end[env * state..(env + 1) * state];
            let mut gradients: [Vec<f64>; 3] = std::array::from_fn(|which| vec![0.0; values[which].len()]);
            for which in 0..3 {
                for at in 0..values[which].len() {
                    values[which][at].slope = 1.0;
                    let [parameters, x, start] = &values;
                    let (hidden, end) = self.of_environment(env, parameters, x, start);
                    let outputs = hidden.iter().zip(&grad_hidden).chain(end.iter().zip(grad_end));
                    gradients[which][at] = outputs.map(|(output, grad)| output.slope * grad).sum();
                    values[which][at].slope = 0.0;
                }
            }
            of_parameters.iter_mut().zip(&gradients[0]).for_each(|(sum, gradient)| *sum += gradient);
            close("gradient of x", &self.rows(&backward.x, env, input), &gradients[1]);
            close("gradient of the state", &backward.state[env * state..(env + 1) * state], &gradients[2]);
        }
        close("gradient of the parameters", &backward.parameters, &of_parameters);
    }
}

/// All combinations of the options of the STPN family that are possible.
fn plastic_layers(input: usize, hidden: usize) -> Vec<Layer> {
    let mut layers = Vec::new();
    let flags = [false, true];
    for bits in 0..1 << 7 {
        let [recurrent, normalize_forward, clamped, decay_all, bias, layer_norm, plastic_bias] =
            std::array::from_fn(|bit| flags[bits >> bit & 1]);
        for normalize_state in [NormalizeState::None, NormalizeState::Before, NormalizeState::After] {
            for synapses in [Synapses::All, Synapses::Input, Synapses::Recurrent] {
                for granularity in [Granularity::Synapse, Granularity::Presynaptic, Granularity::Scalar] {
                    let layer = Layer::Plastic(Plastic {
                        input,
                        hidden,
                        recurrent,
                        normalize_forward,
                        normalize_state,
                        clamp: clamped.then_some(0.2),
                        decay_all,
                        synapses,
                        granularity,
                        bias,
                        layer_norm,
                        plastic_bias,
                        logistic: false,
                    });
                    layers.extend(layer.check().is_ok().then_some(layer));
                }
            }
        }
    }
    layers
}

#[test]
fn every_combination_of_options_with_resets() {
    let layers = plastic_layers(2, 3);
    assert!(layers.len() > 1000, "{}", layers.len());
    let extent = Extent { steps: 6, batch: 2 };
    for (seed, layer) in layers.into_iter().enumerate() {
        let case = Case::new(layer, extent, seed as u64);
        case.check(&plan::<f64>(&case.layer, extent));
    }
}

#[test]
fn hebbff_with_resets() {
    let extent = Extent { steps: 7, batch: 3 };
    let case = Case::new(Layer::Plastic(Plastic::hebbff(4, 5)), extent, 3);
    case.check(&plan::<f64>(&case.layer, extent));
}

/// Plans that a device would choose only for other sizes: all places, lanes, segments and groups.
fn plans(layer: &Layer, extent: Extent) -> Vec<Plan> {
    let chosen = plan::<f64>(layer, extent);
    let mut plans = Vec::new();
    for place in [Place::Registers, Place::Shared, Place::Global] {
        for (lanes, count) in [(1, 32), (4, 32), (8, 64), (32, 64), (2, 96)] {
            for (every, group) in [(1, 1), (3, 2), (extent.steps, extent.batch)] {
                let threads = Threads { lanes, count, place };
                let slots_in_shared = (every + lanes) % 2 == 0;
                plans.push(Plan { threads, every, slots_in_shared, group });
            }
        }
    }
    plans.push(chosen);
    plans
}

fn check_plans(layer: Layer) {
    let extent = Extent { steps: 7, batch: 3 };
    let case = Case::new(layer, extent, 11);
    for plan in plans(&case.layer, extent) {
        case.check(&plan);
    }
}

#[test]
fn every_division_of_a_layer_normalised_after_the_update() {
    check_plans(Layer::Plastic(Plastic {
        layer_norm: true,
        plastic_bias: true,
        clamp: Some(0.3),
        ..Plastic::maze(4, 7)
    }));
}

#[test]
fn every_division_of_a_layer_normalised_before_the_update() {
    check_plans(Layer::Plastic(Plastic { granularity: Granularity::Presynaptic, ..Plastic::stpn(3, 6) }));
}

#[test]
fn every_rule_and_modulation_with_resets() {
    let extent = Extent { steps: 7, batch: 3 };
    for modulation in [Modulation::Constant, Modulation::Network, Modulation::Retroactive] {
        for rule in [Rule::HardClamp, Rule::SoftClamp, Rule::Additive, Rule::Decay] {
            let case = Case::new(Layer::Modulated(Modulated { input: 3, hidden: 4, modulation, rule }), extent, 17);
            case.check(&plan::<f64>(&case.layer, extent));
        }
    }
}

#[test]
fn every_division_of_a_retroactive_layer() {
    let modulation = Modulation::Retroactive;
    check_plans(Layer::Modulated(Modulated { input: 3, hidden: 5, modulation, rule: Rule::SoftClamp }));
}
