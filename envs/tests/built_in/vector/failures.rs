//! Failing environments and calls that do not fit.

use stpn_envs::vector::Actions;
use stpn_envs::{Env, EnvGroup, Error, ObservationMut, Result, Transition, VectorEnv};
use stpn_random::{Purpose, Stream};

use super::countdown::{Countdown, Fault};

/// Steps three environments, the last of which fails, until it does.
fn failure(fault: Fault, group_size: usize) -> Error {
    let make = move |index: usize| -> Result<Box<dyn Env>> {
        let mut env = Countdown::new();
        if index >= 1 {
            (env.fault, env.fault_at) = (fault, 4);
        }
        Ok(Box::new(env))
    };
    let mut vector = VectorEnv::new(&make, 3, group_size, 6).unwrap();
    let (mut observations, mut finals) = ([0.0; 6], [0.0; 6]);
    let (mut rewards, mut terminated, mut truncated) = ([0.0; 3], [false; 3], [false; 3]);
    vector.reset(ObservationMut::F32(&mut observations)).unwrap();
    for _ in 0..10 {
        let mut out = Transition {
            observations: ObservationMut::F32(&mut observations),
            final_observations: ObservationMut::F32(&mut finals),
            rewards: &mut rewards,
            terminated: &mut terminated,
            truncated: &mut truncated,
        };
        if let Err(error) = vector.step(Actions::Discrete(&[1; 3]), &mut out) {
            return error;
        }
    }
    panic!("no failure with {fault:?}");
}

#[test]
fn failures_name_environment_seed_and_step() {
    for (fault, said) in [
        (Fault::Panic, "panicked: the wheels came off"),
        (Fault::Error, "countdown: out of fuel"),
        (Fault::Reward, "its reward is inf"),
        (Fault::Observation, "element 1 of its observation is NaN"),
    ] {
        for group_size in [1, 3] {
            let Error::Worker { environment, index, worker, seed, step, problem } = failure(fault, group_size) else {
                panic!("another error than Worker");
            };
            assert_eq!((environment.as_str(), worker), ("countdown", index / group_size));
            assert_eq!(index, 1, "the first of two that fail");
            assert_eq!(seed, Stream::new(6, Purpose::Environment, 1).next_u64());
            assert_eq!(step, 3);
            assert_eq!(problem, said);
        }
    }
}

#[test]
fn a_group_that_failed_works_again_after_a_reset() {
    let make = |_| -> Result<Box<dyn Env>> {
        let mut env = Countdown::new();
        (env.fault, env.fault_at) = (Fault::Panic, 2);
        Ok(Box::new(env))
    };
    let mut group = EnvGroup::new(&make, 0, 1, 0).unwrap();
    let (mut observations, mut finals) = ([0.0; 2], [0.0; 2]);
    let (mut rewards, mut terminated, mut truncated) = ([0.0; 1], [false; 1], [false; 1]);
    for _ in 0..2 {
        group.reset(ObservationMut::F32(&mut observations)).unwrap();
        let mut results = Vec::new();
        for _ in 0..2 {
            let mut out = Transition {
                observations: ObservationMut::F32(&mut observations),
                final_observations: ObservationMut::F32(&mut finals),
                rewards: &mut rewards,
                terminated: &mut terminated,
                truncated: &mut truncated,
            };
            results.push(group.step(Actions::Discrete(&[0]), &mut out).is_ok());
        }
        assert_eq!(results, [true, false]);
    }
}

#[test]
fn different_spaces_are_refused() {
    let make =
        |index| -> Result<Box<dyn Env>> { Ok(Box::new(Countdown::new().with_actions(if index == 3 { 2 } else { 3 }))) };
    for group_size in [1, 2, 3, 4] {
        let error = VectorEnv::new(&make, 4, group_size, 0).err().unwrap().to_string();
        let reference = if group_size == 2 { 2 } else { 0 };
        assert_eq!(
            error,
            format!("environment 3 has the action space Discrete(2) where environment {reference} has Discrete(3)")
        );
    }
}

#[test]
fn an_environment_that_cannot_be_made_is_reported_as_it_is() {
    let make = |index| -> Result<Box<dyn Env>> {
        match index {
            2 | 3 => Err(Error::Simulator { environment: format!("number {index}"), problem: "no licence".into() }),
            _ => Ok(Box::new(Countdown::new())),
        }
    };
    let error = VectorEnv::new(&make, 5, 1, 0).err().unwrap().to_string();
    assert_eq!(error, "number 2: no licence");
    let ok = |_| -> Result<Box<dyn Env>> { Ok(Box::new(Countdown::new())) };
    for (count, group_size, said) in [(0, 1, "env.count = 0: at least 1"), (1, 0, "env.group_size = 0: at least 1")] {
        assert_eq!(VectorEnv::new(&ok, count, group_size, 0).err().unwrap().to_string(), said);
    }
    assert!(EnvGroup::new(&ok, 0, 0, 0).is_err());
}

#[test]
fn buffers_and_actions_that_do_not_fit_are_refused() {
    let make = |_| -> Result<Box<dyn Env>> { Ok(Box::new(Countdown::new())) };
    let mut vector = VectorEnv::new(&make, 3, 2, 0).unwrap();
    let error = vector.reset(ObservationMut::F32(&mut [0.0; 5])).unwrap_err().to_string();
    assert_eq!(error, "observations: expected 6 × F32, got 5 × F32");
    let error = vector.reset(ObservationMut::U8(&mut [0; 6])).unwrap_err().to_string();
    assert_eq!(error, "observations: expected 6 × F32, got 6 × U8");
    vector.reset(ObservationMut::F32(&mut [0.0; 6])).unwrap();

    let mut step = |actions: Actions, finals: usize, rewards: usize| {
        let mut out = Transition {
            observations: ObservationMut::F32(&mut [0.0; 6]),
            final_observations: ObservationMut::F32(&mut vec![0.0; finals]),
            rewards: &mut vec![0.0; rewards],
            terminated: &mut [false; 3],
            truncated: &mut [false; 3],
        };
        vector.step(actions, &mut out).err().map(|error| error.to_string())
    };
    assert_eq!(step(Actions::Discrete(&[0; 3]), 6, 3), None);
    assert_eq!(step(Actions::Discrete(&[0; 3]), 4, 3).unwrap(), "final_observations: expected 6 × F32, got 4 × F32");
    assert_eq!(step(Actions::Discrete(&[0; 3]), 6, 2).unwrap(), "rewards: expected 3, got 2");
    let actions = "actions: expected the actions of 3 environments in Discrete(3), got ";
    assert_eq!(step(Actions::Discrete(&[0; 2]), 6, 3).unwrap(), format!("{actions}2 choices"));
    assert_eq!(step(Actions::Continuous(&[0.0; 3]), 6, 3).unwrap(), format!("{actions}3 floats"));
    let error = step(Actions::Discrete(&[0, 7, 0]), 6, 3).unwrap();
    assert!(error.contains("environment 1") && error.contains("Discrete(3)"), "{error}");
}

#[test]
fn saved_states_that_do_not_fit_are_refused() {
    let make = |_| -> Result<Box<dyn Env>> { Ok(Box::new(Countdown::new())) };
    let group = EnvGroup::new(&make, 0, 2, 0).unwrap();
    let mut bytes = Vec::new();
    group.save_state(&mut bytes).unwrap();
    let refused = |first, count, bytes: &[u8]| {
        EnvGroup::new(&make, first, count, 0).unwrap().restore_state(bytes).unwrap_err().to_string()
    };
    assert!(refused(1, 2, &bytes).contains("it is of 2 environments from number 0 on"));
    assert!(refused(0, 3, &bytes).contains("it is of 2 environments from number 0 on"));
    assert!(refused(0, 2, &bytes[..bytes.len() - 1]).starts_with("saved state of `2 × countdown, from number 0`"));
    bytes.push(0);
    assert!(refused(0, 2, &bytes).contains("1 bytes too many"));
}
