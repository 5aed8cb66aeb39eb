//! A worker whose steps a device takes: what it gives for them, and how its environments follow.

use stpn_envs::vector::{Foresight, Transition};
use stpn_envs::{Echo, OnDevice};

use super::Worker;
use crate::policy::ActorCritic;
use crate::policy::accelerator::{Collected, Rollout};
use crate::policy::distribution::ActionBuffer;
use crate::{Error, Result};

impl Worker {
    /// Its environments as a device plays them for so many steps; none if it does not know one.
    pub(in crate::rollout) fn on_device(&self, steps: usize) -> Option<Vec<OnDevice>> {
        self.group.environments().map(|env| env.on_device(steps)).collect()
    }

    /// Appends what a device needs to collect the steps of a training sequence; environments, uniform numbers and
    /// states aside.
    ///
    /// # Errors
    /// [`Error::Stopped`] if the update is to be given up.
    pub(in crate::rollout) fn stage(&self, segment: usize, policy: &ActorCritic, rollout: &mut Rollout) -> Result<()> {
        self.stop.go_on()?;
        let shape = self.fragment.shape;
        let first = segment * shape.sequence_length;
        // The first worker measures.
        if let Some(energy) = self.energy_steps(first, rollout.episode_starts.len() + shape.batch) {
            rollout.energy = Some(energy);
        }
        rollout.observations.extend_from_slice(&policy.numbers(self.seen(first)));
        rollout.episode_starts.extend_from_slice(&self.episode_starts);
        Ok(())
    }

    /// Keeps the states before a training sequence, and draws the uniform numbers `[B, T, A]` of the choices of its T
    /// actions from the environments' own streams.
    pub(in crate::rollout) fn prepare(&mut self, segment: usize) -> Vec<f64> {
        let (start, shape) = (segment * self.state.len(), self.fragment.shape);
        self.fragment.sequence_states[start..start + self.state.len()].copy_from_slice(&self.state);
        let choices = shape.segment_steps(segment) * shape.action;
        self.streams.iter_mut().flat_map(|stream| (0..choices).map(|_| stream.unit())).collect()
    }

    /// Steps the environments with the actions that were taken on the device, where they are number `first` and those
    /// after it, and fills the fragment. What they show is compared with what was foreseen of them, if it was.
    ///
    /// # Errors
    /// [`Error::Differs`] if an environment behaves differently, [`Error::NotForeseen`] if it shows what was not
    /// foreseen; fails if one does, and with [`Error::Stopped`] if the update is to be given up.
    pub(in crate::rollout) fn follow(
        &mut self,
        segment: usize,
        (collected, first): (&Collected, usize),
        policy: &ActorCritic,
        foreseen: Option<(&Foresight, &Echo)>,
    ) -> Result<()> {
        let shape = self.fragment.shape;
        let (batch, steps) = (shape.batch, shape.segment_steps(segment));
        let (row, distribution, choices) = (batch * shape.observation, shape.distribution, shape.action);
        let number = self.group.first();
        let differs = |i: usize, step: usize| Error::Differs { environment: number + i, step };
        for t in 0..steps {
            self.stop.go_on()?;
            let fragment = &mut self.fragment;
            let step = segment * shape.sequence_length + t;
            let now = step * batch..(step + 1) * batch;
            fragment.episode_starts[now.clone()].copy_from_slice(&self.episode_starts);
            let (ActionBuffer::Discrete(actions) | ActionBuffer::Choices(actions)) = &mut fragment.actions else {
                unreachable!("a device takes choices alone")
            };
            for (i, at) in now.clone().enumerate() {
                let there = (first + i) * steps + t;
                actions[at * choices..(at + 1) * choices]
                    .copy_from_slice(&collected.actions[there * choices..(there + 1) * choices]);
                fragment.log_probs[at] = collected.log_probs[there];
                let outputs = &collected.outputs[there * (distribution + 1)..][..distribution + 1];
                fragment.distributions[at * distribution..(at + 1) * distribution]
                    .copy_from_slice(&outputs[..distribution]);
                fragment.estimates.values[at] = outputs[distribution];
                fragment.estimates.final_values[at] = 0.0;
            }
            let mut transition = Transition {
                observations: fragment.observations.range_mut((step + 1) * row..(step + 2) * row),
                final_observations: self.final_observations.all_mut(),
                rewards: &mut fragment.rewards[now.clone()],
                terminated: &mut fragment.terminated[now.clone()],
                truncated: &mut fragment.truncated[now.clone()],
            };
            let scratch = &mut self.scratch.1;
            let actions = policy.distribution().for_environment(&fragment.actions, now.start, batch, scratch);
            self.group.step(actions, &mut transition)?;
            for (i, at) in now.enumerate() {
                // A device that is told what will be shown knows no rewards.
                let reward = collected.rewards.get((first + i) * steps + t);
                if reward.is_some_and(|&there| there != fragment.rewards[at]) {
                    return Err(differs(i, step));
                }
                self.episode_starts[i] = u8::from(fragment.terminated[at] || fragment.truncated[at]);
            }
            self.keep_finals(step);
            if let Some((foresight, echo)) = foreseen {
                self.check_foreseen(step, foresight, echo)?;
            }
        }
        // What was seen, as far as it was brought back, and what follows.
        let all = collected.observations.len();
        let mut seen: Vec<(usize, &[f32])> = (0..steps).zip(collected.observed.chunks_exact(all)).collect();
        seen.push((steps, &collected.observations));
        for (t, there) in seen {
            let step = segment * shape.sequence_length + t;
            let here = policy.numbers(self.seen(step));
            let width = here.len() / batch;
            let there = there[first * width..].chunks_exact(width);
            if let Some(i) = here.chunks_exact(width).zip(there).position(|(here, there)| here != there) {
                return Err(differs(i, step));
            }
        }
        let len = self.state.len();
        self.state.copy_from_slice(&collected.state[first * shape.state..][..len]);
        if self.energy.is_some() {
            self.add_measured(collected.energy);
        }
        Ok(())
    }

    /// Refuses what the environments show after step `step` if it is not what they showed in advance, with the actions
    /// that were taken.
    fn check_foreseen(&self, step: usize, foresight: &Foresight, echo: &Echo) -> Result<()> {
        let now = step * self.fragment.shape.batch..(step + 1) * self.fragment.shape.batch;
        let ActionBuffer::Discrete(actions) = &self.fragment.actions else {
            unreachable!("environments that are foreseen have one list of choices")
        };
        let (_, starts) = foresight.after(step);
        let shown = foresight.with_actions(step, echo, &actions[now]);
        let other = self.episode_starts.iter().zip(starts).position(|(here, there)| here != there);
        match other.or_else(|| self.differs(step + 1, &shown)) {
            Some(environment) => Err(self.not_foreseen(environment, step + 1)),
            None => Ok(()),
        }
    }
}
