//! Environments that fail and are replaced.

use std::sync::Arc;

use stpn_envs::vector::{Actions, OnFailure};
use stpn_envs::{Env, EnvGroup, Error, ObservationMut, Result, Transition};

use super::countdown::{Countdown, Fault};

const COUNT: usize = 3;

/// Three environments of which number 1 fails in its `at`-th step, as does every one put in its place.
fn make(fault: Fault, at: u64) -> impl Fn(usize) -> Result<Box<dyn Env>> + Send + Sync + Clone {
    move |index| {
        let mut env = Countdown::new();
        if index == 1 {
            (env.fault, env.fault_at) = (fault, at);
        }
        Ok(Box::new(env))
    }
}

fn group(fault: Fault, at: u64, cap: u64) -> EnvGroup {
    let make = make(fault, at);
    let mut group = EnvGroup::new(&make, 0, COUNT, 6).unwrap();
    group.set_on_failure(OnFailure::Replace { make: Arc::new(make), cap });
    group
}

/// What a step gave: observations, final observations, rewards, terminated, truncated, replaced rows.
type Lived = (Vec<f32>, Vec<f32>, Vec<f32>, Vec<bool>, Vec<bool>, Vec<usize>);

fn step(group: &mut EnvGroup) -> Result<Lived> {
    let (mut observations, mut finals) = (vec![-1.0; 2 * COUNT], vec![-1.0; 2 * COUNT]);
    let (mut rewards, mut terminated, mut truncated) = (vec![-1.0; COUNT], vec![false; COUNT], vec![false; COUNT]);
    let mut out = Transition {
        observations: ObservationMut::F32(&mut observations),
        final_observations: ObservationMut::F32(&mut finals),
        rewards: &mut rewards,
        terminated: &mut terminated,
        truncated: &mut truncated,
    };
    group.step(Actions::Discrete(&[1; COUNT]), &mut out)?;
    Ok((observations, finals, rewards, terminated, truncated, group.replaced().to_vec()))
}

fn reset(group: &mut EnvGroup) {
    group.reset(ObservationMut::F32(&mut [0.0; 2 * COUNT])).unwrap();
}

#[test]
fn a_sick_environment_is_replaced_and_its_episode_truncated() {
    for fault in [Fault::Panic, Fault::Error, Fault::Reward, Fault::Observation] {
        let mut sick = group(fault, 4, 10);
        let mut healthy = group(Fault::None, 0, 10);
        reset(&mut sick);
        reset(&mut healthy);
        let mut last = vec![0.0; 2];
        for t in 1..=12 {
            let (observations, finals, rewards, terminated, truncated, replaced) = step(&mut sick).unwrap();
            let expected = step(&mut healthy).unwrap();
            if t % 4 == 0 {
                assert_eq!(replaced, [1], "{fault:?} at step {t}");
                assert_eq!((rewards[1], terminated[1], truncated[1]), (0.0, false, true));
                assert_eq!(finals[2..4], last, "the observation that was acted on");
                assert!((1.0..=5.0).contains(&observations[2]), "a new episode begins: {observations:?}");
            } else {
                assert!(replaced.is_empty(), "{fault:?} at step {t}");
            }
            last.copy_from_slice(&observations[2..4]);
            for row in [0, 2] {
                assert_eq!(observations[2 * row..2 * row + 2], expected.0[2 * row..2 * row + 2], "the others go on");
                assert_eq!((rewards[row], terminated[row]), (expected.2[row], expected.3[row]));
            }
        }
        assert_eq!(sick.replacements(), 3);
        let failures: Vec<Error> = sick.drain_failures().collect();
        let seeds: Vec<u64> = failures
            .iter()
            .map(|failure| match failure {
                Error::Worker { index: 1, step: 3, seed, .. } => *seed,
                other => panic!("{other}"),
            })
            .collect();
        assert!(seeds[0] != seeds[1] && seeds[1] != seeds[2], "each is seeded anew: {seeds:?}");
    }
}

#[test]
fn the_cap_ends_replacing() {
    // One that fails in its first step, and one that fails in its reset already.
    for (fault, at) in [(Fault::Panic, 1), (Fault::Observation, 0)] {
        let mut sick = EnvGroup::new(&make(Fault::Panic, 1), 0, COUNT, 6).unwrap();
        sick.set_on_failure(OnFailure::Replace { make: Arc::new(make(fault, at)), cap: 5 });
        reset(&mut sick);
        let error = (0..6).find_map(|_| step(&mut sick).err()).unwrap().to_string();
        assert!(error.contains("5 environments were replaced already"), "{error}");
        assert!(error.contains("environment 1 (`countdown`, worker 0, seed"), "{error}");
        assert_eq!(sick.replacements(), 5);
    }
}

#[test]
fn a_group_with_replacements_continues_from_its_saved_state() {
    let mut group = group(Fault::Error, 3, 100);
    reset(&mut group);
    (0..7).for_each(|_| drop(step(&mut group).unwrap()));
    let mut bytes = Vec::new();
    group.save_state(&mut bytes).unwrap();
    let mut restored = self::group(Fault::Error, 3, 100);
    restored.restore_state(&bytes).unwrap();
    assert_eq!(restored.replacements(), 2);
    for _ in 0..20 {
        assert_eq!(step(&mut group).unwrap(), step(&mut restored).unwrap());
    }
}

#[test]
fn a_watchdog_sees_calls_come_and_go() {
    let mut group = group(Fault::None, 0, 0);
    let heartbeat = group.heartbeat();
    assert_eq!(heartbeat.call(), None);
    reset(&mut group);
    step(&mut group).unwrap();
    assert_eq!(heartbeat.call(), None, "none is being called");
    let error = heartbeat.failure("stands still".into()).to_string();
    assert!(error.contains("stands still") && error.contains("countdown"), "{error}");
}
