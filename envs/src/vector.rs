//! Many environments stepped together, with auto-reset.
//!
//! An [`EnvGroup`] is a run of consecutive environments stepped by one thread: the unit of work of a rollout. A
//! [`VectorEnv`] is all groups, stepped in parallel. Groups have a fixed size, so nothing depends on the number of
//! threads.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rayon::prelude::*;

use crate::{Action, Dtype, Env, Episode, Error, ObservationMut, Result, Space};

/// Makes environment number `index`; called once per environment.
pub type MakeEnv<'a> = dyn Fn(usize) -> Result<Box<dyn Env>> + Sync + 'a;

/// Actions of all environments of a group or vector.
#[derive(Clone, Copy, Debug)]
pub enum Actions<'a> {
    /// One choice per environment.
    Discrete(&'a [u32]),
    /// `[B, A]`, row-major.
    Continuous(&'a [f32]),
}

impl<'a> Actions<'a> {
    fn get(self, index: usize, width: usize) -> Action<'a> {
        match self {
            Self::Discrete(choices) => Action::Discrete(choices[index] as usize),
            Self::Continuous(values) => Action::Continuous(&values[index * width..(index + 1) * width]),
        }
    }

    fn slice(self, start: usize, len: usize, width: usize) -> Self {
        match self {
            Self::Discrete(choices) => Self::Discrete(&choices[start..start + len]),
            Self::Continuous(values) => Self::Continuous(&values[start * width..(start + len) * width]),
        }
    }
}

/// Where a group or vector step writes; every slice covers B environments.
#[derive(Debug)]
pub struct Transition<'a> {
    /// `[B, …]`: the observation to act on next; of the new episode where one ended.
    pub observations: ObservationMut<'a>,
    /// `[B, …]`: the last observation of the old episode, written only where one ended.
    pub final_observations: ObservationMut<'a>,
    /// `[B]` raw rewards.
    pub rewards: &'a mut [f32],
    /// `[B]`
    pub terminated: &'a mut [bool],
    /// `[B]`
    pub truncated: &'a mut [bool],
}

/// Consecutive environments stepped by one thread.
pub struct EnvGroup {
    envs: Vec<Slot>,
    first: usize,
    episodes: Vec<Episode>,
}

/// One environment with what its vector keeps of it.
struct Slot {
    env: Box<dyn Env>,
    seed: u64,
    steps: u64,
    running: Episode,
}

/// All environments of a run.
pub struct VectorEnv {
    groups: Vec<EnvGroup>,
    observation_space: Space,
    action_space: Space,
    count: usize,
}
