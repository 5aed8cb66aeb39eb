//! A worker whose steps a device takes: what it gives for them, and how its environments follow.

use stpn_envs::vector::{Actions, Transition};
use stpn_envs::{Env, OnDevice};

use super::Worker;
use crate::policy::accelerator::{Collected, Rollout};
use crate::policy::distribution::ActionBuffer;
use crate::policy::encoder::ObservationRef;
use crate::{Error, Result};

impl Worker {
    /// Its environments as a device plays them; none if it does not know one.
    pub(in crate::rollout) fn on_device(&self) -> Option<Vec<OnDevice>> {
        self.group.environments().map(Env::on_device).collect()
    }

    /// Appends what a device needs to collect the steps of a training sequence, uniform numbers and states aside.
    ///
    /// # Errors
    /// [`Error::Stopped`] if the update is to be given up; [`Error::Config`] if the environments have changed.
    pub(in crate::rollout) fn stage(&mut self, segment: usize, rollout: &mut Rollout) -> Result<()> {
        self.stop.go_on()?;
        let shape = self.fragment.shape;
        let first = segment * shape.sequence_length;
        let row = shape.batch * shape.observation;
        // The first worker measures.
        if let Some(energy) = self.energy_steps(first, rollout.environments.len() + shape.batch) {
            rollout.energy = Some(energy);
        }
        let environments = self.on_device();
        let observations = self.fragment.observations.range(first * row..(first + 1) * row);
        let (Some(environments), ObservationRef::F32(observations)) = (environments, observations) else {
            return Err(Error::config("training.device", "the environments cannot be played on a device any more"));
        };
        rollout.environments.extend(environments);
        rollout.observations.extend_from_slice(observations);
        rollout.episode_starts.extend_from_slice(&self.episode_starts);
        Ok(())
    }

    /// Keeps the states before a training sequence, and draws the uniform numbers `[B, T]` of its T actions from the
    /// environments' own streams.
    pub(in crate::rollout) fn prepare(&mut self, segment: usize) -> Vec<f64> {
        let (start, steps) = (segment * self.state.len(), self.fragment.shape.segment_steps(segment));
        self.fragment.sequence_states[start..start + self.state.len()].copy_from_slice(&self.state);
        self.streams.iter_mut().flat_map(|stream| (0..steps).map(|_| stream.unit())).collect()
    }

    /// Steps the environments with the actions that were taken on the device, where they are number `first` and those
    /// after it, and fills the fragment.
    ///
    /// # Errors
    /// [`Error::Differs`] if an environment behaves differently; fails if one does, and with [`Error::Stopped`] if the
    /// update is to be given up.
    pub(in crate::rollout) fn follow(&mut self, segment: usize, collected: &Collected, first: usize) -> Result<()> {
        let shape = self.fragment.shape;
        let (batch, steps) = (shape.batch, shape.segment_steps(segment));
        let (row, width, distribution) = (batch * shape.observation, shape.observation, shape.distribution);
        let fragment = &mut self.fragment;
        let number = self.group.first();
        let differs = |i: usize, step: usize| Error::Differs { environment: number + i, step };
        let all = collected.rewards.len() / steps;
        for t in 0..steps {
            self.stop.go_on()?;
            let step = segment * shape.sequence_length + t;
            let now = step * batch..(step + 1) * batch;
            fragment.episode_starts[now.clone()].copy_from_slice(&self.episode_starts);
            let ActionBuffer::Discrete(actions) = &mut fragment.actions else {
                unreachable!("a device chooses among discrete actions alone")
            };
            for (i, at) in now.clone().enumerate() {
                let there = (first + i) * steps + t;
                actions[at] = collected.actions[there];
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
            self.group.step(Actions::Discrete(&actions[now.clone()]), &mut transition)?;
            for (i, at) in now.enumerate() {
                if fragment.rewards[at] != collected.rewards[(first + i) * steps + t] || fragment.truncated[at] {
                    return Err(differs(i, step));
                }
                self.episode_starts[i] = u8::from(fragment.terminated[at]);
            }
        }
        // What was seen, as far as it was brought back, and what follows.
        let mut seen: Vec<(usize, &[f32])> = (0..steps).zip(collected.observed.chunks_exact(all * width)).collect();
        seen.push((steps, &collected.observations));
        for (t, there) in seen {
            let step = segment * shape.sequence_length + t;
            if let Some(i) = self.differs(step, &there[first * width..]) {
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
}
