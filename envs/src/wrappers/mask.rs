//! Observations with elements left out.

use std::time::Duration;

use crate::{Action, Dtype, Env, Error, ObservationMut, Result, Screen, Space, Step};

/// Shows only some elements of a float observation: what is hidden has to be remembered or inferred.
#[derive(Debug)]
pub struct Mask<E> {
    env: E,
    name: String,
    keep: Vec<usize>,
    observation_space: Space,
    /// The whole observation.
    whole: Vec<f32>,
}

impl<E: Env> Mask<E> {
    /// An environment called `name` that shows the elements `keep` of the observation, in that order, as a vector.
    ///
    /// # Errors
    /// [`Error::Config`], key `keep`, for an empty list or an index out of range, and [`Error::Buffer`] for an
    /// environment whose observations are not a box of floats.
    pub fn new(env: E, name: impl Into<String>, keep: impl Into<Vec<usize>>) -> Result<Self> {
        let keep = keep.into();
        let Space::Box { low, high, dtype: Dtype::F32, .. } = env.observation_space() else {
            let got = env.observation_space().to_string();
            return Err(Error::Buffer { what: "observation", expected: "a box of floats".into(), got });
        };
        if keep.is_empty() || keep.iter().any(|&index| index >= low.len()) {
            let allowed = format!("at least one index, each below {}", low.len());
            return Err(Error::Config { key: "keep", value: format!("{keep:?}"), allowed });
        }
        let pick = |bounds: &[f32]| keep.iter().map(|&index| bounds[index]).collect();
        let observation_space =
            Space::Box { low: pick(low), high: pick(high), shape: vec![keep.len()], dtype: Dtype::F32 };
        let whole = vec![0.0; low.len()];
        Ok(Self { env, name: name.into(), keep, observation_space, whole })
    }

    /// The environment inside.
    pub fn inner(&self) -> &E {
        &self.env
    }
}

impl<E: Env> Env for Mask<E> {
    fn name(&self) -> &str {
        &self.name
    }

    fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    fn action_space(&self) -> &Space {
        self.env.action_space()
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<()> {
        let shown = observation.f32(self.keep.len())?;
        self.env.reset(seed, ObservationMut::F32(&mut self.whole))?;
        shown.iter_mut().zip(&self.keep).for_each(|(shown, &index)| *shown = self.whole[index]);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, observation: ObservationMut<'_>) -> Result<Step> {
        let shown = observation.f32(self.keep.len())?;
        let step = self.env.step(action, ObservationMut::F32(&mut self.whole))?;
        shown.iter_mut().zip(&self.keep).for_each(|(shown, &index)| *shown = self.whole[index]);
        Ok(step)
    }

    fn lost_its_episode(&self) -> bool {
        self.env.lost_its_episode()
    }

    fn begin_step(&mut self, action: Action<'_>) -> Result<()> {
        self.env.begin_step(action)
    }

    fn limit_calls(&mut self, limit: Option<Duration>) -> bool {
        self.env.limit_calls(limit)
    }

    fn save_state(&self, bytes: &mut Vec<u8>) -> Result<()> {
        self.env.save_state(bytes)
    }

    fn restore_state(&mut self, bytes: &[u8]) -> Result<()> {
        self.env.restore_state(bytes)
    }

    fn records_episodes(&self) -> bool {
        self.env.records_episodes()
    }

    fn render(&self) -> Option<String> {
        self.env.render()
    }

    fn screen(&self) -> Option<Screen> {
        self.env.screen()
    }
}
