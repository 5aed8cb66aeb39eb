//! Layers of all options with random values and resets, against equations written plainly and differentiated by
//! numbers with a derivative.
#![allow(clippy::unwrap_used, reason = "a failing unwrap fails the test")]

mod numerics;
mod support;

use stpn_cuda::shim::Machine;
use stpn_cuda::{
    Extent, Gated, GatedKind, GatedPlan, Granularity, Layer, Modulated, Modulation, NormalizeState, Place, Plan,
    Plastic, Rule, Synapses, Threads,
};
use support::case::{Sizes, Values};
use support::golden::Results;
use support::{gated_plan, gated_reference, gated_there_and_back, plan, reference, there_and_back};

/// One layer with fast weights, with values for everything.
struct Case {
    layer: Layer,
    values: Values,
}

impl Case {
    fn new(layer: Layer, extent: Extent, seed: u64) -> Self {
        layer.check().unwrap();
        let (parameters, state) = (layer.parameters(), layer.state_len());
        let sizes = Sizes { parameters, input: layer.input(), hidden: layer.hidden(), state };
        Self { values: Values::new(sizes, extent, seed), layer }
    }

    fn check(&self, plan: &Plan) {
        let Values { grad_hidden, grad_end, .. } = &self.values;
        let machine = Machine::default();
        let (forward, backward) =
            there_and_back(&self.layer, plan, machine, self.values.inputs(), grad_hidden, grad_end);
        let results = Results {
            hidden: forward.hidden,
            end: forward.end,
            grad_x: backward.x,
            grad_start: backward.state,
            grad_parameters: backward.parameters,
        };
        self.values.compare(&results, &format!("{:?}\n{plan:?}", self.layer), |parameters, x, resets, start| {
            reference::sequence(&self.layer, parameters, x, resets, start)
        });
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

/// An LSTM, GRU or RNN with random values and resets, with that plan.
fn check_gated(layer: &Gated, extent: Extent, seed: u64, plan: &GatedPlan) {
    layer.check().unwrap();
    let (parameters, state) = (layer.parameters(), layer.state_len());
    let sizes = Sizes { parameters, input: layer.input, hidden: layer.hidden, state };
    let values = Values::new(sizes, extent, seed);
    let Values { grad_hidden, grad_end, .. } = &values;
    let (forward, backward) =
        gated_there_and_back(layer, plan, Machine::default(), values.inputs(), grad_hidden, grad_end);
    let results = Results {
        hidden: forward.hidden,
        end: forward.end,
        grad_x: backward.x,
        grad_start: backward.state,
        grad_parameters: backward.parameters,
    };
    values.compare(&results, &format!("{layer:?}\n{plan:?}"), |parameters, x, resets, start| {
        gated_reference::sequence(layer, parameters, x, resets, start)
    });
}

/// All options of LSTM, GRU and RNN.
fn gated_layers(input: usize, hidden: usize) -> Vec<Gated> {
    let mut layers = Vec::new();
    for kind in [GatedKind::Lstm, GatedKind::Gru, GatedKind::Rnn] {
        for (split, layer_norm) in [(false, false), (false, true), (true, false), (true, true)] {
            let layer = Gated { split, layer_norm, ..Gated::new(kind, input, hidden) };
            layers.extend(layer.check().is_ok().then_some(layer));
        }
    }
    assert_eq!(layers.len(), 7);
    layers
}

#[test]
fn every_option_of_lstm_gru_and_rnn_with_resets() {
    for (input, hidden, steps, batch) in [(3, 4, 7, 3), (1, 1, 4, 2), (5, 9, 3, 6)] {
        let extent = Extent { steps, batch };
        for (seed, layer) in gated_layers(input, hidden).iter().enumerate() {
            check_gated(layer, extent, seed as u64, &gated_plan::<f64>(layer, extent));
        }
    }
}

/// Plans that a device would choose only for other sizes: all tiles, weights outside of shared memory, several parts.
#[test]
fn every_division_of_lstm_gru_and_rnn() {
    let extent = Extent { steps: 7, batch: 5 };
    for layer in gated_layers(3, 5) {
        for (threads, tile, resident) in [(32, 1, 5), (64, 2, 0), (32, 4, 3), (96, 8, 5), (64, 8, 1)] {
            check_gated(&layer, extent, 5, &GatedPlan { threads, tile, resident, part: 16 });
        }
    }
}
