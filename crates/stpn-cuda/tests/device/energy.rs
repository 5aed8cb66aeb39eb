//! Energy on a device.

use stpn_cuda::cuda::{Buffer, DenseLayer, General, Sequence, SequenceLayer};
use stpn_cuda::shim::{self, Inputs, Machine};
use stpn_cuda::{
    AnyLayer, Dense, EnergyOf, Error, Extent, Gated, GatedKind, Layer, Modulated, Modulation, Nonlinearity, Plastic,
    Rule,
};

use super::device;
use super::support::{Numbers, SHARED, distance};

#[test]
fn on_device_the_energy_of_given_sequences_and_of_a_dense_layer() {
    let Some(device) = device() else { return };
    let general = General::<f32>::new(&device).unwrap();
    let mut numbers = Numbers::new(61);
    let mut draw = |len: usize| -> Vec<f32> { numbers.vec(len, 0.3).into_iter().map(|v| v as f32).collect() };
    let close = |what: &str, got: &Buffer<f32>, want: &[f32]| {
        let got: Vec<f64> = device.download(got).unwrap().into_iter().map(f64::from).collect();
        let want: Vec<f64> = want.iter().copied().map(f64::from).collect();
        assert!(distance(&got, &want) < 1e-5, "{what}: {:e}", distance(&got, &want));
    };
    let modulated = Modulated { input: 9, hidden: 19, modulation: Modulation::Retroactive, rule: Rule::SoftClamp };
    let plastic = [Layer::Plastic(Plastic::maze(9, 19)), Layer::Plastic(Plastic::stpn(60, 70))];
    let gated = [
        Gated { split: true, layer_norm: true, ..Gated::new(GatedKind::Lstm, 9, 19) },
        Gated::new(GatedKind::Gru, 9, 19),
        Gated::new(GatedKind::Rnn, 9, 220),
    ];
    let layers = plastic.into_iter().chain([Layer::Modulated(modulated)]).map(AnyLayer::from);
    for layer in layers.chain(gated.map(AnyLayer::from)) {
        let extent = Extent { steps: if layer.hidden() > 100 { 3 } else { 7 }, batch: 9 };
        let [parameters, x, start, mask] = [
            layer.parameters(),
            extent.steps * extent.batch * layer.input(),
            extent.batch * layer.state_len(),
            layer.input(),
        ]
        .map(&mut draw);
        let resets: Vec<u8> = (0..extent.steps * extent.batch).map(|at| u8::from(at % 13 == 5)).collect();
        let [parameters_there, x_there, start_there] =
            [&parameters, &x, &start].map(|values| device.upload(values).unwrap());
        let resets_there = device.upload(&resets).unwrap();
        let sequence = Sequence {
            extent,
            parameters: &parameters_there,
            x: &x_there,
            resets: Some(&resets_there),
            start: &start_there,
        };
        let of = EnergyOf { first: 1, every: 2, batch: 5, mask: Some(&mask) };
        let on_device = SequenceLayer::new(&general, layer.clone()).unwrap();
        let (forward, energy) = on_device.forward_measured(sequence, &of).unwrap();
        let plain = on_device.forward(sequence, false).unwrap();
        let both = [&forward.hidden, &plain.hidden, &forward.end, &plain.end].map(|b| device.download(b).unwrap());
        assert!(both[0] == both[1] && both[2] == both[3], "measuring changes bits: {layer:?}");
        let inputs = Inputs { extent, parameters: &parameters, x: &x, resets: Some(&resets), start: &start };
        let want = shim::forward_measured(&layer, SHARED, Machine::default(), inputs, &of);
        assert_eq!(energy.len(), of.samples(extent.steps) * 5 * layer.hidden());
        close("energy", &energy, &want.energy);
        let nowhere = on_device.forward_measured(sequence, &EnergyOf { first: 7, ..of });
        assert!(matches!(nowhere, Err(Error::Energy { .. })), "{nowhere:?}");
        let short = on_device.forward_measured(sequence, &EnergyOf { mask: Some(&[1.0]), ..of });
        assert!(matches!(short, Err(Error::Length { what: "energy mask", .. })), "{short:?}");
    }

    let (layer, rows) = (Dense::new(17, 70, Nonlinearity::Tanh), 600);
    let [parameters, x, mask] = [layer.parameters(), rows * 17, 17].map(draw);
    let [there, x_there] = [&parameters, &x].map(|values| device.upload(values).unwrap());
    let dense = DenseLayer::new(&general, layer).unwrap();
    for mask in [None, Some(&mask[..])] {
        let (want, _) = shim::dense_energy(&layer, Machine::default(), &parameters, &x, mask);
        close("energy of a dense layer", &dense.energy(rows, &there, &x_there, mask).unwrap(), &want);
    }
}
