//! Advantages that a device estimates, and what is learned from them there.

use stpn_agents::advantage::estimator::{Estimator, RolloutAdvantages};
use stpn_agents::advantage::{Advantages, generalized_advantages};
use stpn_agents::algorithms::ppo::{KlPenalty, NormalizeAdvantages};
use stpn_agents::algorithms::{A2cConfig, Experience, Moment, PpoConfig, PpoState, a2c, ppo};
use stpn_agents::collective::{Exchange, Local};
use stpn_agents::learner::Learner;
use stpn_agents::optimizer::{AdamConfig, Clock, Schedule};
use stpn_agents::rollout::{Estimates, Fragment, Worker};
use stpn_agents::{ActorCritic, Metrics};
use stpn_core::cells::CellName;
use stpn_random::{Purpose, Stream};

use crate::device_rollouts::{Case, Make, memory, pendulum, workers};

const AT: Moment = Moment { update: 1, clock: Clock { now: 0, end: 1 } };

/// Advantages of the policy that acted.
fn acted(policy: &ActorCritic, workers: &[Worker], estimator: &Estimator<'_>) -> RolloutAdvantages {
    let fragments: Vec<&Fragment> = workers.iter().map(Worker::fragment).collect();
    let estimates: Vec<&Estimates> = fragments.iter().map(|fragment| &fragment.estimates).collect();
    estimator.estimate((policy, &Local), &fragments, &estimates, None).unwrap()
}

/// What an update left: advantages of the policy that acted, metrics and parameters.
type Left = (Vec<Advantages>, Metrics, Vec<f32>);

/// Learns once from a rollout of workers that have lived `lived` before.
fn learned(
    (make, cell, steps, lived): (Make, CellName, usize, usize),
    on_device: bool,
    update: impl Fn(&mut Learner, &mut [Worker], &RolloutAdvantages, &Estimator<'_>) -> Metrics,
) -> Left {
    let case = Case::new(make, cell, false);
    let mut workers = workers(make, &case.policy, steps);
    let policy = case.policy.prepare().unwrap();
    for _ in 0..=lived {
        workers.iter_mut().for_each(|worker| worker.collect(&policy, &case.normalization).unwrap());
    }
    let estimator = Estimator { normalization: &case.normalization, clip_rewards: false, discounts: (0.97, 0.9) };
    let policy = if on_device { case.on_device() } else { case.policy.clone() };
    let mut learner = Learner::new(policy, &AdamConfig::default()).unwrap();
    let advantages = acted(learner.policy(), &workers, &estimator);
    assert_eq!(advantages.there.is_some(), on_device);
    let metrics = update(&mut learner, &mut workers, &advantages, &estimator);
    learner.synchronize().unwrap();
    (advantages.here, metrics, learner.values().to_vec())
}

#[test]
fn advantages_of_a_device_have_the_bits_of_the_cpu() {
    let case = Case::new(memory, CellName::Rnn, false);
    let (workers, mut stream) = (workers(memory, &case.policy, 31), Stream::new(7, Purpose::Test, 0));
    let mut fragments: Vec<Fragment> = workers.iter().map(|worker| worker.fragment().clone()).collect();
    for fragment in &mut fragments {
        for n in 0..fragment.rewards.len() {
            fragment.rewards[n] = stream.normal() as f32;
            fragment.estimates.values[n] = stream.normal() as f32;
            // Some steps are both: then nothing follows.
            (fragment.terminated[n], fragment.truncated[n]) = (stream.chance(0.2), stream.chance(0.2));
            fragment.estimates.final_values[n] = if fragment.truncated[n] { stream.normal() as f32 } else { 0.0 };
        }
        fragment.estimates.last_values.iter_mut().for_each(|value| *value = stream.normal() as f32);
    }
    let fragments: Vec<&Fragment> = fragments.iter().collect();
    let own: Vec<&Estimates> = fragments.iter().map(|fragment| &fragment.estimates).collect();
    // Those of another policy.
    let others: Vec<Estimates> = own
        .iter()
        .map(|own| Estimates { values: own.values.iter().map(|value| 0.3 - value).collect(), ..(*own).clone() })
        .collect();
    for (estimates, clip_rewards) in [(own, false), (others.iter().collect(), true)] {
        let (normalization, discounts) = (&case.normalization, (0.97, 0.9));
        let estimator = Estimator { normalization, clip_rewards, discounts };
        let of = |policy| estimator.estimate((policy, &Local), &fragments, &estimates, None).unwrap();
        let (here, there) = (of(&case.policy), of(&case.on_device()));
        assert!(there.here == here.here);
        assert!(here.there.is_none() && there.there.is_some());
        let rewards = |fragment: &Fragment| -> Vec<f32> {
            fragment.rewards.iter().map(|reward| if clip_rewards { reward.signum() } else { *reward }).collect()
        };
        let wanted = fragments
            .iter()
            .zip(&estimates)
            .map(|(fragment, estimates)| generalized_advantages(fragment, estimates, &rewards(fragment), discounts));
        assert!(here.here == wanted.collect::<Vec<Advantages>>());
    }
}

#[test]
fn ppo_learns_the_same_bits_from_advantages_that_are_on_a_device() {
    let plain = PpoConfig { epochs: 3, minibatch_size: 40, clip: Schedule::Constant(0.02), ..PpoConfig::default() };
    let again = PpoConfig { recompute_advantages: true, ..plain.clone() };
    let both = PpoConfig { recompute_states: true, ..again.clone() };
    let whole = NormalizeAdvantages::Batch;
    // Episodes are cut off in the pendulum after 200 steps, and end by themselves in the memory task. The last of four
    // or seventeen sequences is shorter. At most four are a minibatch, which the CPU computes in one block then.
    for (make, cell, steps, config) in [
        (memory as Make, CellName::Stpn, 40, plain.clone()),
        (memory, CellName::Lstm, 40, PpoConfig { normalize_advantages: whole, ..again.clone() }),
        (memory, CellName::Gru, 40, PpoConfig { kl_penalty: Some(KlPenalty::default()), ..both.clone() }),
        (memory, CellName::Mlp, 13, PpoConfig { recompute_states: false, ..again.clone() }),
        (pendulum, CellName::Stpnf, 210, PpoConfig { normalize_advantages: whole, ..plain }),
        (pendulum, CellName::Rnn, 210, PpoConfig { normalize_advantages: NormalizeAdvantages::None, ..both }),
        (pendulum, CellName::Lstm, 210, again),
    ] {
        let update = |learner: &mut Learner, workers: &mut [Worker], acted: &RolloutAdvantages, by: &Estimator<'_>| {
            let cut_off = workers.iter().any(|worker| worker.fragment().truncated.contains(&true));
            let ended = workers.iter().any(|worker| worker.fragment().terminated.contains(&true));
            assert_eq!((cut_off, ended), (steps == 210, steps != 210));
            let mut state = PpoState::new(&config, 1);
            let exchange = Exchange::default();
            ppo::update(&config, &mut state, learner, workers, (acted, by), &exchange, (0.01, AT)).unwrap()
        };
        let run = |on_device| learned((make, cell, steps, 1), on_device, update);
        let (here, there) = (run(false), run(true));
        assert!(there == here, "{cell} {config:?}: {:?} for {:?}", there.1, here.1);
        assert!(here.1.get("losses/epochs") == Some(3.0) && here.1.get("losses/clipfrac") > Some(0.0), "{:?}", here.1);
    }
}

#[test]
fn a2c_learns_from_advantages_that_are_on_a_device() {
    let config = A2cConfig { normalize_advantages: true, ..A2cConfig::default() };
    // A gradient adds up in another order there, where all sequences are one block.
    for (make, steps) in [(memory as Make, 13), (memory, 40), (pendulum, 210)] {
        let update = |learner: &mut Learner, workers: &mut [Worker], acted: &RolloutAdvantages, _: &Estimator<'_>| {
            let fragments = workers.iter().map(|worker| worker.fragment()).collect();
            let experience = Experience { fragments, advantages: acted };
            a2c::update(&config, learner, (&experience, None), &Exchange::default(), 0.01, AT).unwrap()
        };
        let run = |on_device| learned((make, CellName::Gru, steps, 0), on_device, update);
        let ((advantages, here, _), (advantages_there, there, _)) = (run(false), run(true));
        assert!(advantages_there == advantages);
        let names =
            ["losses/total_loss", "losses/policy_loss", "losses/value_loss", "losses/entropy", "losses/grad_norm"];
        for name in names {
            let [here, there] = [&here, &there].map(|metrics| metrics.get(name).unwrap());
            assert!((here - there).abs() < 1e-5 * here.abs().max(1e-3), "{name}: {there} for {here}");
        }
        assert_eq!(there.get("losses/explained_variance"), here.get("losses/explained_variance"));
    }
}
