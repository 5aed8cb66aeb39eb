//! Consecutive environments stepped by one thread.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::{Deserialize, Serialize};
use stpn_random::{Purpose, Stream};

use super::MakeEnv;
use super::buffers::{self, Actions, Transition};
use crate::{Env, Episode, Error, ObservationMut, Result, Space, panic, state};

/// Consecutive environments stepped by one thread.
pub struct EnvGroup {
    slots: Vec<Slot>,
    first: usize,
    observation_space: Space,
    action_space: Space,
    episodes: Vec<Episode>,
}

/// One environment with what its group keeps of it.
struct Slot {
    env: Box<dyn Env>,
    /// Of its random stream.
    seed: u64,
    /// Since the group's reset.
    steps: u64,
    /// The episode so far.
    running: Episode,
    /// [`Env::records_episodes`], asked once.
    records_episodes: bool,
}

/// A saved group.
#[derive(Serialize, Deserialize)]
struct GroupState {
    first: u64,
    slots: Vec<SlotState>,
    episodes: Vec<Episode>,
}

#[derive(Serialize, Deserialize)]
struct SlotState {
    seed: u64,
    steps: u64,
    running: Episode,
    env: Vec<u8>,
}

impl EnvGroup {
    /// Makes environments `first` to `first + count − 1` (their global indices). Environment i is seeded with the
    /// first draw of `Stream::new(seed, Purpose::Environment, i)`, whatever group it is in.
    ///
    /// # Errors
    /// Fails where an environment cannot be made, where `count` is 0, and with [`Error::Spaces`] where they differ
    /// in their spaces.
    pub fn new(make: &MakeEnv<'_>, first: usize, count: usize, seed: u64) -> Result<Self> {
        if count == 0 {
            return Err(Error::Config { key: "count", value: "0".into(), allowed: "at least 1".into() });
        }
        let slots = (first..first + count)
            .map(|index| {
                let env = make(index)?;
                let seed = Stream::new(seed, Purpose::Environment, index as u64).next_u64();
                let records_episodes = env.records_episodes();
                Ok(Slot { env, seed, steps: 0, running: Episode::default(), records_episodes })
            })
            .collect::<Result<Vec<_>>>()?;
        let (observation_space, action_space) =
            (slots[0].env.observation_space().clone(), slots[0].env.action_space().clone());
        let episodes = Vec::with_capacity(count);
        let group = Self { slots, first, observation_space, action_space, episodes };
        group.agrees_with(first, &group.observation_space, &group.action_space)?;
        Ok(group)
    }

    /// Fails where one of the environments has other spaces than environment `reference`.
    pub(super) fn agrees_with(&self, reference: usize, observation: &Space, action: &Space) -> Result<()> {
        for (index, slot) in (self.first..).zip(&self.slots) {
            for (space, expected, got) in [
                ("observation", observation, slot.env.observation_space()),
                ("action", action, slot.env.action_space()),
            ] {
                if got != expected {
                    let (expected, got) = (expected.to_string(), got.to_string());
                    return Err(Error::Spaces { index, reference, space, expected, got });
                }
            }
        }
        Ok(())
    }

    /// Number of environments.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Never true: a group has at least one environment.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Global index of the first environment.
    pub fn first(&self) -> usize {
        self.first
    }

    /// The environments, in order.
    pub fn environments(&self) -> impl Iterator<Item = &dyn Env> {
        self.slots.iter().map(|slot| slot.env.as_ref())
    }

    /// The space of one environment's observations.
    pub fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    /// The space of one environment's actions.
    pub fn action_space(&self) -> &Space {
        &self.action_space
    }

    /// Starts every environment from its seed and writes the first observations, `[B, …]`. Episodes under way and
    /// finished ones not yet drained are forgotten.
    ///
    /// # Errors
    /// [`Error::Buffer`] on a buffer that does not fit, [`Error::Worker`] where an environment fails.
    pub fn reset(&mut self, mut observations: ObservationMut<'_>) -> Result<()> {
        buffers::check_observations("observations", &observations, self.len(), &self.observation_space)?;
        self.episodes.clear();
        let width = self.observation_space.len();
        self.each(|row, slot, _| {
            (slot.steps, slot.running) = (0, Episode::default());
            slot.env.reset(Some(slot.seed), observations.row(row, width))?;
            finite_observation(&observations.row(row, width))
        })
    }

    /// One step of every environment. Where an episode ends, its last observation goes to `final_observations` and
    /// the environment starts the next one, continuing its random stream.
    ///
    /// # Errors
    /// [`Error::Buffer`] on a buffer that does not fit. [`Error::Worker`] where an environment fails, panics or
    /// returns a reward or observation that is not finite; the environments after it were not stepped, so that the
    /// group must be reset or restored.
    pub fn step(&mut self, actions: Actions<'_>, out: &mut Transition<'_>) -> Result<()> {
        out.check(self.len(), &self.observation_space)?;
        actions.check(self.len(), &self.action_space)?;
        let (width, action_width) = (self.observation_space.len(), self.action_space.len());
        self.each(|row, slot, episodes| {
            let step = slot.env.step(actions.get(row, action_width), out.observations.row(row, width))?;
            finite_observation(&out.observations.row(row, width))?;
            let reward = step.reward as f32;
            if !reward.is_finite() {
                return Err(Failure::Found(format!("its reward is {}", step.reward)));
            }
            slot.steps += 1;
            slot.running.total_reward += step.reward;
            slot.running.length += 1;
            out.rewards[row] = reward;
            out.terminated[row] = step.terminated;
            out.truncated[row] = step.truncated;
            if slot.records_episodes {
                episodes.extend(step.episode);
            }
            if step.done() {
                if !slot.records_episodes {
                    episodes.push(slot.running);
                }
                slot.running = Episode::default();
                copy_row(&mut out.observations, &mut out.final_observations, row, width);
                slot.env.reset(None, out.observations.row(row, width))?;
                finite_observation(&out.observations.row(row, width))?;
            }
            Ok(())
        })
    }

    /// Episodes that ended since the last call, in order of (step, environment). They are kept until asked for: a
    /// loop that never asks grows by 16 bytes an episode.
    pub fn drain_episodes(&mut self) -> std::vec::Drain<'_, Episode> {
        self.episodes.drain(..)
    }

    /// Appends everything needed to continue exactly: every environment, the statistics of running episodes and the
    /// finished ones not yet drained.
    ///
    /// # Errors
    /// Fails where an environment cannot save.
    pub fn save_state(&self, bytes: &mut Vec<u8>) -> Result<()> {
        let slots = self
            .slots
            .iter()
            .map(|slot| {
                let mut env = Vec::new();
                slot.env.save_state(&mut env)?;
                Ok(SlotState { seed: slot.seed, steps: slot.steps, running: slot.running, env })
            })
            .collect::<Result<Vec<_>>>()?;
        let saved = GroupState { first: self.first as u64, slots, episodes: self.episodes.clone() };
        state::save(&self.name(), &saved, bytes)
    }

    /// Takes over what [`EnvGroup::save_state`] wrote for the same environments.
    ///
    /// # Errors
    /// [`Error::State`] on bytes of another group or that are cut short, too long or refused by an environment; in
    /// the last case the group must be reset or restored before it is stepped.
    pub fn restore_state(&mut self, bytes: &[u8]) -> Result<()> {
        let saved: GroupState = state::restore(&self.name(), bytes)?;
        let (first, count) = (saved.first, saved.slots.len());
        if (first, count) != (self.first as u64, self.len()) {
            let problem = format!("it is of {count} environments from number {first} on");
            return Err(state::refused(&self.name(), problem));
        }
        for (slot, saved) in self.slots.iter_mut().zip(&saved.slots) {
            slot.env.restore_state(&saved.env)?;
            (slot.seed, slot.steps, slot.running) = (saved.seed, saved.steps, saved.running);
        }
        self.episodes.clear();
        self.episodes.extend(saved.episodes);
        Ok(())
    }

    fn name(&self) -> String {
        format!("{} × {}, from number {}", self.len(), self.slots[0].env.name(), self.first)
    }

    /// Runs `work` on every environment in order; its first error or panic ends the loop and is reported with the
    /// environment's index, seed and step.
    fn each(
        &mut self,
        mut work: impl FnMut(usize, &mut Slot, &mut Vec<Episode>) -> std::result::Result<(), Failure>,
    ) -> Result<()> {
        let mut at = 0;
        let (slots, episodes) = (&mut self.slots, &mut self.episodes);
        // One catch for the whole loop: entering it costs less than once per environment.
        let result = catch_unwind(AssertUnwindSafe(|| {
            for (row, slot) in slots.iter_mut().enumerate() {
                at = row;
                work(row, slot, episodes)?;
            }
            Ok(())
        }));
        let problem = match result {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(Failure::Error(error))) => error.to_string(),
            Ok(Err(Failure::Found(problem))) => problem,
            Err(panic) => format!("panicked: {}", panic::message(panic.as_ref())),
        };
        let Slot { seed, steps, .. } = self.slots[at];
        Err(Error::Worker { index: self.first + at, seed, step: steps, problem })
    }
}

/// Why an environment cannot go on.
enum Failure {
    /// It said so.
    Error(Error),
    /// What it returned is impossible.
    Found(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

fn finite_observation(row: &ObservationMut<'_>) -> std::result::Result<(), Failure> {
    if let ObservationMut::F32(values) = row {
        // Without early exit, so that it vectorises.
        if !values.iter().fold(true, |finite, value| finite & value.is_finite()) {
            let at = values.iter().position(|value| !value.is_finite()).unwrap_or_default();
            return Err(Failure::Found(format!("element {at} of its observation is {}", values[at])));
        }
    }
    Ok(())
}

fn copy_row(from: &mut ObservationMut<'_>, to: &mut ObservationMut<'_>, row: usize, width: usize) {
    match (from.row(row, width), to.row(row, width)) {
        (ObservationMut::F32(from), ObservationMut::F32(to)) => to.copy_from_slice(from),
        (ObservationMut::U8(from), ObservationMut::U8(to)) => to.copy_from_slice(from),
        // Transition::check made sure that both have the space's element type.
        _ => unreachable!("observations and final observations of different element types"),
    }
}
