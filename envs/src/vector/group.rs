//! Consecutive environments stepped by one thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stpn_random::{Purpose, Stream};

use super::buffers::{self, Actions, Transition};
use super::failure::{Failure, Sound, attempt, capped};
use super::{Heartbeat, MakeEnv, OnFailure};
use crate::{Dtype, Env, Episode, Error, ObservationMut, Result, Space, state};

/// Consecutive environments stepped by one thread.
pub struct EnvGroup {
    slots: Vec<Slot>,
    first: usize,
    number: usize,
    on_failure: OnFailure,
    /// The observations acted on next, where failing environments are replaced: their final ones.
    last: Option<Observations>,
    heartbeat: Arc<Heartbeat>,
    /// How long a call into an environment may take, where they end longer ones themselves; else a watchdog looks at
    /// the heartbeat.
    call_limit: Option<Option<Duration>>,
    /// Rows whose environment was replaced in the last step.
    replaced: Vec<usize>,
    /// Failures that were answered by replacing, not yet drained.
    pub(super) failures: Vec<Error>,
    observation_space: Space,
    sound: Sound,
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
    /// Environments that failed in this place before.
    replacements: u64,
    /// The episode ended in the step under way.
    ended: bool,
}

impl Slot {
    fn new(env: Box<dyn Env>, seed: u64) -> Self {
        let records_episodes = env.records_episodes();
        Self { env, seed, steps: 0, running: Episode::default(), records_episodes, replacements: 0, ended: false }
    }
}

/// Observations `[B, …]` of a group's own.
#[derive(Clone, Serialize, Deserialize)]
enum Observations {
    F32(Vec<f32>),
    U8(Vec<u8>),
}

/// A saved group.
#[derive(Serialize, Deserialize)]
struct GroupState {
    first: u64,
    last: Option<Observations>,
    slots: Vec<SlotState>,
    episodes: Vec<Episode>,
}

#[derive(Serialize, Deserialize)]
struct SlotState {
    seed: u64,
    steps: u64,
    running: Episode,
    replacements: u64,
    env: Vec<u8>,
}

impl EnvGroup {
    /// Makes environments `first` to `first + count − 1` (their global indices). Environment i is seeded with the
    /// first draw of `Stream::new(seed, Purpose::Environment, i)`, whatever group it is in.
    ///
    /// # Errors
    /// Fails if an environment cannot be made, where `count` is 0, and with [`Error::Spaces`] if they differ
    /// in their spaces.
    pub fn new(make: &MakeEnv<'_>, first: usize, count: usize, seed: u64) -> Result<Self> {
        if count == 0 {
            return Err(Error::Config { key: "count", value: "0".into(), allowed: "at least 1".into() });
        }
        let slots = (first..first + count)
            .map(|index| {
                let env = make(index)?;
                let seed = Stream::new(seed, Purpose::Environment, index as u64).next_u64();
                Ok(Slot::new(env, seed))
            })
            .collect::<Result<Vec<_>>>()?;
        let (observation_space, action_space) =
            (slots[0].env.observation_space().clone(), slots[0].env.action_space().clone());
        let heartbeat = Arc::new(Heartbeat::new(slots[0].env.name(), 0, first));
        let group = Self {
            slots,
            first,
            number: 0,
            on_failure: OnFailure::Stop,
            last: None,
            heartbeat,
            call_limit: None,
            replaced: Vec::new(),
            failures: Vec::new(),
            sound: Sound::of(&observation_space),
            observation_space,
            action_space,
            episodes: Vec::with_capacity(count),
        };
        group.agrees_with(first, &group.observation_space, &group.action_space)?;
        Ok(group)
    }

    /// The group as number `number` of its vector, for messages.
    pub(super) fn numbered(mut self, number: usize) -> Self {
        self.number = number;
        self.heartbeat = Arc::new(Heartbeat::new(self.slots[0].env.name(), number, self.first));
        self
    }

    /// What to do with an environment that fails in a step; by default the step fails.
    pub fn set_on_failure(&mut self, on_failure: OnFailure) {
        let len = self.len() * self.observation_space.len();
        self.last = match (&on_failure, self.observation_space.dtype()) {
            (OnFailure::Stop, _) => None,
            (OnFailure::Replace { .. }, Dtype::F32) => Some(Observations::F32(vec![0.0; len])),
            (OnFailure::Replace { .. }, Dtype::U8) => Some(Observations::U8(vec![0; len])),
        };
        self.on_failure = on_failure;
    }

    /// How long a call into an environment may take. Environments that can end a longer one, with an error, do so
    /// themselves and need not be watched.
    pub fn set_call_limit(&mut self, limit: Option<Duration>) {
        let mut limited = true;
        for slot in &mut self.slots {
            // Every one is told, whatever the others say.
            limited &= slot.env.limit_calls(limit);
        }
        self.call_limit = limited.then_some(limit);
    }

    /// Where the group is, to be watched from another thread.
    pub fn heartbeat(&self) -> Arc<Heartbeat> {
        Arc::clone(&self.heartbeat)
    }

    /// Rows whose environment failed in the last step and was replaced.
    pub fn replaced(&self) -> &[usize] {
        &self.replaced
    }

    /// Environments replaced over the group's life.
    pub fn replacements(&self) -> u64 {
        self.slots.iter().map(|slot| slot.replacements).sum()
    }

    /// The failures answered by replacing since the last call.
    pub fn drain_failures(&mut self) -> std::vec::Drain<'_, Error> {
        self.failures.drain(..)
    }

    /// Fails if one of the environments has other spaces than environment `reference`.
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
    /// [`Error::Buffer`] on a buffer that does not fit, [`Error::Worker`] if an environment fails.
    pub fn reset(&mut self, mut observations: ObservationMut<'_>) -> Result<()> {
        buffers::check_observations("observations", &observations, self.len(), &self.observation_space)?;
        self.episodes.clear();
        let width = self.observation_space.len();
        let reset = self.each(0, |row, slot, sound, _| {
            (slot.steps, slot.running) = (0, Episode::default());
            slot.env.reset(Some(slot.seed), observations.row(row, width))?;
            sound.check(&observations.row(row, width))
        });
        reset.map_err(|(row, problem)| self.failure(row, problem))?;
        self.keep(&mut observations);
        Ok(())
    }

    /// One step of every environment. Where an episode ends, its last observation goes to `final_observations` and
    /// the environment starts the next one, continuing its random stream.
    ///
    /// Where an environment failed and was replaced ([`EnvGroup::set_on_failure`]), the step counts as truncated with
    /// reward 0, its final observation is the one that was acted on, the environment having given none, and no episode
    /// is reported. [`EnvGroup::replaced`] names these rows.
    ///
    /// # Errors
    /// [`Error::Buffer`] on a buffer that does not fit. [`Error::Worker`] if an environment fails, panics or
    /// returns a reward or observation that is not finite, and is not replaced; the environments after it were not
    /// stepped, so that the group must be reset or restored.
    pub fn step(&mut self, actions: Actions<'_>, out: &mut Transition<'_>) -> Result<()> {
        out.check(self.len(), &self.observation_space)?;
        actions.check(self.len(), &self.action_space)?;
        self.replaced.clear();
        self.begin(actions);
        let mut from = 0;
        while let Err((row, problem)) = self.step_from(from, actions, out) {
            self.replace(row, problem, out)?;
            from = row + 1;
        }
        self.keep(&mut out.observations);
        Ok(())
    }

    /// Keeps the observations that are acted on next, where they may be needed.
    fn keep(&mut self, observations: &mut ObservationMut<'_>) {
        match (&mut self.last, observations) {
            (Some(Observations::F32(last)), ObservationMut::F32(now)) => last.copy_from_slice(now),
            (Some(Observations::U8(last)), ObservationMut::U8(now)) => last.copy_from_slice(now),
            _ => {}
        }
    }

    /// Begins the steps of environments that are simulated elsewhere. What fails here, or panics, does so again in the
    /// step itself.
    fn begin(&mut self, actions: Actions<'_>) {
        let width = self.action_space.len();
        let slots = &mut self.slots;
        let _ = attempt(|| {
            for (row, slot) in slots.iter_mut().enumerate() {
                let _ = slot.env.begin_step(actions.get(row, width));
            }
            Ok(())
        });
    }

    /// Steps the environments from row `from` on.
    fn step_from(
        &mut self,
        from: usize,
        actions: Actions<'_>,
        out: &mut Transition<'_>,
    ) -> std::result::Result<(), (usize, String)> {
        let (width, action_width) = (self.observation_space.len(), self.action_space.len());
        self.each(from, |row, slot, sound, episodes| {
            slot.ended = false;
            let step = slot.env.step(actions.get(row, action_width), out.observations.row(row, width))?;
            sound.check(&out.observations.row(row, width))?;
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
                slot.ended = true;
                slot.env.reset(None, out.observations.row(row, width))?;
                sound.check(&out.observations.row(row, width))?;
            }
            Ok(())
        })
    }

    /// Puts a new environment in the place of one that failed, as often as it takes and the cap allows.
    fn replace(&mut self, row: usize, problem: String, out: &mut Transition<'_>) -> Result<()> {
        let mut error = self.failure(row, problem);
        let OnFailure::Replace { make, cap } = self.on_failure.clone() else { return Err(error) };
        let width = self.observation_space.len();
        // A step that was sound stands: its environment failed only in beginning the next episode.
        if !self.slots[row].ended {
            match (&self.last, out.final_observations.row(row, width)) {
                (Some(Observations::F32(last)), ObservationMut::F32(end)) => {
                    end.copy_from_slice(&last[row * width..][..width])
                }
                (Some(Observations::U8(last)), ObservationMut::U8(end)) => {
                    end.copy_from_slice(&last[row * width..][..width])
                }
                _ => {}
            }
            (out.rewards[row], out.terminated[row], out.truncated[row]) = (0.0, false, true);
        }
        loop {
            if self.replacements() >= cap {
                return Err(capped(error, cap));
            }
            self.failures.push(error);
            let call_limit = self.call_limit;
            let (index, slot, sound) = (self.first + row, &mut self.slots[row], &self.sound);
            let replacements = slot.replacements + 1;
            let seed = Stream::new(slot.seed, Purpose::Environment, replacements).next_u64();
            let made = attempt(|| {
                let mut env = make(index)?;
                if let Some(limit) = call_limit {
                    env.limit_calls(limit);
                }
                env.reset(Some(seed), out.observations.row(row, width))?;
                sound.check(&out.observations.row(row, width))?;
                Ok(env)
            });
            (slot.seed, slot.steps, slot.running, slot.replacements) = (seed, 0, Episode::default(), replacements);
            match made {
                Ok(env) => {
                    let sick = std::mem::replace(&mut slot.env, env);
                    // What panicked once may panic again in its drop.
                    let _ = catch_unwind(AssertUnwindSafe(|| drop(sick)));
                    self.replaced.push(row);
                    return self.agrees_with(self.first, &self.observation_space, &self.action_space);
                }
                Err(problem) => error = self.failure(row, problem),
            }
        }
    }

    /// The error of the environment in `row`.
    fn failure(&self, row: usize, problem: String) -> Error {
        let Slot { seed, steps, .. } = self.slots[row];
        let environment = self.slots[row].env.name().to_string();
        Error::Worker { environment, index: self.first + row, worker: self.number, seed, step: steps, problem }
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
    /// Fails if an environment cannot save.
    pub fn save_state(&self, bytes: &mut Vec<u8>) -> Result<()> {
        let slots = self
            .slots
            .iter()
            .enumerate()
            .map(|(row, slot)| {
                let saved = attempt(|| {
                    let mut env = Vec::new();
                    slot.env.save_state(&mut env)?;
                    Ok(env)
                });
                let env = saved.map_err(|problem| self.failure(row, format!("cannot be saved: {problem}")))?;
                let Slot { seed, steps, running, replacements, .. } = *slot;
                Ok(SlotState { seed, steps, running, replacements, env })
            })
            .collect::<Result<Vec<_>>>()?;
        let (first, last, episodes) = (self.first as u64, self.last.clone(), self.episodes.clone());
        let saved = GroupState { first, last, slots, episodes };
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
            slot.replacements = saved.replacements;
        }
        // A run may begin or cease to replace when it resumes.
        match (&mut self.last, saved.last) {
            (Some(Observations::F32(last)), Some(Observations::F32(saved))) if last.len() == saved.len() => {
                *last = saved
            }
            (Some(Observations::U8(last)), Some(Observations::U8(saved))) if last.len() == saved.len() => *last = saved,
            _ => {}
        }
        self.episodes.clear();
        self.episodes.extend(saved.episodes);
        Ok(())
    }

    /// Rows whose episode the state last restored could not bring back ([`Env::lost_its_episode`]).
    pub fn lost_episodes(&self) -> Vec<usize> {
        (0..self.len()).filter(|&row| self.slots[row].env.lost_its_episode()).collect()
    }

    /// Begins a new episode in a row, which continues no other, and writes its first observation.
    ///
    /// # Errors
    /// [`Error::Worker`] if the environment fails.
    pub fn begin_anew(&mut self, row: usize, observation: ObservationMut<'_>) -> Result<()> {
        let slot = &mut self.slots[row];
        let seed = Stream::new(slot.seed, Purpose::Environment, slot.steps).next_u64();
        slot.running = Episode::default();
        attempt(|| Ok(slot.env.reset(Some(seed), observation)?)).map_err(|problem| self.failure(row, problem))
    }

    fn name(&self) -> String {
        format!("{} × {}, from number {}", self.len(), self.slots[0].env.name(), self.first)
    }

    /// Runs `work` on every environment from row `from` on, in order; its first error or panic ends the loop and is
    /// returned with its row.
    fn each(
        &mut self,
        from: usize,
        mut work: impl FnMut(usize, &mut Slot, &Sound, &mut Vec<Episode>) -> std::result::Result<(), Failure>,
    ) -> std::result::Result<(), (usize, String)> {
        let mut at = from;
        let (slots, episodes, heartbeat) = (&mut self.slots, &mut self.episodes, &self.heartbeat);
        let (sound, watched) = (&self.sound, self.call_limit.is_none());
        // One catch for the whole loop: entering it costs less than once per environment.
        let result = attempt(|| {
            for (row, slot) in slots.iter_mut().enumerate().skip(from) {
                at = row;
                if watched {
                    heartbeat.enter(row, slot.seed, slot.steps);
                }
                work(row, slot, sound, episodes)?;
            }
            Ok(())
        });
        heartbeat.leave();
        result.map_err(|problem| (at, problem))
    }
}

fn copy_row(from: &mut ObservationMut<'_>, to: &mut ObservationMut<'_>, row: usize, width: usize) {
    match (from.row(row, width), to.row(row, width)) {
        (ObservationMut::F32(from), ObservationMut::F32(to)) => to.copy_from_slice(from),
        (ObservationMut::U8(from), ObservationMut::U8(to)) => to.copy_from_slice(from),
        // Transition::check made sure that both have the space's element type.
        _ => unreachable!("observations and final observations of different element types"),
    }
}
