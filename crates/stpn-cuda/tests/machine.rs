//! The machine behind the shim finds races; the kernels have none, and no bit depends on an order.
#![allow(clippy::unwrap_used, reason = "a failing unwrap fails the test")]

mod support;

use stpn_cuda::shim::{self, Inputs, Machine, Order};
use stpn_cuda::{
    Extent, Gated, GatedKind, GatedPlan, Granularity, Layer, Modulated, Modulation, Place, Plan, Plastic, Rule,
};
use support::{Numbers, gated_plan, gated_there_and_back, plan, there_and_back};

/// A layer whose blocks have several warps, so that a missing barrier matters.
fn layer() -> Layer {
    Layer::Plastic(Plastic { layer_norm: true, plastic_bias: true, ..Plastic::maze(9, 19) })
}

struct Values {
    extent: Extent,
    parameters: Vec<f32>,
    x: Vec<f32>,
    resets: Vec<u8>,
    start: Vec<f32>,
    grad_hidden: Vec<f32>,
    grad_end: Vec<f32>,
}

impl Values {
    fn new(layer: &Layer, extent: Extent) -> Self {
        Self::of([layer.parameters(), layer.input(), layer.hidden(), layer.state_len()], extent)
    }

    fn of_gated(layer: &Gated, extent: Extent) -> Self {
        Self::of([layer.parameters(), layer.input, layer.hidden, layer.state_len()], extent)
    }

    /// Of a layer with that many parameters, inputs, units and elements of state.
    fn of([parameters, input, hidden, state]: [usize; 4], extent: Extent) -> Self {
        let mut numbers = Numbers::new(5);
        let units = extent.steps * extent.batch;
        let state = extent.batch * state;
        let mut draw = |len: usize, scale: f64| -> Vec<f32> {
            numbers.vec(len, scale).into_iter().map(|value| value as f32).collect()
        };
        Self {
            extent,
            parameters: draw(parameters, 0.5),
            x: draw(units * input, 1.0),
            resets: (0..units).map(|at| u8::from(at % 11 == 3)).collect(),
            start: draw(state, 0.3),
            grad_hidden: draw(units * hidden, 1.0),
            grad_end: draw(state, 1.0),
        }
    }

    fn inputs(&self) -> Inputs<'_, f32> {
        Inputs {
            extent: self.extent,
            parameters: &self.parameters,
            x: &self.x,
            resets: Some(&self.resets),
            start: &self.start,
        }
    }

    /// Bits of all results.
    fn bits(&self, layer: &Layer, plan: &Plan, order: Order) -> Vec<u32> {
        let machine = Machine { order, ..Machine::default() };
        let (forward, backward) =
            there_and_back(layer, plan, machine, self.inputs(), &self.grad_hidden, &self.grad_end);
        let results = [forward.hidden, forward.end, backward.x, backward.state, backward.parameters];
        results.into_iter().flatten().map(f32::to_bits).collect()
    }
}

#[test]
fn bits_do_not_depend_on_the_order_of_blocks_and_threads() {
    let layer = layer();
    // More environments than one pass of the reduction adds up.
    let extent = Extent { steps: 4, batch: 35 };
    let values = Values::new(&layer, extent);
    let plan = plan::<f32>(&layer, extent);
    let bits = values.bits(&layer, &plan, Order::InOrder);
    assert!(bits.iter().any(|bits| *bits != 0), "results are zeros");
    for order in [Order::Reversed, Order::Shuffled] {
        assert!(values.bits(&layer, &plan, order) == bits, "{order:?}");
    }
}

#[test]
fn an_environment_has_the_same_bits_in_any_batch() {
    let layer = layer();
    let extent = Extent { steps: 4, batch: 5 };
    let values = Values::new(&layer, extent);
    let plan = plan::<f32>(&layer, extent);
    let all = shim::forward(&layer, &plan, Machine::default(), values.inputs());
    let alone = Extent { batch: 1, ..extent };
    for env in 0..extent.batch {
        let rows = |values: &[f32], len: usize| -> Vec<f32> {
            (0..extent.steps).flat_map(|t| &values[(t * extent.batch + env) * len..][..len]).copied().collect()
        };
        let resets: Vec<u8> = (0..extent.steps).map(|t| values.resets[t * extent.batch + env]).collect();
        let state = layer.state_len();
        let x = rows(&values.x, layer.input());
        let inputs = Inputs {
            extent: alone,
            parameters: &values.parameters,
            x: &x,
            resets: Some(&resets),
            start: &values.start[env * state..(env + 1) * state],
        };
        let one = shim::forward(&layer, &plan, Machine::default(), inputs);
        assert_eq!(one.hidden, rows(&all.hidden, layer.hidden()), "environment {env}");
        assert_eq!(one.end, all.end[env * state..(env + 1) * state], "environment {env}");
    }
}

/// Leaves out each barrier in turn: the race that it prevents must be found. Returns in how many.
fn planted_races(layer: &Layer, barriers: &[(i32, bool)]) {
    let extent = Extent { steps: 5, batch: 2 };
    let values = Values::new(layer, extent);
    let mut plan = plan::<f32>(layer, extent);
    plan.group = 2;
    let sound = shim::forward(layer, &plan, Machine::default(), values.inputs());
    assert_eq!(sound.problems.count, 0, "{}", sound.problems.first);
    for (barrier, backward) in barriers {
        let machine = Machine { without_barrier: Some(*barrier), ..Machine::default() };
        let problems = if *backward {
            shim::backward(layer, &plan, machine, values.inputs(), &sound, &values.grad_hidden, &values.grad_end)
                .problems
        } else {
            shim::forward(layer, &plan, machine, values.inputs()).problems
        };
        assert!(problems.count > 0, "no race found without barrier {barrier}");
    }
}

#[test]
fn a_planted_race_is_found() {
    planted_races(&layer(), &[(3, false)]);
}

#[test]
fn without_any_one_barrier_there_is_a_race() {
    planted_races(&layer(), &[(1, false), (2, false), (3, false), (4, false), (5, true), (6, true), (7, true)]);
    planted_races(&layer(), &[(8, true), (9, true)]);
    let columns = Layer::Plastic(Plastic { granularity: Granularity::Presynaptic, ..Plastic::maze(9, 19) });
    planted_races(&columns, &[(11, true), (12, true), (14, true)]);
    let one = Plastic { granularity: Granularity::Scalar, plastic_bias: true, ..Plastic::maze(9, 19) };
    planted_races(&Layer::Plastic(one), &[(10, true), (13, true), (16, true), (17, true)]);
    let modulated =
        |modulation| Layer::Modulated(Modulated { input: 9, hidden: 19, modulation, rule: Rule::SoftClamp });
    let common = [(20, false), (21, false), (23, true), (25, true), (26, true)];
    planted_races(&modulated(Modulation::Constant), &common);
    planted_races(&modulated(Modulation::Network), &[(22, false), (24, true)]);
    planted_races(&modulated(Modulation::Retroactive), &[(22, false), (24, true), (27, true)]);
}

/// The size of the published maze with the plan of a device: the code that matters most.
#[test]
fn the_maze_has_no_race() {
    let layer = Layer::Plastic(Plastic::maze(17, 55));
    let extent = Extent { steps: 5, batch: 2 };
    let plan = Plan::new(&layer, Extent { steps: 200, batch: 512 }, size_of::<f32>(), support::SHARED).unwrap();
    assert_eq!((plan.threads.place, plan.slots_in_shared), (Place::Registers, true), "{plan:?}");
    let plan = Plan { every: 3, ..plan };
    assert!(!Values::new(&layer, extent).bits(&layer, &plan, Order::Shuffled).is_empty());
}

#[test]
fn a_nan_is_not_hidden_by_a_clamp() {
    let modulated = Modulated { input: 3, hidden: 5, modulation: Modulation::Constant, rule: Rule::HardClamp };
    for layer in [Layer::Plastic(Plastic::maze(3, 5)), Layer::Modulated(modulated)] {
        let extent = Extent { steps: 2, batch: 2 };
        let mut values = Values::new(&layer, extent);
        values.resets.fill(0);
        values.x[0] = f32::NAN;
        let out = shim::forward(&layer, &plan::<f32>(&layer, extent), Machine::default(), values.inputs());
        let (bad, good) = out.end.split_at(layer.state_len());
        assert!(bad.iter().any(|value| value.is_nan()), "{layer:?}: {bad:?}");
        assert!(good.iter().all(|value| value.is_finite()), "{layer:?}: another environment");
    }
}

/// LSTM with layer norm, GRU and RNN, with several warps in a block.
fn gated_layers() -> [Gated; 3] {
    let lstm = Gated { layer_norm: true, ..Gated::new(GatedKind::Lstm, 9, 19) };
    [lstm, Gated::new(GatedKind::Gru, 9, 19), Gated::new(GatedKind::Rnn, 9, 40)]
}

/// Bits of all results.
fn gated_bits(layer: &Gated, plan: &GatedPlan, values: &Values, order: Order) -> Vec<u32> {
    let machine = Machine { order, ..Machine::default() };
    let (forward, backward) =
        gated_there_and_back(layer, plan, machine, values.inputs(), &values.grad_hidden, &values.grad_end);
    let results = [forward.hidden, forward.end, backward.x, backward.state, backward.parameters];
    results.into_iter().flatten().map(f32::to_bits).collect()
}

#[test]
fn bits_of_lstm_gru_and_rnn_do_not_depend_on_the_order_of_blocks_and_threads() {
    for layer in gated_layers() {
        let extent = Extent { steps: 4, batch: 11 };
        let values = Values::of_gated(&layer, extent);
        // Several parts, and more than one pass of the reduction adds up.
        let plan = GatedPlan { part: 1, ..gated_plan::<f32>(&layer, extent) };
        let bits = gated_bits(&layer, &plan, &values, Order::InOrder);
        assert!(bits.iter().any(|bits| *bits != 0), "results are zeros");
        for order in [Order::Reversed, Order::Shuffled] {
            assert!(gated_bits(&layer, &plan, &values, order) == bits, "{layer:?} {order:?}");
        }
    }
}

#[test]
fn an_environment_of_lstm_gru_and_rnn_has_the_same_bits_in_any_batch() {
    for layer in gated_layers() {
        let extent = Extent { steps: 4, batch: 6 };
        let values = Values::of_gated(&layer, extent);
        let plan = gated_plan::<f32>(&layer, extent);
        let all = shim::gated_forward(&layer, &plan, Machine::default(), values.inputs());
        for env in 0..extent.batch {
            let rows = |values: &[f32], len: usize| -> Vec<f32> {
                (0..extent.steps).flat_map(|t| &values[(t * extent.batch + env) * len..][..len]).copied().collect()
            };
            let resets: Vec<u8> = (0..extent.steps).map(|t| values.resets[t * extent.batch + env]).collect();
            let (x, state) = (rows(&values.x, layer.input), layer.state_len());
            let inputs = Inputs {
                extent: Extent { batch: 1, ..extent },
                parameters: &values.parameters,
                x: &x,
                resets: Some(&resets),
                start: &values.start[env * state..(env + 1) * state],
            };
            let one = shim::gated_forward(&layer, &plan, Machine::default(), inputs);
            assert_eq!(one.hidden, rows(&all.hidden, layer.hidden), "environment {env}");
            assert_eq!(one.end, all.end[env * state..(env + 1) * state], "environment {env}");
        }
    }
}

/// A step at a time gives the same bits as a sequence: what a rollout does is what training learns from.
#[test]
fn steps_of_lstm_gru_and_rnn_have_the_bits_of_the_sequence() {
    for layer in gated_layers() {
        let extent = Extent { steps: 5, batch: 3 };
        let values = Values::of_gated(&layer, extent);
        let plan = gated_plan::<f32>(&layer, extent);
        let (all, _) = gated_there_and_back(
            &layer,
            &plan,
            Machine::default(),
            values.inputs(),
            &values.grad_hidden,
            &values.grad_end,
        );
        let mut state = values.start.clone();
        for t in 0..extent.steps {
            let of = |len: usize| t * extent.batch * len..(t + 1) * extent.batch * len;
            let inputs = Inputs {
                extent: Extent { steps: 1, ..extent },
                parameters: &values.parameters,
                x: &values.x[of(layer.input)],
                resets: Some(&values.resets[of(1)]),
                start: &state,
            };
            let step = shim::gated_forward(&layer, &plan, Machine::default(), inputs);
            assert_eq!(step.hidden, all.hidden[of(layer.hidden)], "{layer:?} step {t}");
            state = step.end;
        }
        assert_eq!(state, all.end);
    }
}

#[test]
fn without_any_one_barrier_of_lstm_gru_and_rnn_there_is_a_race() {
    let extent = Extent { steps: 5, batch: 2 };
    for layer in gated_layers() {
        let values = Values::of_gated(&layer, extent);
        let plan = gated_plan::<f32>(&layer, extent);
        let mut barriers = vec![30, 31, 33, 35, 38];
        if layer.layer_norm {
            barriers.extend([32, 36, 37]);
        }
        for barrier in barriers {
            let machine = Machine { without_barrier: Some(barrier), ..Machine::default() };
            let (_, backward) = shim::gated_there_and_back(
                &layer,
                &plan,
                machine,
                values.inputs(),
                &values.grad_hidden,
                &values.grad_end,
            );
            assert!(backward.problems.count > 0, "{layer:?}: no race found without barrier {barrier}");
        }
    }
}

/// The published size of the maze with the plan of a device.
#[test]
fn lstm_gru_and_rnn_of_the_maze_have_no_race() {
    for kind in [GatedKind::Lstm, GatedKind::Gru, GatedKind::Rnn] {
        let layer = Gated::new(kind, 17, 48);
        let extent = Extent { steps: 3, batch: 6 };
        let plan = gated_plan::<f32>(&layer, Extent { steps: 200, batch: 512 });
        assert_eq!(plan.resident, layer.hidden, "{plan:?}");
        assert!(!gated_bits(&layer, &plan, &Values::of_gated(&layer, extent), Order::Shuffled).is_empty());
    }
}

#[test]
fn a_nan_stays_in_its_environment_of_lstm_gru_and_rnn() {
    for layer in gated_layers() {
        let extent = Extent { steps: 2, batch: 2 };
        let mut values = Values::of_gated(&layer, extent);
        values.resets.fill(0);
        values.x[0] = f32::NAN;
        let plan = gated_plan::<f32>(&layer, extent);
        let out = shim::gated_forward(&layer, &plan, Machine::default(), values.inputs());
        let (bad, good) = out.end.split_at(layer.state_len());
        assert!(bad.iter().any(|value| value.is_nan()), "{layer:?}: {bad:?}");
        assert!(good.iter().all(|value| value.is_finite()), "{layer:?}: another environment");
    }
}
