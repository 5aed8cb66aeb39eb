//! Rollouts in environments that are foreseen but for the action before: what the kernel plays is what they show with
//! the actions that it takes, and what the layer's own forward pass gives for that.
#![allow(clippy::unwrap_used, reason = "a failing unwrap fails the test")]

mod support;

use stpn_cuda::rollout::{EncoderLayer, Environments, Foreseen, Rollout};
use stpn_cuda::shim::{self, Machine};
use stpn_cuda::{AnyLayer, Dense, Extent, Gated, GatedKind, Layer, Plastic};
use support::SHARED;
use support::encoder::OwnEncoder;
use support::foreseen::{CHOICES, Case, ECHO, INPUT};
use support::rollout::{check_orders, compare, layers, played};

/// Plays a case, perhaps with an encoder, and holds everything against what its environments show, and the layer's own
/// forward pass; returns how often each action was taken.
fn check(layer: &AnyLayer, case: &Case<f64>, encoder: &[EncoderLayer<'_, [f64]>]) -> [usize; CHOICES] {
    let rollout = Rollout { encoder, ..case.rollout() };
    let (got, back) = played(layer, Machine::default(), &rollout);
    let Extent { steps, batch } = case.given.extent;
    let (mut x, mut resets) = (vec![Vec::new(); steps * batch], vec![0; steps * batch]);
    let mut taken = [0; CHOICES];
    for env in 0..batch {
        let mut seen = (case.given.x[env * INPUT..(env + 1) * INPUT].to_vec(), case.given.starts[env]);
        for t in 0..steps {
            (x[t * batch + env], resets[t * batch + env]) = seen;
            let action = got.actions[env * steps + t];
            taken[action as usize] += 1;
            seen = case.shown(env, t, action, [0.0, 1.0]);
        }
        assert_eq!(got.next[env * INPUT..(env + 1) * INPUT], seen.0);
    }
    assert!(got.rewards.is_empty(), "they are not known there");
    compare(layer, &rollout, (&got, back.as_ref()), (&x.concat(), &resets));
    taken
}

#[test]
fn a_rollout_shows_the_action_before_and_is_the_forward_pass_of_the_layer() {
    let mut taken = [0; CHOICES];
    for layer in layers(INPUT) {
        let extent = Extent { steps: if layer.hidden() > 10 { 6 } else { 15 }, batch: 5 };
        let own = check(&layer, &Case::new(&layer, extent), &[]);
        taken.iter_mut().zip(own).for_each(|(sum, own)| *sum += own);
    }
    assert!(taken.iter().all(|count| *count > 20), "{taken:?}");
}

#[test]
fn a_rollout_with_an_encoder_is_the_forward_pass_of_all_layers() {
    // Fewer numbers than environments show, and more.
    for (at, layer) in [6, 17].into_iter().flat_map(layers).enumerate() {
        let extent = Extent { steps: if layer.hidden() > 10 { 6 } else { 15 }, batch: 5 };
        let mut encoder = OwnEncoder::new(INPUT, layer.input());
        if at % 4 == 3 {
            // A single layer.
            let (first, parameters) = &encoder.0[0];
            let alone = Dense { output: layer.input(), ..*first };
            encoder.0 = vec![(alone, parameters[..alone.parameters()].to_vec())];
        }
        check(&layer, &Case::new(&layer, extent), &encoder.layers());
    }
}

#[test]
fn no_bit_of_a_rollout_depends_on_an_order() {
    let plastic = Layer::Plastic(Plastic { layer_norm: true, ..Plastic::maze(INPUT, 19) });
    for layer in [AnyLayer::from(plastic), Gated::new(GatedKind::Lstm, INPUT, 19).into()] {
        let case = Case::new(&layer, Extent { steps: 7, batch: 5 });
        check_orders(&layer, &case.rollout());
        let encoder = OwnEncoder::new(INPUT, INPUT);
        check_orders(&layer, &Rollout { encoder: &encoder.layers(), ..case.rollout() });
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let layer = AnyLayer::from(Layer::Plastic(Plastic::maze(INPUT, 6)));
    let case = Case::new(&layer, Extent { steps: 4, batch: 3 });
    let of = |foreseen| Rollout { environments: Environments::Foreseen(foreseen), ..case.rollout() };
    let foreseen = case.foreseen();
    let encoder = OwnEncoder::new(INPUT, INPUT);
    let [first, last] = encoder.layers()[..] else { panic!("two layers") };
    let with = |encoder| Rollout { encoder, ..case.rollout() };
    let short = EncoderLayer { parameters: &first.parameters[1..], ..first };
    for wrong in [
        of(Foreseen { echo: ECHO + 2, ..foreseen }),
        of(Foreseen { echo: usize::MAX, ..foreseen }),
        of(Foreseen { choices: 0, ..foreseen }),
        of(Foreseen { choices: CHOICES - 1, ..foreseen }),
        of(Foreseen { observations: &case.observations[1..], ..foreseen }),
        of(Foreseen { starts: &case.later_starts[1..], ..foreseen }),
        with(&[first]),
        with(&[last]),
        with(&[last, first]),
        with(&[short, last]),
        with(&[first, last, first, last, last]),
    ] {
        let refused = std::panic::catch_unwind(|| shim::rollout(&layer, SHARED, Machine::default(), &wrong));
        assert!(refused.is_err(), "{wrong:?}");
    }
}
