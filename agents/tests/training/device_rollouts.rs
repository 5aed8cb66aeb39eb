//! Rollouts of environments on the CPU with a network on a device.

use std::sync::Arc;

use candle_core::{DType, Device};
use serde::{Deserialize, Serialize};
use stpn_agents::actor::Subject;
use stpn_agents::policy::PolicyConfig;
use stpn_agents::rollout::again::recompute;
use stpn_agents::rollout::on_device::{self, Wanted};
use stpn_agents::rollout::worker::EnergySampling;
use stpn_agents::rollout::{
    Estimates, Fragment, Normalization, NormalizationConfig, Recompute, Worker, ahead, together,
};
use stpn_agents::{ActorCritic, Error, Stop};
use stpn_core::cells::CellName;
use stpn_envs::classic::{MemoryConfig, PendulumConfig};
use stpn_envs::popgym::{Level, PopgymConfig, Task};
use stpn_envs::wrappers::PreviousAction;
use stpn_envs::{Action, Env, EnvGroup, Rules, RulesEnv, Space, Step};
use stpn_random::Stream;

use crate::own_device::{Own, OwnRollouts, keep};

pub type Make = fn() -> stpn_envs::Result<Box<dyn Env>>;

pub fn memory() -> stpn_envs::Result<Box<dyn Env>> {
    Ok(Box::new(MemoryConfig { delay: 3, ..MemoryConfig::default() }.make()?))
}

pub fn pendulum() -> stpn_envs::Result<Box<dyn Env>> {
    PendulumConfig::default().make().map(|env| Box::new(env) as Box<dyn Env>)
}

/// Three environments and two of another worker, at steps of their own.
pub fn workers(make: Make, policy: &ActorCritic, steps: usize) -> Vec<Worker> {
    let of = |(first, count): (usize, usize)| {
        let group = EnvGroup::new(&|_: usize| make(), first, count, 1).unwrap();
        let fragment = Fragment::new(steps, count, 13, &group.observation_space().clone(), policy);
        Worker::new(group, fragment, 1).unwrap()
    };
    let mut workers: Vec<Worker> = [(0, 3), (3, 2)].map(of).into();
    workers[0].set_energy(Some(EnergySampling { input_mask: None }));
    workers
}

pub struct Case {
    pub policy: ActorCritic,
    pub normalization: Normalization,
}

impl Case {
    pub fn new(make: Make, cell: CellName, observations_normalized: bool) -> Self {
        Self::seeded(make, cell, observations_normalized, 3)
    }

    fn seeded(make: Make, cell: CellName, observations_normalized: bool, seed: u64) -> Self {
        let env = make().unwrap();
        let config = PolicyConfig::new(cell.config(), 5);
        let (observations, actions) = (env.observation_space(), env.action_space());
        let policy = ActorCritic::new(&config, observations, actions, seed, DType::F32, &Device::Cpu).unwrap();
        let config = NormalizationConfig { observations: observations_normalized, ..NormalizationConfig::default() };
        Self { policy, normalization: Normalization::new(&config, observations).unwrap() }
    }

    pub fn on_device(&self) -> ActorCritic {
        self.policy.clone().accelerated(Arc::new(Own(self.policy.clone())))
    }
}

/// All that a rollout left, in words; energy apart, whose sums are divided otherwise.
fn left(workers: &[Worker]) -> (Vec<String>, f64) {
    let energy = workers[0].fragment().energy;
    let of = |worker: &Worker| {
        let fragment = Fragment { energy: (0.0, energy.1), ..worker.fragment().clone() };
        format!("{fragment:?} {:?} {:?}", worker.state(), worker.observation_moments())
    };
    (workers.iter().map(of).collect(), energy.0)
}

#[test]
fn rollouts_with_a_device_are_those_without_one() {
    for (make, cell, normalized, [known, cut_off]) in [
        (memory as Make, CellName::Stpn, false, [true, false]),
        (memory, CellName::Mlp, true, [true, false]),
        (memory, CellName::Lstm, false, [true, false]),
        // Continuous actions.
        (pendulum, CellName::Stpnf, true, [false, true]),
        (counting, CellName::Stpn, true, [true, true]),
        (counting, CellName::Gru, false, [true, true]),
    ] {
        let case = Case::new(make, cell, normalized);
        let steps = 210;
        let (mut here, mut there) = (workers(make, &case.policy, steps), workers(make, &case.policy, steps));
        let (policy, device) = (case.policy.prepare().unwrap(), case.on_device().prepare().unwrap());
        let subject = Subject { policy: &device, normalization: &case.normalization };
        // The second begins within an episode.
        for _ in 0..2 {
            here.iter_mut().for_each(|worker| worker.collect(&policy, &case.normalization).unwrap());
            match ahead::applies(&there) {
                true => ahead::collect(&mut there, subject).unwrap(),
                false => together::collect(&mut there, subject).unwrap(),
            }
            let ((here, energy_here), (there, energy_there)) = (left(&here), left(&there));
            assert!(here == there, "{cell}");
            assert!((energy_here - energy_there).abs() <= 1e-12 * energy_here, "{energy_here} {energy_there}");
        }
        let truncated = here.iter().any(|worker| worker.fragment().truncated.contains(&true));
        assert_eq!([ahead::applies(&there), truncated], [known, cut_off]);
    }
}

/// A memory task that shows the action before, one-hot behind numbers.
fn echoing_memory() -> stpn_envs::Result<Box<dyn Env>> {
    let memory = MemoryConfig { delay: 3, ..MemoryConfig::default() }.make()?;
    Ok(Box::new(PreviousAction::new(memory)?))
}

impl Case {
    /// A rollout of workers on a device that is told what they will show.
    fn collect_foreseen(&self, workers: &mut [Worker]) -> stpn_agents::Result<()> {
        let (device, rollouts) = (self.on_device().prepare()?, OwnRollouts(self.policy.clone()));
        let subject = Subject { policy: &device, normalization: &self.normalization };
        let wanted = Wanted { keep: false, watched: true };
        on_device::collect(workers, (&rollouts, &keep(&[])), subject, wanted).map(|kept| assert!(kept.is_none()))
    }
}

#[test]
fn rollouts_that_show_the_action_before_are_those_without_a_device() {
    let cut_off: Make = || Ok(Box::new(RulesEnv::new(Echoing { kind: Echo::CutOff })));
    for (make, cell) in [
        (echoing_memory as Make, CellName::Stpn),
        (echoing_memory, CellName::Lstm),
        (echoing_memory, CellName::Backpropamine),
        // Episodes are cut off.
        (cut_off, CellName::Gru),
        (cut_off, CellName::StpnScalar),
    ] {
        let case = Case::new(make, cell, false);
        let (mut here, mut there) = (workers(make, &case.policy, 60), workers(make, &case.policy, 60));
        let policy = case.policy.prepare().unwrap();
        // The second begins within an episode.
        for _ in 0..2 {
            here.iter_mut().for_each(|worker| worker.collect(&policy, &case.normalization).unwrap());
            case.collect_foreseen(&mut there).unwrap();
            let ((here, energy_here), (there, energy_there)) = (left(&here), left(&there));
            assert!(here == there, "{cell}");
            assert!((energy_here - energy_there).abs() <= 1e-12 * energy_here, "{energy_here} {energy_there}");
        }
    }
}

#[test]
fn environments_that_a_device_is_told_of_are_all_of_one_kind() {
    let published: Make = || PopgymConfig::published(Task::RepeatFirst, Level::Easy).make();
    for make in [published, memory, pendulum, echoing_memory] {
        let case = Case::new(make, CellName::Rnn, false);
        let workers = workers(make, &case.policy, 5);
        let why = on_device::obstacle(&workers, &case.policy, &case.normalization).unwrap();
        assert_eq!(why, "everything runs on the CPU");
        let echoes = workers.iter().all(|worker| worker.group().echo().is_some());
        assert_eq!(echoes, make().unwrap().echoes_actions().is_some());
    }
}

#[test]
fn what_a_policy_on_a_device_makes_of_fragments_again_is_what_it_makes_here() {
    for (make, cell, normalized, steps, cut_off) in [
        (memory as Make, CellName::Stpn, false, 40, false),
        (memory, CellName::Mlp, true, 13, false),
        (pendulum, CellName::Lstm, true, 40, false),
        // Episodes are cut off, in the last case more than once in a sequence.
        (pendulum, CellName::Stpnf, true, 210, true),
        (counting, CellName::Stpn, true, 40, true),
    ] {
        let (acted, present) = (Case::new(make, cell, normalized), Case::seeded(make, cell, normalized, 4));
        let lived = || {
            let (mut workers, policy) = (workers(make, &acted.policy, steps), acted.policy.prepare().unwrap());
            // The second begins within an episode.
            (0..2).for_each(|_| {
                workers.iter_mut().for_each(|worker| worker.collect(&policy, &acted.normalization).unwrap());
            });
            workers
        };
        let (mut here, mut there) = (lived(), lived());
        assert_eq!(here.iter().any(|worker| worker.fragment().truncated.contains(&true)), cut_off);
        let (policy, device) = (present.policy.prepare().unwrap(), present.on_device().prepare().unwrap());
        for (states, values) in [(false, true), (true, false), (true, true)] {
            let again = |workers: &mut [Worker], policy| {
                let subject = Subject { policy, normalization: &present.normalization };
                recompute(workers, subject, Recompute { states, values }).unwrap()
            };
            let (before, estimates) = (left(&here).0, again(&mut here, &policy));
            assert_eq!(again(&mut there, &device), estimates, "{cell}");
            assert!(left(&there).0 == left(&here).0, "{cell}");
            assert!(estimates.iter().all(|estimates| estimates.is_some() == values), "{cell}");
            // The first time that they are computed again.
            let replaced = states && !values && cell != CellName::Mlp;
            assert_eq!(before != left(&here).0, replaced, "{cell}: states");
            let others = |(worker, estimates): (&Worker, &Option<Estimates>)| {
                estimates.as_ref().is_none_or(|estimates| estimates.values != worker.fragment().estimates.values)
            };
            assert!(here.iter().zip(&estimates).all(others), "{cell}: values of another policy");
        }
        let stop = Stop::default();
        there.iter_mut().for_each(|worker| worker.set_stop(stop.clone()));
        stop.abandon();
        let subject = Subject { policy: &device, normalization: &present.normalization };
        let stopped = recompute(&mut there, subject, Recompute { states: true, values: true });
        assert!(matches!(stopped, Err(Error::Stopped)), "{cell}");
    }
}

#[test]
fn a_stop_was_not_heard_in_rollouts_step_by_step() {
    for make in [memory as Make, pendulum] {
        let case = Case::new(make, CellName::Rnn, false);
        let device = case.on_device().prepare().unwrap();
        let subject = Subject { policy: &device, normalization: &case.normalization };
        let (mut workers, stop) = (workers(make, &case.policy, 20), Stop::default());
        workers.iter_mut().for_each(|worker| worker.set_stop(stop.clone()));
        stop.abandon();
        let stopped = match ahead::applies(&workers) {
            true => ahead::collect(&mut workers, subject),
            false => together::collect(&mut workers, subject),
        };
        assert!(matches!(stopped, Err(Error::Stopped)));
    }
}

/// Rules that say of actions that they make no difference, but they do: to what is shown, or to when an episode ends.
struct Lying {
    shows: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Shown {
    action: usize,
    step: u32,
}

impl Rules for Lying {
    type State = Shown;

    const NAME: &'static str = "lying";
    const IGNORES_ACTIONS: bool = true;

    fn observation_space(&self) -> Space {
        Space::boxed(0.0, 1.0, [1])
    }

    fn action_space(&self) -> Space {
        Space::discrete(2)
    }

    fn start(&self, _: &mut Stream) -> Shown {
        Shown { action: 0, step: 0 }
    }

    fn step(&self, state: &mut Shown, action: Action<'_>, _: &mut Stream) -> stpn_envs::Result<Step> {
        *state = Shown { action: action.discrete(2)?, step: state.step + 1 };
        let ends = if self.shows { state.step == 9 } else { state.action == 1 };
        Ok(Step { terminated: ends, ..Step::default() })
    }

    fn observe(&self, state: &Shown, observation: &mut [f32]) {
        observation[0] = if self.shows { state.action as f32 } else { 0.0 };
    }
}

/// Rules that show the step, whatever is done, and cut episodes off.
struct Counting;

impl Rules for Counting {
    type State = Shown;

    const NAME: &'static str = "counting";
    const IGNORES_ACTIONS: bool = true;

    fn observation_space(&self) -> Space {
        Space::boxed(0.0, 10.0, [2])
    }

    fn action_space(&self) -> Space {
        Space::discrete(2)
    }

    fn start(&self, stream: &mut Stream) -> Shown {
        Shown { action: 0, step: stream.below(3) as u32 }
    }

    fn step(&self, state: &mut Shown, action: Action<'_>, _: &mut Stream) -> stpn_envs::Result<Step> {
        let right = action.discrete(2)? == state.step as usize % 2;
        state.step += 1;
        let (terminated, truncated) = (state.step == 5, state.step >= 5);
        Ok(Step { reward: f64::from(u8::from(right)), terminated: terminated && right, truncated, ..Step::default() })
    }

    fn observe(&self, state: &Shown, observation: &mut [f32]) {
        observation.copy_from_slice(&[state.step as f32, (state.step % 2) as f32]);
    }
}

fn counting() -> stpn_envs::Result<Box<dyn Env>> {
    Ok(Box::new(RulesEnv::new(Counting)))
}

/// What rules that show the action before get wrong.
#[derive(PartialEq)]
enum Echo {
    /// Nothing; their episodes are cut off.
    CutOff,
    /// They show another action.
    Wrong,
    /// They show more than that.
    More,
    /// Actions end episodes.
    Ends,
}

/// Rules that say that they show the action before, and mind none.
struct Echoing {
    kind: Echo,
}

impl Rules for Echoing {
    type State = Shown;

    const NAME: &'static str = "echoing";

    fn observation_space(&self) -> Space {
        Space::boxed(0.0, 1.0, [3])
    }

    fn action_space(&self) -> Space {
        Space::discrete(2)
    }

    fn start(&self, _: &mut Stream) -> Shown {
        Shown { action: 0, step: 0 }
    }

    fn step(&self, state: &mut Shown, action: Action<'_>, _: &mut Stream) -> stpn_envs::Result<Step> {
        *state = Shown { action: action.discrete(2)?, step: state.step + 1 };
        let ends = self.kind == Echo::Ends && state.action == 1;
        let (terminated, truncated) = (ends || state.step == 9, self.kind == Echo::CutOff && state.step == 7);
        Ok(Step { terminated, truncated, reward: state.action as f64, ..Step::default() })
    }

    fn observe(&self, state: &Shown, observation: &mut [f32]) {
        let more = self.kind == Echo::More && state.action == 1;
        let shown = if self.kind == Echo::Wrong && state.step == 3 { 1 - state.action } else { state.action };
        observation.copy_from_slice(&[if more { 1.0 } else { 0.0 }, (1 - shown) as f32, shown as f32]);
    }

    fn echoes_actions(&self) -> Option<std::ops::Range<usize>> {
        Some(1..3)
    }
}

#[test]
fn what_was_not_foreseen_beside_the_action_before_is_found() {
    let wrong: Make = || Ok(Box::new(RulesEnv::new(Echoing { kind: Echo::Wrong })));
    let more: Make = || Ok(Box::new(RulesEnv::new(Echoing { kind: Echo::More })));
    let ends: Make = || Ok(Box::new(RulesEnv::new(Echoing { kind: Echo::Ends })));
    for make in [wrong, more, ends] {
        let case = Case::new(make, CellName::Rnn, false);
        let error = case.collect_foreseen(&mut workers(make, &case.policy, 20)).unwrap_err();
        assert!(matches!(error, Error::NotForeseen { .. }), "{error}");
        assert!(error.to_string().contains("`echoes_actions`"), "{error}");
    }
}

#[test]
fn what_was_not_foreseen_is_found() {
    let shows: Make = || Ok(Box::new(RulesEnv::new(Lying { shows: true })));
    let ends: Make = || Ok(Box::new(RulesEnv::new(Lying { shows: false })));
    for make in [shows, ends] {
        let case = Case::new(make, CellName::Rnn, false);
        let device = case.on_device().prepare().unwrap();
        let subject = Subject { policy: &device, normalization: &case.normalization };
        let error = ahead::collect(&mut workers(make, &case.policy, 20), subject).unwrap_err();
        assert!(matches!(error, Error::NotForeseen { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("`ignores_actions`") && text.contains("training.device to \"cpu\""), "{text}");
    }
}
