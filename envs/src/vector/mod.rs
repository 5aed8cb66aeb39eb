//! Many environments stepped together, with auto-reset.
//!
//! An [`EnvGroup`] is a run of consecutive environments stepped by one thread: the unit of work of a rollout. A
//! [`VectorEnv`] is all groups, stepped in parallel. Groups have a fixed size, so nothing depends on the number of
//! threads.
//!
//! Where an episode ends, its last observation goes to [`Transition::final_observations`] and the first one of the
//! next episode to [`Transition::observations`], in the same step.

mod buffers;
mod failure;
mod foresight;
mod group;
mod halves;
mod heartbeat;
mod make;

pub use buffers::{ActionRows, Actions, Transition};
pub use failure::OnFailure;
pub use foresight::Foresight;
pub use group::EnvGroup;
pub use heartbeat::Heartbeat;
pub use make::{MakeEnv, Maker};

use rayon::prelude::*;

use crate::placement;
use crate::{Episode, Error, ObservationMut, Result, Space};

/// All environments of a run.
pub struct VectorEnv {
    groups: Vec<EnvGroup>,
    observation_space: Space,
    action_space: Space,
    count: usize,
}

impl VectorEnv {
    /// Makes `count` environments in groups of `group_size`; the last group may be smaller.
    ///
    /// # Errors
    /// Fails if an environment cannot be made, where `count` or `group_size` is 0, and with [`Error::Spaces`]
    /// where the environments differ in their spaces.
    pub fn new(make: &MakeEnv<'_>, count: usize, group_size: usize, seed: u64) -> Result<Self> {
        Self::part(make, 0, count, group_size, seed)
    }

    /// [`VectorEnv::new`] of environments `first` to `first + count` of a larger vector that several processes share.
    ///
    /// # Errors
    /// As [`VectorEnv::new`].
    pub fn part(make: &MakeEnv<'_>, first: usize, count: usize, group_size: usize, seed: u64) -> Result<Self> {
        for (key, value) in [("count", count), ("group_size", group_size)] {
            if value == 0 {
                return Err(Error::Config { key, value: "0".into(), allowed: "at least 1".into() });
            }
        }
        let groups = count.div_ceil(group_size);
        let groups: Vec<Result<EnvGroup>> = (0..count)
            .into_par_iter()
            .step_by(group_size)
            .map(|start| {
                let size = group_size.min(count - start);
                let group = placement::together(groups, || EnvGroup::new(make, first + start, size, seed))?;
                Ok(group.numbered((first + start) / group_size))
            })
            .collect();
        // Collected before the first error is taken, so that it is the same one on any number of threads.
        let groups = groups.into_iter().collect::<Result<Vec<_>>>()?;
        let (observation_space, action_space) =
            (groups[0].observation_space().clone(), groups[0].action_space().clone());
        for group in &groups[1..] {
            group.agrees_with(0, &observation_space, &action_space)?;
        }
        Ok(Self { groups, observation_space, action_space, count })
    }

    /// Number of environments.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Never true: a vector has at least one environment.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The groups, in the order of their environments.
    pub fn groups(&self) -> &[EnvGroup] {
        &self.groups
    }

    /// The groups, to step them one by one.
    pub fn groups_mut(&mut self) -> &mut [EnvGroup] {
        &mut self.groups
    }

    /// The groups on their own.
    pub fn into_groups(self) -> Vec<EnvGroup> {
        self.groups
    }

    /// The space of one environment's observations.
    pub fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    /// The space of one environment's actions.
    pub fn action_space(&self) -> &Space {
        &self.action_space
    }

    /// Starts every environment from its seed and writes the first observations, `[B, …]`.
    ///
    /// # Errors
    /// [`Error::Buffer`] on a buffer that does not fit, [`Error::Worker`] if an environment fails.
    pub fn reset(&mut self, observations: ObservationMut<'_>) -> Result<()> {
        buffers::check_observations("observations", &observations, self.count, &self.observation_space)?;
        reset_groups(&mut self.groups, observations)
    }

    /// One step of every environment, groups in parallel on rayon's current pool.
    ///
    /// # Errors
    /// [`Error::Buffer`] on a buffer that does not fit. [`Error::Worker`] if an environment fails: that of the
    /// first such environment, after which the vector must be reset or restored.
    pub fn step(&mut self, actions: Actions<'_>, out: &mut Transition<'_>) -> Result<()> {
        out.check(self.count, &self.observation_space)?;
        actions.check(self.count, &self.action_space)?;
        step_groups(&mut self.groups, actions, out.reborrow())
    }

    /// Episodes that ended since the last call, group after group, each group's in order of (step, environment).
    pub fn drain_episodes(&mut self) -> impl Iterator<Item = Episode> + '_ {
        self.groups.iter_mut().flat_map(EnvGroup::drain_episodes)
    }
}

/// Halves the groups until one is left; the caller's buffers are cut at the same places.
fn step_groups(groups: &mut [EnvGroup], actions: Actions<'_>, out: Transition<'_>) -> Result<()> {
    if let [group] = groups {
        let mut out = out;
        return group.step(actions, &mut out);
    }
    let (left, right) = groups.split_at_mut(groups.len() / 2);
    let environments = left.iter().map(EnvGroup::len).sum();
    let (observation, action) = (left[0].observation_space().len(), left[0].action_space().len());
    let (left_actions, right_actions) = actions.split_at(environments, action);
    let (left_out, right_out) = out.split_at(environments, observation);
    let (first, second) =
        rayon::join(|| step_groups(left, left_actions, left_out), || step_groups(right, right_actions, right_out));
    first.and(second)
}

fn reset_groups(groups: &mut [EnvGroup], observations: ObservationMut<'_>) -> Result<()> {
    if let [group] = groups {
        return group.reset(observations);
    }
    let (left, right) = groups.split_at_mut(groups.len() / 2);
    let environments: usize = left.iter().map(EnvGroup::len).sum();
    let (left_out, right_out) = observations.split_at(environments * left[0].observation_space().len());
    let (first, second) = rayon::join(|| reset_groups(left, left_out), || reset_groups(right, right_out));
    first.and(second)
}
