//! Adapters for `gymnasium-rs`, tested with its CartPole.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use gymnasium_rs::core::{Env as TheirEnv, Space as TheirSpace, Wrapper};
use gymnasium_rs::envs::cartpole::CartPole;
use gymnasium_rs::wrappers::timelimit::TimeLimitWrapper;
use ndarray::{Array1, array};
use stpn_envs::check_env::check_env;
use stpn_envs::classic::{CartPoleConfig, PendulumConfig};
use stpn_envs::gymnasium_rs::{FromGymnasium, ToGymnasium};
use stpn_envs::{Action, Env, EnvGroup, ObservationMut, Result, Space};

fn theirs() -> FromGymnasium<CartPole, i32> {
    FromGymnasium::new(CartPole::new(), "their-cartpole")
}

#[test]
fn their_cartpole_keeps_every_rule_but_its_own_bounds() {
    let report = check_env(|| Ok(Box::new(theirs()))).unwrap();
    // Its space ends at the angle at which the pole has fallen, and the last observation lies beyond.
    let broken: Vec<_> = report.failures().map(|check| check.name).collect();
    assert_eq!(broken, ["bounds"], "{report}");
}

#[test]
fn their_cartpole_moves_as_it_does_by_itself() {
    let (mut ours, mut bare) = (theirs(), CartPole::new());
    assert_eq!(ours.action_space(), &Space::discrete(2));
    assert_eq!(ours.observation_space().shape(), [4]);
    let mut seen = [0.0; 4];
    ours.reset(Some(3), ObservationMut::F32(&mut seen)).unwrap();
    let seed = (stpn_random::Stream::from_seed(3).next_u64() >> 33) as i32;
    assert_eq!(bare.reset_seed(seed).0.to_vec(), seen);
    for number in 0.. {
        let step = ours.step(Action::Discrete(number % 2), ObservationMut::F32(&mut seen)).unwrap();
        let (observation, reward, terminated, truncated, _) = bare.step((number % 2) as i32);
        assert_eq!(observation.to_vec(), seen);
        assert_eq!((step.reward, step.terminated, step.truncated), (f64::from(reward), terminated, truncated));
        if terminated {
            assert!(number > 5);
            break;
        }
    }
}

#[test]
fn their_cartpole_runs_in_a_vector() {
    let make = |_| -> Result<Box<dyn Env>> { Ok(Box::new(theirs())) };
    let mut group = EnvGroup::new(&make, 0, 3, 1).unwrap();
    let mut seen = [0.0; 12];
    group.reset(ObservationMut::F32(&mut seen)).unwrap();
    assert!(seen.iter().all(|number| number.abs() <= 0.05) && seen[..4] != seen[4..8]);
}

#[test]
fn our_cartpole_moves_the_same_through_their_interface() {
    let mut env: ToGymnasium<_, i32> = ToGymnasium::new(CartPoleConfig { max_episode_steps: 7 }.make().unwrap());
    assert_eq!(env.action_space(), TheirSpace::Discrete(2));
    let mut ours = CartPoleConfig::default().make().unwrap();
    let mut seen = [0.0; 4];
    ours.reset(Some(5), ObservationMut::F32(&mut seen)).unwrap();
    assert_eq!(env.reset_seed(5).0.to_vec(), seen);
    for number in 1..=7 {
        let step = ours.step(Action::Discrete(number % 2), ObservationMut::F32(&mut seen)).unwrap();
        let (observation, reward, terminated, truncated, info) = TheirEnv::step(&mut env, (number % 2) as i32);
        assert_eq!((observation.to_vec(), reward), (seen.to_vec(), step.reward as f32));
        assert_eq!((terminated, truncated), (false, number == 7));
        assert!(info.is_empty());
    }
}

#[test]
fn their_wrapper_takes_our_environment() {
    let mut env: ToGymnasium<_, i32> = ToGymnasium::new(CartPoleConfig::default().make().unwrap());
    let mut limited = TimeLimitWrapper::new(&mut env, 3);
    Wrapper::reset(&mut limited, Some(1), Default::default());
    let ends: Vec<bool> = (0..3).map(|_| Wrapper::step(&mut limited, 1).3).collect();
    assert_eq!(ends, [false, false, true]);
}

#[test]
fn continuous_actions_cross_both_ways() {
    let make = || ToGymnasium::<_, Array1<f32>>::new(PendulumConfig::default().make().unwrap());
    let report = check_env(|| Ok(Box::new(FromGymnasium::new(make(), "there-and-back")))).unwrap();
    assert!(report.passed(), "{report}");
    let mut env = make();
    env.reset_seed(1);
    let (observation, ..) = TheirEnv::step(&mut env, array![0.5]);
    assert_eq!(observation.len(), 3);
}

#[test]
#[should_panic(expected = "action Discrete(2) is not in the action space Discrete(2)")]
fn what_fails_in_ours_panics_in_theirs() {
    let mut env: ToGymnasium<_, i32> = ToGymnasium::new(CartPoleConfig::default().make().unwrap());
    env.reset_seed(1);
    TheirEnv::step(&mut env, 2);
}
