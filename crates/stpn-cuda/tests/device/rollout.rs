//! Rollouts on a device.

use stpn_cuda::cuda::{Advantages, Device, General, KeptRollout, SequenceLayer};
use stpn_cuda::rollout::{EncoderLayer, Played, Rollout};
use stpn_cuda::shim::{self, LossSteps, Machine, RolloutBackward};
use stpn_cuda::{
    AdvantageSteps, AnyLayer, Error, Extent, Gated, GatedKind, Layer, Modulated, Modulation, Plastic, Rule,
};

use super::device;
use super::support::encoder::OwnEncoder;
use super::support::maze::{Case as MazeCase, DRAWS, rules};
use super::support::policy::A2C;
use super::support::rollout::Given;
use super::support::{Numbers, distance, foreseen, game};

/// Layers of all kinds.
fn layers(input: usize) -> Vec<AnyLayer> {
    let plastic = Layer::Plastic(Plastic { layer_norm: true, ..Plastic::maze(input, 19) });
    let (modulation, rule) = (Modulation::Retroactive, Rule::SoftClamp);
    let modulated = Layer::Modulated(Modulated { input, hidden: 9, modulation, rule });
    let lstm = Gated { split: true, layer_norm: true, ..Gated::new(GatedKind::Lstm, input, 9) };
    // The last has a part of its matrix in global memory, and more environments in a block.
    let rnn = Gated::new(GatedKind::Rnn, input, 220);
    let gated = [lstm, Gated::new(GatedKind::Gru, input, 9), Gated::new(GatedKind::Rnn, input, 9), rnn];
    [plastic, modulated].into_iter().map(AnyLayer::from).chain(gated.map(AnyLayer::from)).collect()
}

fn extent(layer: &AnyLayer) -> Extent {
    Extent { steps: if layer.hidden() > 100 { 4 } else { 12 }, batch: 9 }
}

#[test]
fn on_device_a_rollout_and_the_gradient_of_its_loss() {
    let Some(device) = device() else { return };
    let general = General::<f32>::new(&device).unwrap();
    let rules = rules();
    for layer in layers(rules.observation_len()) {
        let extent = extent(&layer);
        let case = MazeCase::new(&layer, Extent { batch: 3, ..extent }, &rules);
        // The same three environments again and again, with other draws.
        let mut case = case.single();
        case.given.extent = extent;
        let mut numbers = Numbers::new(59);
        let again = extent.batch / 3;
        case.states = case.states.repeat(again);
        let Given { x, starts, state, .. } = &mut case.given;
        (*x, *starts, *state) = (x.repeat(again), starts.repeat(again), state.repeat(again));
        case.draws = (0..extent.batch * DRAWS).map(|_| ((numbers.next() + 1.0) * 9e18) as u64).collect();
        case.given.uniform = numbers.vec(extent.steps * extent.batch, 0.5).iter().map(|value| value + 0.5).collect();
        rollout_and_gradient(&general, &layer, &case.rollout(&rules));
    }
}

#[test]
fn on_device_a_rollout_with_an_encoder() {
    let Some(device) = device() else { return };
    let general = General::<f32>::new(&device).unwrap();
    for layer in layers(11).into_iter().skip(1).step_by(2) {
        let case = foreseen::Case::new(&layer, extent(&layer)).single();
        let encoder = OwnEncoder::new(foreseen::INPUT, layer.input()).single();
        let rollout = Rollout { encoder: &encoder.layers(), ..case.rollout() };
        let on_device = SequenceLayer::new(&general, layer.clone()).unwrap();
        assert!(
            played_alike((&device, &on_device), &layer, &rollout).1.is_none(),
            "the inputs of the layer are kept nowhere"
        );
    }
}

#[test]
fn on_device_a_rollout_that_is_foreseen_and_the_gradient_of_its_loss() {
    let Some(device) = device() else { return };
    let general = General::<f32>::new(&device).unwrap();
    for layer in layers(foreseen::INPUT) {
        let case = foreseen::Case::new(&layer, extent(&layer)).single();
        rollout_and_gradient(&general, &layer, &case.rollout());
    }
}

#[test]
fn on_device_a_rollout_of_games_and_the_gradient_of_its_loss() {
    let Some(device) = device() else { return };
    let general = General::<f32>::new(&device).unwrap();
    for (at, game) in game::ALL.into_iter().enumerate() {
        let rules = game::rules(game);
        let layer = layers(rules.observation_len()).swap_remove(at % 5);
        let case = game::Case::new(&layer, extent(&layer), &rules).single();
        match rules.choices.len() {
            1 => rollout_and_gradient(&general, &layer, &case.rollout(&rules)),
            _ => {
                let on_device = SequenceLayer::new(&general, layer.clone()).unwrap();
                assert!(played_alike((&device, &on_device), &layer, &case.rollout(&rules)).1.is_some());
            }
        }
    }
}

/// Numbers that hardly differ.
fn close(what: &str, got: &[f32], want: &[f32]) {
    let [got, want] = [got, want].map(|values| values.iter().copied().map(f64::from).collect::<Vec<f64>>());
    assert!(distance(&got, &want) < 1e-5, "{what}: {:e}", distance(&got, &want));
}

/// What a rollout leaves on the device, and what the shim gives for it.
type Left = (KeptRollout<f32>, RolloutBackward<f32>);

/// Plays on the device and behind the shim. Something is left if the rollout has no encoder.
fn played_alike(
    (device, on_device): (&Device, &SequenceLayer<f32>),
    layer: &AnyLayer,
    rollout: &Rollout<'_, f32>,
) -> (Played<f32>, Option<Left>) {
    let upload = |values: &[f32]| device.upload(values).unwrap();
    let (parameters, heads) = (upload(rollout.parameters), upload(rollout.heads));
    let encoder: Vec<_> = rollout.encoder.iter().map(|layer| (layer.dense, upload(layer.parameters))).collect();
    let encoder: Vec<_> =
        encoder.iter().map(|(dense, parameters)| EncoderLayer { dense: *dense, parameters }).collect();
    let there = rollout.with_parameters([&parameters, &heads], &encoder);
    let (got, kept) = on_device.rollout(&there, encoder.is_empty()).unwrap();
    assert_eq!(on_device.rollout(&there, false).unwrap().0, got, "two runs differ in their bits");
    let unwatched = on_device.rollout(&Rollout { watched: false, ..there }, false).unwrap().0;
    assert_eq!(unwatched, Played { observed: Vec::new(), ..got.clone() });
    let (want, wanted, problems) = shim::rollout(layer, device.shared(), Machine::default(), rollout);
    assert_eq!(problems.count, 0, "{}", problems.first);
    assert_eq!((&got.actions, &got.rewards, &got.next), (&want.actions, &want.rewards, &want.next));
    assert_eq!(got.observed, want.observed);
    close("log-probabilities", &got.log_probs, &want.log_probs);
    close("outputs", &got.outputs, &want.outputs);
    close("states", &got.state, &want.state);
    close("energy", &got.energy, &want.energy);
    (got, kept.zip(wanted))
}

/// A rollout on the device and behind the shim, and what follows from what it leaves.
fn rollout_and_gradient(general: &General<f32>, layer: &AnyLayer, rollout: &Rollout<'_, f32>) {
    let (device, extent) = (general.device(), rollout.extent);
    let mut numbers = Numbers::new(61);
    let on_device = SequenceLayer::new(general, layer.clone()).unwrap();
    let parameters = device.upload(rollout.parameters).unwrap();
    let (got, kept) = played_alike((device, &on_device), layer, rollout);
    let (kept, wanted) = kept.unwrap();
    let units = extent.steps * extent.batch;
    let [advantages, returns] =
        [0, 1].map(|_| numbers.vec(units, 1.0).iter().map(|value| *value as f32).collect::<Vec<f32>>());
    let place = |[advantages, returns]: [&[f32]; 2]| Advantages {
        advantages: device.upload(advantages).unwrap(),
        returns: device.upload(returns).unwrap(),
    };
    let (grad, sums) = kept.a2c_loss(general, &A2C, &place([&advantages, &returns])).unwrap();
    let (outputs, actions) = (&got.outputs, &got.actions);
    let steps = LossSteps { extent, outputs, actions, advantages: &advantages, returns: &returns };
    let (grad_wanted, sums_wanted, _) = shim::a2c_loss(&A2C, Machine::default(), steps);
    close("gradient of the outputs", &device.download(&grad).unwrap(), &grad_wanted);
    assert!((sums.policy - sums_wanted.policy).abs() < 1e-6 * sums_wanted.policy.abs().max(1.0));

    let short = kept.a2c_loss(general, &A2C, &place([&advantages[1..], &returns]));
    assert!(matches!(short, Err(Error::Length { what: "advantages", .. })), "{short:?}");

    let ends: Vec<u8> = (0..units).map(|n| u8::from(n % 7 == 4)).collect();
    let steps = AdvantageSteps {
        gamma: 0.9,
        lambda: 0.8,
        rewards: &advantages,
        last_values: &returns[..extent.batch],
        terminated: &vec![0; units],
        truncated: &ends,
        final_values: &returns,
    };
    let estimated = kept.advantages(general, &steps).unwrap();
    let ([wanted_advantages, wanted_returns], _) =
        shim::advantages_of_outputs(Machine::default(), extent, &got.outputs, &steps);
    close("advantages", &device.download(&estimated.advantages).unwrap(), &wanted_advantages);
    close("returns", &device.download(&estimated.returns).unwrap(), &wanted_returns);

    let ones = |len: usize| device.upload(&vec![1f32; len]).unwrap();
    let (grad_hidden, grad_end) = (ones(units * layer.hidden()), ones(extent.batch * layer.state_len()));
    let back = on_device.backward(kept.sequence(&parameters), kept.forward(), &grad_hidden, &grad_end).unwrap();
    close("gradient of the parameters", &device.download(&back.parameters).unwrap(), &wanted.parameters);
}
