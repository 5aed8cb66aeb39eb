//! The energy of given sequences and of dense layers on the kernels behind the shim.
#![allow(clippy::unwrap_used, reason = "a failing unwrap fails the test")]

mod support;

use stpn_cuda::shim::{self, Machine, MeasuredResults, Order};
use stpn_cuda::{
    AnyLayer, Dense, EnergyOf, Extent, Gated, GatedKind, Granularity, Layer, Modulated, Modulation, Nonlinearity,
    Plastic, Rule, Synapses,
};
use support::case::{Sizes, Values};
use support::energy::measured;
use support::{Numbers, SHARED, distance, gated_plan, plan};

const INPUT: usize = 9;

/// All families; the largest plastic layer lies in shared memory, the largest gated one in part in global memory.
fn layers() -> Vec<AnyLayer> {
    let stpn = Plastic::stpn(INPUT, 6);
    let plastic = [
        Plastic::maze(INPUT, 19),
        stpn.clone(),
        Plastic { recurrent: false, ..stpn.clone() },
        Plastic::hebbff(INPUT, 7),
        Plastic { layer_norm: true, plastic_bias: true, synapses: Synapses::Input, ..stpn.clone() },
        Plastic { granularity: Granularity::Presynaptic, synapses: Synapses::Recurrent, ..stpn },
        Plastic::maze(INPUT, 70),
    ];
    let modulated = |modulation, rule| Layer::Modulated(Modulated { input: INPUT, hidden: 7, modulation, rule });
    let modulated = [
        modulated(Modulation::Constant, Rule::Decay),
        modulated(Modulation::Network, Rule::SoftClamp),
        modulated(Modulation::Retroactive, Rule::HardClamp),
    ];
    let gated = [
        Gated { split: true, layer_norm: true, ..Gated::new(GatedKind::Lstm, INPUT, 19) },
        Gated::new(GatedKind::Lstm, INPUT, 6),
        Gated::new(GatedKind::Gru, INPUT, 7),
        Gated::new(GatedKind::Rnn, INPUT, 6),
        Gated { split: true, ..Gated::new(GatedKind::Rnn, INPUT, 150) },
    ];
    let plastic = plastic.map(Layer::Plastic).into_iter().chain(modulated).map(AnyLayer::from);
    plastic.chain(gated.map(AnyLayer::from)).collect()
}

fn values(layer: &AnyLayer, extent: Extent) -> Values {
    let (parameters, state) = (layer.parameters(), layer.state_len());
    Values::new(Sizes { parameters, input: layer.input(), hidden: layer.hidden(), state }, extent, 67)
}

/// Measured where `of` says; panics if the machine finds anything wrong.
fn run(layer: &AnyLayer, values: &Values, machine: Machine, of: &EnergyOf<'_, f64>) -> MeasuredResults<f64> {
    let got = shim::forward_measured(layer, SHARED, machine, values.inputs(), of);
    assert_eq!(got.problems.count, 0, "{layer:?}: {}", got.problems.first);
    got
}

#[test]
fn the_energy_of_a_sequence_is_that_of_its_equation_and_the_rest_has_the_bits_of_a_plain_pass() {
    for layer in layers() {
        let extent = Extent { steps: if layer.hidden() > 50 { 5 } else { 11 }, batch: 5 };
        let values = values(&layer, extent);
        let mask: Vec<f64> = (0..INPUT).map(|input| [1.0, 0.0, 0.5][input % 3]).collect();
        let (hidden, end) = match &layer {
            AnyLayer::Plastic(layer) => {
                let plain = shim::forward(layer, &plan::<f64>(layer, extent), Machine::default(), values.inputs());
                (plain.hidden, plain.end)
            }
            AnyLayer::Gated(layer) => {
                let plan = gated_plan::<f64>(layer, extent);
                let plain = shim::gated_forward(layer, &plan, Machine::default(), values.inputs());
                (plain.hidden, plain.end)
            }
        };
        for of in [
            EnergyOf { first: 0, every: 1, batch: 5, mask: None },
            EnergyOf { first: 1, every: 3, batch: 2, mask: Some(&mask) },
        ] {
            let got = run(&layer, &values, Machine::default(), &of);
            assert_eq!(got.energy.len(), of.samples(extent.steps) * of.batch * layer.hidden());
            let wanted = measured(&layer, values.inputs(), &of);
            assert!(distance(&got.energy, &wanted) < 1e-12, "{layer:?}: {:e}", distance(&got.energy, &wanted));
            assert_eq!((&got.hidden, &got.end), (&hidden, &end), "{layer:?}");
        }
    }
}

#[test]
fn no_bit_depends_on_an_order_and_no_barrier_can_be_spared() {
    let modulated = Modulated { input: INPUT, hidden: 19, modulation: Modulation::Network, rule: Rule::SoftClamp };
    let plastic = Plastic { layer_norm: true, ..Plastic::maze(INPUT, 19) };
    let lstm = Gated { layer_norm: true, ..Gated::new(GatedKind::Lstm, INPUT, 19) };
    let of = EnergyOf { first: 0, every: 2, batch: 3, mask: None };
    for (layer, barriers) in [
        (Layer::Plastic(plastic).into(), &[1, 2, 3, 4][..]),
        (Layer::Modulated(modulated).into(), &[20, 21, 22]),
        (AnyLayer::from(lstm), &[30, 31, 32, 33]),
    ] {
        let values = values(&layer, Extent { steps: 5, batch: 3 });
        let in_order = run(&layer, &values, Machine::default(), &of);
        for order in [Order::Reversed, Order::Shuffled] {
            assert_eq!(run(&layer, &values, Machine { order, ..Machine::default() }, &of), in_order, "{order:?}");
        }
        for barrier in barriers {
            let machine = Machine { without_barrier: Some(*barrier), ..Machine::default() };
            let got = shim::forward_measured(&layer, SHARED, machine, values.inputs(), &of);
            assert!(got.problems.count > 0, "{layer:?}: no race found without barrier {barrier}");
        }
    }
}

#[test]
fn the_energy_of_a_dense_layer_is_that_of_its_weights_alone() {
    let mut numbers = Numbers::new(71);
    for (input, output, rows) in [(1, 1, 1), (5, 3, 7), (70, 66, 65), (300, 2, 3)] {
        let layer = Dense { scale: 2.0, ..Dense::new(input, output, Nonlinearity::Tanh) };
        let [parameters, x, mask] = [layer.parameters(), rows * input, input].map(|len| numbers.vec(len, 1.5));
        for mask in [None, Some(&mask[..])] {
            let (got, problems) = shim::dense_energy(&layer, Machine::default(), &parameters, &x, mask);
            assert_eq!(problems.count, 0, "{}", problems.first);
            let of = |row: usize, unit: usize| -> f64 {
                let factor = |at: usize| mask.map_or(1.0, |mask| mask[at]) * x[row * input + at];
                (0..input).map(|at| parameters[unit * input + at].abs() * factor(at).powi(2)).sum()
            };
            let wanted: Vec<f64> = (0..rows * output).map(|at| of(at / output, at % output)).collect();
            assert!(distance(&got, &wanted) < 1e-12, "{layer:?}: {:e}", distance(&got, &wanted));
            for order in [Order::Reversed, Order::Shuffled] {
                let machine = Machine { order, ..Machine::default() };
                assert_eq!(shim::dense_energy(&layer, machine, &parameters, &x, mask).0, got, "{order:?}");
            }
        }
    }
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let layer = AnyLayer::from(Gated::new(GatedKind::Rnn, INPUT, 3));
    let values = values(&layer, Extent { steps: 4, batch: 2 });
    for of in [
        EnergyOf { first: 4, every: 1, batch: 2, mask: None },
        EnergyOf { first: 0, every: 0, batch: 2, mask: None },
        EnergyOf { first: 0, every: 1, batch: 3, mask: None },
        EnergyOf { first: 0, every: 1, batch: 0, mask: None },
        EnergyOf { first: 0, every: 1, batch: 2, mask: Some(&[1.0]) },
    ] {
        let refused = std::panic::catch_unwind(|| {
            shim::forward_measured(&layer, SHARED, Machine::default(), values.inputs(), &of)
        });
        assert!(refused.is_err(), "{of:?}");
    }
}
