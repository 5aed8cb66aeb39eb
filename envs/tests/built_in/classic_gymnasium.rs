//! Classic control against trajectories recorded from Gymnasium by `python/classic_trajectories.py`.
//!
//! The committed copy is compared by default, another recording with `STPN_TRAJECTORIES=DIRECTORY`.

use std::path::PathBuf;

use serde::Deserialize;
use stpn_envs::classic::{
    AcrobotConfig, CartPoleConfig, Dynamics, MountainCarConfig, MountainCarContinuousConfig, PendulumConfig,
};
use stpn_envs::wrappers::TimeLimit;
use stpn_envs::{Action, Env, ObservationMut, RulesEnv, Step};

#[derive(Deserialize)]
struct Recording {
    trajectories: Vec<Trajectory>,
}

#[derive(Deserialize)]
struct Trajectory {
    start: Vec<f64>,
    steps: Vec<Recorded>,
}

#[derive(Deserialize)]
struct Recorded {
    action: Choice,
    state: Vec<f64>,
    observation: Vec<f32>,
    reward: f64,
    terminated: bool,
    truncated: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Choice {
    Discrete(usize),
    Continuous(Vec<f32>),
}

impl Choice {
    fn action(&self) -> Action<'_> {
        match self {
            Self::Discrete(choice) => Action::Discrete(*choice),
            Self::Continuous(values) => Action::Continuous(values),
        }
    }
}

fn recording(name: &str) -> Recording {
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/trajectories");
    let directory = std::env::var_os("STPN_TRAJECTORIES").map_or_else(|| committed.into(), PathBuf::from);
    let path = directory.join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// The largest difference between two states or observations, angles as they are.
fn distance<'a>(left: impl IntoIterator<Item = &'a f64>, right: impl IntoIterator<Item = &'a f64>) -> f64 {
    left.into_iter().zip(right).map(|(left, right)| (left - right).abs()).fold(0.0, f64::max)
}

/// Steps the environment along every recorded trajectory, once freely from the start state and once from each
/// recorded state by itself.
fn follow<D: Dynamics>(make: impl Fn() -> TimeLimit<RulesEnv<D>>, state: impl Fn(&[f64]) -> D::State) {
    let recording = recording(D::NAME);
    assert!(!recording.trajectories.is_empty());
    let (mut free, mut single) = (0.0_f64, 0.0_f64);
    for trajectory in &recording.trajectories {
        let (mut env, mut lone) = (make(), make());
        let mut seen = vec![0.0; env.observation_space().len()];
        env.reset(Some(0), ObservationMut::F32(&mut seen)).unwrap();
        lone.reset(Some(0), ObservationMut::F32(&mut seen)).unwrap();
        env.inner_mut().start_at(state(&trajectory.start));
        let mut before = &trajectory.start;
        for (number, recorded) in trajectory.steps.iter().enumerate() {
            lone.inner_mut().start_at(state(before));
            lone.step(recorded.action.action(), ObservationMut::F32(&mut seen)).unwrap();
            single = single.max(distance(lone.inner().state().as_ref(), &recorded.state));
            before = &recorded.state;

            let step = env.step(recorded.action.action(), ObservationMut::F32(&mut seen)).unwrap();
            let Step { reward, terminated, truncated, .. } = step;
            let wide = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>();
            let off = distance(env.inner().state().as_ref(), &recorded.state)
                .max(distance(&wide(&seen), &wide(&recorded.observation)))
                .max((reward - recorded.reward).abs());
            free = free.max(off);
            assert!(off < 1e-6, "{}: {off} off after step {number}", D::NAME);
            assert_eq!((terminated, truncated), (recorded.terminated, recorded.truncated), "step {number}");
        }
    }
    println!("{}: largest difference {free:.1e} over trajectories, {single:.1e} over single steps", D::NAME);
    assert!(single < 1e-7, "{}: {single} off after a single step", D::NAME);
}

#[test]
fn cartpole() {
    follow(|| CartPoleConfig::default().make().unwrap(), |state| state.try_into().unwrap());
}

#[test]
fn pendulum() {
    follow(|| PendulumConfig::default().make().unwrap(), |state| state.try_into().unwrap());
}

#[test]
fn mountain_car() {
    follow(|| MountainCarConfig::default().make().unwrap(), |state| state.try_into().unwrap());
}

#[test]
fn mountain_car_continuous() {
    follow(|| MountainCarContinuousConfig::default().make().unwrap(), |state| state.try_into().unwrap());
}

#[test]
fn acrobot() {
    follow(|| AcrobotConfig::default().make().unwrap(), |state| state.try_into().unwrap());
}
