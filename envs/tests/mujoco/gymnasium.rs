//! The MuJoCo tasks against trajectories recorded from Gymnasium by `python/mujoco_trajectories.py`.
//!
//! The committed copy is compared by default; it has few steps and may come from another kind of processor, whose
//! mathematical functions differ in the last digit. A recording made on this machine, named by
//! `STPN_MUJOCO_TRAJECTORIES=DIRECTORY`, must give the same states bit for bit: `cargo xtask check` makes one.

use std::path::PathBuf;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use stpn_envs::mujoco::{
    AntConfig, HalfCheetahConfig, HopperConfig, HumanoidConfig, InvertedDoublePendulumConfig, InvertedPendulumConfig,
    MujocoEnv, PusherConfig, ReacherConfig, SwimmerConfig, Task, Walker2dConfig,
};
use stpn_envs::wrappers::TimeLimit;
use stpn_envs::{Action, Env, ObservationMut, Result};

#[derive(Deserialize)]
struct Recording {
    gymnasium: String,
    mujoco: String,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    options: serde_json::Value,
    episodes: Vec<Episode>,
}

#[derive(Deserialize)]
struct Episode {
    start: State,
    observation: Vec<f64>,
    steps: Vec<Recorded>,
}

#[derive(Deserialize, PartialEq, Debug)]
struct State {
    positions: Vec<f64>,
    velocities: Vec<f64>,
    warm_start: Vec<f64>,
}

#[derive(Deserialize)]
struct Recorded {
    action: Vec<f32>,
    #[serde(flatten)]
    state: State,
    observation: Vec<f64>,
    reward: f64,
    terminated: bool,
    truncated: bool,
}

/// The recording, and whether it was made on this machine.
fn recording(name: &str) -> (Recording, bool) {
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/trajectories/mujoco");
    let fresh = std::env::var_os("STPN_MUJOCO_TRAJECTORIES").map(PathBuf::from);
    let path = fresh.clone().unwrap_or_else(|| committed.into()).join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    (serde_json::from_str(&text).unwrap(), fresh.is_some())
}

fn state<T: Task>(env: &MujocoEnv<T>) -> State {
    let simulation = env.simulation();
    State {
        positions: simulation.positions().to_vec(),
        velocities: simulation.velocities().to_vec(),
        warm_start: simulation.data().qacc_warmstart().to_vec(),
    }
}

/// The largest difference of two arrays, relative for numbers above 1.
fn distance(left: &[f64], right: &[f64]) -> f64 {
    assert_eq!(left.len(), right.len());
    let pairs = left.iter().zip(right);
    pairs.map(|(left, right)| (left - right).abs() / right.abs().max(1.0)).fold(0.0, f64::max)
}

/// Steps the environment along every recorded episode.
fn follow<C: DeserializeOwned, T: Task>(make: impl Fn(&C) -> Result<TimeLimit<MujocoEnv<T>>>) {
    let (recording, fresh) = recording(T::NAME);
    assert_eq!((recording.gymnasium.as_str(), recording.mujoco.as_str()), ("1.4.0", "3.17.0"));
    assert_eq!(recording.runs.len(), 2, "with default options and with others");
    let (mut steps, mut ends, mut farthest) = (0, 0, 0.0_f64);
    for (number, run) in recording.runs.into_iter().enumerate() {
        let mut env = make(&serde_json::from_value(run.options).unwrap()).unwrap();
        let mut rounded = vec![0.0; env.observation_space().len()];
        for episode in &run.episodes {
            env.reset(Some(0), ObservationMut::F32(&mut rounded)).unwrap();
            env.inner_mut().start_at(&episode.start.positions, &episode.start.velocities).unwrap();
            assert_eq!(state(env.inner()), episode.start);
            let off = distance(env.inner().observation(), &episode.observation);
            assert!(off <= 1e-10, "{} run {number}: {off} off at the start", T::NAME);
            for (at, recorded) in episode.steps.iter().enumerate() {
                let place = format!("{} run {number} after step {at}", T::NAME);
                let action = Action::Continuous(&recorded.action);
                let step = env.step(action, ObservationMut::F32(&mut rounded)).unwrap();
                let (now, then) = (state(env.inner()), &recorded.state);
                if fresh {
                    assert_eq!(now, *then, "{place}");
                } else {
                    let off =
                        distance(&now.positions, &then.positions).max(distance(&now.velocities, &then.velocities));
                    assert!(off < 1e-6, "{place}: state {off} off");
                }
                let off = distance(env.inner().observation(), &recorded.observation)
                    .max(distance(&[step.reward], &[recorded.reward]));
                farthest = farthest.max(off);
                assert!(off <= if fresh { 1e-10 } else { 1e-6 }, "{place}: {off} off");
                assert_eq!((step.terminated, step.truncated), (recorded.terminated, recorded.truncated), "{place}");
                let wide = env.inner().observation().iter().map(|&number| number as f32);
                assert!(wide.eq(rounded.iter().copied()), "{place}");
                ends += usize::from(step.done());
                steps += 1;
            }
        }
    }
    println!("{}: {steps} steps, {ends} ends of episodes, farthest {farthest:.1e}", T::NAME);
    assert!(steps >= if fresh { 2000 } else { 12 }, "{steps} steps recorded");
}

#[test]
fn inverted_pendulum() {
    follow(InvertedPendulumConfig::make);
}

#[test]
fn inverted_double_pendulum() {
    follow(InvertedDoublePendulumConfig::make);
}

#[test]
fn hopper() {
    follow(HopperConfig::make);
}

#[test]
fn half_cheetah() {
    follow(HalfCheetahConfig::make);
}

#[test]
fn walker2d() {
    follow(Walker2dConfig::make);
}

#[test]
fn ant() {
    follow(AntConfig::make);
}

#[test]
fn humanoid() {
    follow(HumanoidConfig::make);
}

#[test]
fn reacher() {
    follow(ReacherConfig::make);
}

#[test]
fn swimmer() {
    follow(SwimmerConfig::make);
}

#[test]
fn pusher() {
    follow(PusherConfig::make);
}
