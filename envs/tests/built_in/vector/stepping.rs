//! What a vector writes, and that nothing depends on groups and threads.

use stpn_envs::vector::Actions;
use stpn_envs::{Env, EnvGroup, Episode, ObservationMut, Result, Transition, VectorEnv};
use stpn_random::{Purpose, Stream};

use super::countdown::Countdown;

fn make(_: usize) -> Result<Box<dyn Env>> {
    Ok(Box::new(Countdown::new()))
}

/// Buffers of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub observations: Vec<f32>,
    pub finals: Vec<f32>,
    pub rewards: Vec<f32>,
    pub terminated: Vec<bool>,
    pub truncated: Vec<bool>,
}

impl Row {
    pub fn new(count: usize) -> Self {
        Self {
            observations: vec![0.0; count * 2],
            finals: vec![-1.0; count * 2],
            rewards: vec![0.0; count],
            terminated: vec![false; count],
            truncated: vec![false; count],
        }
    }

    pub fn transition(&mut self) -> Transition<'_> {
        Transition {
            observations: ObservationMut::F32(&mut self.observations),
            final_observations: ObservationMut::F32(&mut self.finals),
            rewards: &mut self.rewards,
            terminated: &mut self.terminated,
            truncated: &mut self.truncated,
        }
    }
}

fn actions(step: usize, count: usize) -> Vec<u32> {
    (0..count).map(|env| ((step + env) % 3) as u32).collect()
}

fn run(group_size: usize, threads: usize) -> Vec<Row> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let mut vector = VectorEnv::new(&make, 7, group_size, 42).unwrap();
        let mut row = Row::new(7);
        vector.reset(ObservationMut::F32(&mut row.observations)).unwrap();
        let mut rows = vec![row.clone()];
        for step in 0..50 {
            vector.step(Actions::Discrete(&actions(step, 7)), &mut row.transition()).unwrap();
            rows.push(row.clone());
        }
        rows
    })
}

#[test]
fn groups_and_threads_change_nothing() {
    let reference = run(7, 1);
    for (group_size, threads) in [(1, 1), (1, 3), (2, 2), (3, 2), (100, 2)] {
        assert_eq!(run(group_size, threads), reference, "groups of {group_size}, {threads} threads");
    }
}

#[test]
fn auto_reset_equals_stepping_the_environment_by_hand() {
    let mut group = EnvGroup::new(&make, 5, 1, 9).unwrap();
    assert_eq!((group.len(), group.first()), (1, 5));
    let mut row = Row::new(1);
    group.reset(ObservationMut::F32(&mut row.observations)).unwrap();

    let mut env = Countdown::new();
    let mut observation = [0.0; 2];
    let seed = Stream::new(9, Purpose::Environment, 5).next_u64();
    env.reset(Some(seed), ObservationMut::F32(&mut observation)).unwrap();
    assert_eq!(row.observations, observation);

    let (mut episodes, mut running) = (Vec::new(), Episode::default());
    for step in 0..60 {
        let choice = [(step % 3) as u32];
        let finals_before = row.finals.clone();
        group.step(Actions::Discrete(&choice), &mut row.transition()).unwrap();
        let expected =
            env.step(stpn_envs::Action::Discrete(choice[0] as usize), ObservationMut::F32(&mut observation)).unwrap();
        assert_eq!((row.rewards[0] as f64, row.terminated[0]), (expected.reward, expected.terminated));
        running.total_reward += expected.reward;
        running.length += 1;
        if expected.done() {
            assert_eq!(row.finals, observation);
            assert_eq!(row.finals[0], 0.0);
            env.reset(None, ObservationMut::F32(&mut observation)).unwrap();
            episodes.push(std::mem::take(&mut running));
        } else {
            assert_eq!(row.finals, finals_before, "written only where an episode ended");
        }
        assert_eq!(row.observations, observation);
    }
    assert!(episodes.len() > 10);
    assert_eq!(group.drain_episodes().collect::<Vec<_>>(), episodes);
    assert_eq!(group.drain_episodes().count(), 0);
}

#[test]
fn an_environment_that_records_its_episodes_is_believed() {
    let make = |_| -> Result<Box<dyn Env>> {
        let mut env = Countdown::new();
        env.records = true;
        Ok(Box::new(env))
    };
    let mut group = EnvGroup::new(&make, 0, 3, 1).unwrap();
    let mut row = Row::new(3);
    group.reset(ObservationMut::F32(&mut row.observations)).unwrap();
    let mut ended = 0;
    for step in 0..40 {
        group.step(Actions::Discrete(&actions(step, 3)), &mut row.transition()).unwrap();
        ended += row.terminated.iter().filter(|&&ended| ended).count();
    }
    let episodes: Vec<_> = group.drain_episodes().collect();
    assert!(!episodes.is_empty() && episodes.len() < ended);
    assert!(episodes.iter().all(|episode| episode.total_reward == -1.0 && episode.length % 2 == 1));
}

#[test]
fn a_restored_group_continues_bit_for_bit() {
    let mut group = EnvGroup::new(&make, 2, 4, 3).unwrap();
    let mut row = Row::new(4);
    group.reset(ObservationMut::F32(&mut row.observations)).unwrap();
    for step in 0..17 {
        group.step(Actions::Discrete(&actions(step, 4)), &mut row.transition()).unwrap();
    }
    let mut bytes = Vec::new();
    group.save_state(&mut bytes).unwrap();
    // Another run's seed: the saved one counts.
    let mut other = EnvGroup::new(&make, 2, 4, 1000).unwrap();
    other.restore_state(&bytes).unwrap();
    let mut other_row = row.clone();
    for step in 17..60 {
        group.step(Actions::Discrete(&actions(step, 4)), &mut row.transition()).unwrap();
        other.step(Actions::Discrete(&actions(step, 4)), &mut other_row.transition()).unwrap();
        assert_eq!(row, other_row, "step {step}");
    }
    let episodes: Vec<_> = group.drain_episodes().collect();
    assert_eq!(other.drain_episodes().collect::<Vec<_>>(), episodes, "episodes not drained and running ones too");
    other.reset(ObservationMut::F32(&mut other_row.observations)).unwrap();
    group.reset(ObservationMut::F32(&mut row.observations)).unwrap();
    assert_eq!(row.observations, other_row.observations, "the seed is part of the state");
}

#[test]
fn a_vectors_episodes_are_those_of_its_groups() {
    let mut vector = VectorEnv::new(&make, 5, 2, 8).unwrap();
    let mut row = Row::new(5);
    vector.reset(ObservationMut::F32(&mut row.observations)).unwrap();
    let mut ended = 0;
    for step in 0..20 {
        vector.step(Actions::Discrete(&actions(step, 5)), &mut row.transition()).unwrap();
        ended += row.terminated.iter().filter(|&&ended| ended).count();
    }
    assert_eq!(vector.drain_episodes().count(), ended);
    assert_eq!(
        vector.groups().iter().map(|group| (group.first(), group.len())).collect::<Vec<_>>(),
        [(0, 2), (2, 2), (4, 1)]
    );
    assert!(vector.into_groups().iter_mut().all(|group| group.drain_episodes().count() == 0));
}
