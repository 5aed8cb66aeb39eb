//! Environments of Python's Gymnasium, in worker processes.
//!
//! The tests need a Python with Gymnasium, named by `STPN_PYTHON`: `cargo xtask check` sets one up and runs them.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod corners;
mod equality;
mod faults;

use std::sync::Once;

use stpn_envs::gymnasium::{GymnasiumConfig, trust_environment_code};
use stpn_envs::vector::ActionRows;
use stpn_envs::{Dtype, EnvConfig, EnvGroup, Episode, ObservationMut, Result, Transition};
use stpn_random::Stream;

/// An environment of `environments.py`, made with these arguments.
fn ours(name: &str, kwargs: serde_json::Value) -> GymnasiumConfig {
    static TRUSTED: Once = Once::new();
    TRUSTED.call_once(trust_environment_code);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/gymnasium/environments.py");
    let kwargs = kwargs.as_object().cloned().unwrap_or_default();
    GymnasiumConfig { make: format!("{file}:{name}"), kwargs, workers: 2, ..GymnasiumConfig::default() }
}

/// A group under random actions, with its buffers.
struct Played {
    group: EnvGroup,
    floats: Vec<f32>,
    finals: Vec<f32>,
    bytes: [Vec<u8>; 2],
    rewards: Vec<f32>,
    terminated: Vec<bool>,
    truncated: Vec<bool>,
    actions: Stream,
}

/// What a step leaves: observations, final observations, bytes of both, rewards, and the two kinds of endings.
type Seen = (Vec<u32>, Vec<u32>, [Vec<u8>; 2], Vec<u32>, Vec<bool>, Vec<bool>);

impl Played {
    fn new(config: &GymnasiumConfig, count: usize, seed: u64) -> Self {
        let env = EnvConfig::Gymnasium(config.clone());
        Self::of(EnvGroup::new(&|_| env.make(), 0, count, seed).unwrap())
    }

    fn of(group: EnvGroup) -> Self {
        let (count, space) = (group.len(), group.observation_space().clone());
        let (floats, bytes) = match space.dtype() {
            Dtype::F32 => (count * space.len(), 0),
            Dtype::U8 => (0, count * space.len()),
        };
        let mut played = Self {
            group,
            floats: vec![0.0; floats],
            finals: vec![0.0; floats],
            bytes: [vec![0; bytes], vec![0; bytes]],
            rewards: vec![0.0; count],
            terminated: vec![false; count],
            truncated: vec![false; count],
            actions: Stream::from_seed(1),
        };
        let Self { group, floats, bytes, .. } = &mut played;
        let into = if floats.is_empty() { ObservationMut::U8(&mut bytes[0]) } else { ObservationMut::F32(floats) };
        group.reset(into).unwrap();
        played
    }

    fn step_with(&mut self, actions: &ActionRows) -> Result<()> {
        let Self { group, floats, finals, bytes, rewards, terminated, truncated, .. } = self;
        let [now, last] = bytes;
        let (observations, final_observations) = match floats.is_empty() {
            true => (ObservationMut::U8(now), ObservationMut::U8(last)),
            false => (ObservationMut::F32(floats), ObservationMut::F32(finals)),
        };
        let mut out = Transition { observations, final_observations, rewards, terminated, truncated };
        let width = group.action_space().len();
        let count = group.len();
        group.step(actions.range(0..count, width), &mut out)
    }

    fn step(&mut self) -> Result<()> {
        let space = self.group.action_space().clone();
        let mut actions = ActionRows::of(&space);
        (0..self.group.len()).for_each(|_| actions.push(space.sample(&mut self.actions).get()));
        self.step_with(&actions)
    }

    /// All that a step left.
    fn seen(&self) -> Seen {
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        let (terminated, truncated) = (self.terminated.clone(), self.truncated.clone());
        (bits(&self.floats), bits(&self.finals), self.bytes.clone(), bits(&self.rewards), terminated, truncated)
    }

    fn episodes(&mut self) -> Vec<Episode> {
        self.group.drain_episodes().collect()
    }
}
