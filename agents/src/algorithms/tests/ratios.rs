//! Rollouts and what is learned from them agree: ratios of 1, states where they belong, bootstraps of the right moment.

use candle_core::{DType, Device};
use stpn_core::cells::CellName;
use stpn_envs::classic::{CartPoleConfig, MemoryConfig};
use stpn_envs::{Env, EnvConfig, EnvGroup, Space};

use crate::actor::Subject;
use crate::advantage::{Advantages, generalized_advantages};
use crate::algorithms::batch::{SequenceBatch, sequences};
use crate::algorithms::objective::{Derivatives, Losses, Objective, Sample, block_gradient};
use crate::optimizer::FlatLayout;
use crate::policy::accelerator::DeviceLoss;
use crate::policy::distribution::Terms;
use crate::policy::{ActorCritic, PolicyConfig};
use crate::rollout::{Fragment, Normalization, Recompute, Worker};

/// Largest |r − 1| and |V − V_old| in place of a loss.
struct Deviation;

impl Objective for Deviation {
    fn on_device(&self, _: f64) -> DeviceLoss {
        unreachable!("nothing here is on a device")
    }

    fn step(&self, sample: &Sample, terms: &Terms, value: f64, losses: &mut Losses) -> Derivatives {
        losses.steps += 1.0;
        losses.policy = losses.policy.max(((terms.log_prob - sample.log_prob).exp() - 1.0).abs());
        losses.value = losses.value.max((value - sample.value).abs());
        Derivatives::default()
    }
}

fn worker(env: &EnvConfig, cell: CellName, steps: usize, batch: usize, length: usize) -> (ActorCritic, Worker) {
    let made = env.make().unwrap();
    let (observations, actions): (Space, Space) = (made.observation_space().clone(), made.action_space().clone());
    let config = PolicyConfig::new(cell.config(), 8);
    let policy = ActorCritic::new(&config, &observations, &actions, 1, DType::F32, &Device::Cpu).unwrap();
    let make = |_| -> stpn_envs::Result<Box<dyn Env>> { env.make() };
    let group = EnvGroup::new(&make, 0, batch, 5).unwrap();
    let fragment = Fragment::new(steps, batch, length, &observations, &policy);
    let worker = Worker::new(group, fragment, 5).unwrap();
    (policy, worker)
}

fn advantages(fragment: &Fragment) -> Vec<Advantages> {
    vec![generalized_advantages(fragment, &fragment.estimates, &fragment.rewards, (0.99, 0.95))]
}

#[test]
fn first_epoch_ratios_are_1_for_every_cell_with_episodes_ending_inside_sequences() {
    let envs = [
        EnvConfig::Memory(MemoryConfig { delay: 3, ..MemoryConfig::default() }),
        EnvConfig::from_name("pendulum").unwrap(),
    ];
    for (env, cell) in envs.iter().flat_map(|env| CellName::ALL.map(|cell| (env, cell))) {
        // Sequences of 7 steps in fragments of 24, the last of 3: carried over two fragments.
        let (policy, mut worker) = worker(env, cell, 24, 5, 7);
        let prepared = policy.prepare::<f32>().unwrap();
        for _ in 0..2 {
            worker.collect(&prepared, &Normalization::default()).unwrap();
            let fragment = worker.fragment();
            let fragments = [fragment];
            let ids = sequences(&fragments);
            let batch = SequenceBatch::gather(&fragments, Some(&advantages(fragment)), &ids);
            let mut gradient = vec![0.0; policy.parameters().count()];
            let losses = block_gradient(&Deviation, &prepared, &batch, 1.0, &mut gradient).unwrap();
            assert_eq!(losses.steps, 24.0 * 5.0);
            assert!(losses.policy < 1e-5 && losses.value < 1e-5, "{cell} {}: {losses:?}", env.name());
            assert!(env.name() != "memory" || fragment.episode_starts.iter().filter(|s| **s == 1).count() > 15);
        }
    }
}

#[test]
fn states_are_zeroed_only_where_an_episode_starts_and_carried_across_fragments() {
    let env = EnvConfig::Memory(MemoryConfig { delay: 3, ..MemoryConfig::default() });
    let (policy, mut worker) = worker(&env, CellName::Stpn, 4, 3, 2);
    let prepared = policy.prepare::<f32>().unwrap();
    // Episodes of 5 steps start at steps 0, 5, 10, …, fragments at 0, 4, 8, …
    for fragment_number in 0..5 {
        let before = worker.state().to_vec();
        worker.collect(&prepared, &Normalization::default()).unwrap();
        let fragment = worker.fragment();
        for t in 0..4 {
            let expected = u8::from((fragment_number * 4 + t) % 5 == 0);
            assert_eq!(fragment.episode_starts[t * 3..(t + 1) * 3], [expected; 3]);
        }
        assert_eq!(fragment.sequence_states[..before.len()], before, "the first state is the one carried over");
        assert!(fragment_number == 0 || before.iter().any(|v| *v != 0.0), "nothing zeroes it between fragments");
    }
}

#[test]
fn the_value_calls_at_the_end_of_a_rollout_do_not_advance_the_state() {
    let env = EnvConfig::Cartpole(CartPoleConfig { max_episode_steps: 6 });
    let run = |steps: usize, fragments: usize| {
        let (policy, mut worker) = worker(&env, CellName::Lstm, steps, 2, steps);
        let prepared = policy.prepare::<f32>().unwrap();
        let mut values = Vec::new();
        for _ in 0..fragments {
            worker.collect(&prepared, &Normalization::default()).unwrap();
            values.extend_from_slice(&worker.fragment().estimates.values);
        }
        (values, worker.state().to_vec())
    };
    // One fragment makes one value call at its end, eight make eight: nothing may come of it.
    assert_eq!(run(16, 1), run(2, 8));
}

#[test]
fn truncation_bootstraps_with_the_final_observation_and_the_state_of_that_moment() {
    let env = EnvConfig::Cartpole(CartPoleConfig { max_episode_steps: 6 });
    let (policy, mut worker) = worker(&env, CellName::Lstm, 6, 1, 6);
    let prepared = policy.prepare::<f32>().unwrap();
    worker.collect(&prepared, &Normalization::default()).unwrap();
    let fragment = worker.fragment();
    assert!(fragment.truncated[5] && !fragment.terminated[5], "six steps end by the time limit");

    // The same episode played again without a limit shows the observation that followed.
    let unlimited = EnvConfig::Cartpole(CartPoleConfig::default());
    let (_, mut longer) = self::worker(&unlimited, CellName::Lstm, 7, 1, 7);
    longer.collect(&prepared, &Normalization::default()).unwrap();
    assert_eq!(longer.fragment().actions.get(3, 1), fragment.actions.get(3, 1));
    let (own, next) = (&fragment.estimates, &longer.fragment().estimates);
    assert_eq!(own.final_values[5], next.values[6], "the next step's value, the state carried on");
    assert_ne!(own.final_values[5], own.last_values[0], "not that of the next episode's first observation");

    let advantages = generalized_advantages(fragment, &fragment.estimates, &fragment.rewards, (0.9, 0.0));
    let expected = fragment.rewards[5] + 0.9 * own.final_values[5];
    assert!((advantages.returns[5] - expected).abs() < 1e-6);
}

#[test]
fn the_policy_that_acted_comes_to_the_same_values_and_states_again() {
    let envs = [
        EnvConfig::Cartpole(CartPoleConfig { max_episode_steps: 5 }),
        EnvConfig::Memory(MemoryConfig { delay: 3, ..MemoryConfig::default() }),
    ];
    for (env, cell) in envs.iter().flat_map(|env| [CellName::Stpn, CellName::Lstm].map(|cell| (env, cell))) {
        let (policy, mut worker) = worker(env, cell, 24, 3, 7);
        let (prepared, normalization) = (policy.prepare::<f32>().unwrap(), Normalization::default());
        let subject = Subject { policy: &prepared, normalization: &normalization };
        for _ in 0..2 {
            worker.collect(&prepared, &normalization).unwrap();
            let before = worker.fragment().clone();
            let truncated = before.estimates.final_values.iter().filter(|v| **v != 0.0).count();
            assert!(env.name() == "memory" || truncated > 3, "episodes end by the time limit");
            let both = Recompute { states: true, values: true };
            let estimates = worker.recompute(subject, both).unwrap().unwrap();
            assert_eq!(estimates, before.estimates, "{cell} {}", env.name());
            assert_eq!(worker.fragment().sequence_states, before.sequence_states);
        }
        // Another policy comes to others.
        let values: Vec<f32> = FlatLayout::new(policy.parameters()).values().unwrap();
        let values: Vec<f32> = values.iter().map(|value| value * 1.1).collect();
        let other = policy.prepare_from(&values).unwrap();
        let subject = Subject { policy: &other, normalization: &normalization };
        let before = worker.fragment().clone();
        let estimates = worker.recompute(subject, Recompute { states: false, values: true }).unwrap().unwrap();
        assert_ne!(estimates.values, before.estimates.values);
        assert_ne!(estimates.last_values, before.estimates.last_values);
        assert_eq!(worker.fragment().sequence_states, before.sequence_states, "not asked for");
        assert_eq!(worker.recompute(subject, Recompute { states: true, values: false }).unwrap(), None);
        assert_ne!(worker.fragment().sequence_states, before.sequence_states);
    }
}
