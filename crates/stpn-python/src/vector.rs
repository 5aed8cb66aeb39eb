//! Many environments stepped together.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use numpy::PyArray1;
use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use stpn::agents::memory::gibibytes;
use stpn::envs::vector::Actions;
use stpn::envs::{EnvConfig, Error, Space, Transition, VectorEnv};

use crate::arrays::{ActionsIn, ObservationsOut, scattered, writable};
use crate::environment::configured;
use crate::errors::{raised_by_env, wrong};
use crate::threads::Shared;
use crate::{memory, spaces, threads};

/// Environments that one thread steps together: few enough for many threads, enough to be worth the handing over.
const GROUP: usize = 8;

/// After so many environments it is looked how much memory they take.
const MEASURED: u64 = 4096;

/// Many environments stepped together, which write into arrays of numpy.
#[pyclass(frozen)]
pub struct Vector {
    config: EnvConfig,
    count: usize,
    vector: Shared<VectorEnv>,
}

#[pymethods]
impl Vector {
    #[new]
    fn new(py: Python<'_>, config: &str, count: usize, seed: u64) -> PyResult<Self> {
        let config = configured(config)?;
        // A reset makes all environments anew, and those of before are there until that is done.
        let vector = Shared::new(made(py, &config, count, seed, 2)?);
        Ok(Self { config, count, vector })
    }

    #[getter]
    fn observation_space<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        spaces::described(py, self.vector.lock(py)?.observation_space())
    }

    #[getter]
    fn action_space<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        spaces::described(py, self.vector.lock(py)?.action_space())
    }

    /// Starts every environment; `seed` is that of all of them.
    fn reset(&self, py: Python<'_>, seed: u64, observations: ObservationsOut<'_>) -> PyResult<()> {
        // Whoever steps it has the array, too.
        let mut vector = self.vector.lock(py)?;
        let mut observations = observations.writable()?;
        // Seeds are given to a vector when it is made.
        let mut fresh = made(py, &self.config, self.count, seed, 1)?;
        let values = observations.values()?;
        threads::run(py, || fresh.reset(values).map_err(raised_by_env))??;
        *vector = fresh;
        Ok(())
    }

    /// One step of every environment. Where an episode ends, its last observation is written to `finals`, and that of
    /// the next one's start to `observations`.
    #[expect(clippy::too_many_arguments, reason = "actions, and an array for every result")]
    fn step(
        &self,
        py: Python<'_>,
        actions: ActionsIn<'_>,
        observations: ObservationsOut<'_>,
        finals: ObservationsOut<'_>,
        rewards: &Bound<'_, PyArray1<f32>>,
        terminated: &Bound<'_, PyArray1<bool>>,
        truncated: &Bound<'_, PyArray1<bool>>,
    ) -> PyResult<()> {
        let mut vector = self.vector.lock(py)?;
        let (mut observations, mut finals) = (observations.writable()?, finals.writable()?);
        let (mut rewards, mut terminated, mut truncated) =
            (writable(rewards)?, writable(terminated)?, writable(truncated)?);
        let given = actions.len();
        let actions = actions.of(vector.action_space())?;
        if given == self.count * vector.action_space().len() {
            refuse_impossible(actions, self.count, vector.action_space())?;
        }
        let mut out = Transition {
            observations: observations.values()?,
            final_observations: finals.values()?,
            rewards: rewards.as_slice_mut().map_err(scattered)?,
            terminated: terminated.as_slice_mut().map_err(scattered)?,
            truncated: truncated.as_slice_mut().map_err(scattered)?,
        };
        let vector = &mut *vector;
        threads::run(py, || {
            vector.step(actions, &mut out)?;
            // Nobody asks for them: Python counts episodes by itself.
            vector.drain_episodes().for_each(drop);
            Ok(())
        })?
        .map_err(raised_by_env)
    }
}

/// Refuses actions of all environments if one is impossible, before any environment has moved.
fn refuse_impossible(actions: Actions<'_>, count: usize, space: &Space) -> PyResult<()> {
    let width = space.len();
    for index in 0..count {
        let action = actions.get(index, width);
        let checked = match space {
            Space::Discrete { n } => action.discrete(*n).map(drop),
            Space::MultiDiscrete { counts } => action.choices(counts).map(drop),
            Space::MultiBinary { n } => action.switches(*n).map(drop),
            _ => action.continuous(width).map(drop),
        };
        checked.map_err(|error| wrong(format!("environment {index}: {error}; no environment has moved")))?;
    }
    Ok(())
}

/// Makes the environments; `times` as much memory as they take must be there, or nothing is made.
fn made(py: Python<'_>, config: &EnvConfig, count: usize, seed: u64, times: u64) -> PyResult<VectorEnv> {
    let (before, begun, refusal) = (memory::taken(), AtomicU64::new(0), OnceLock::new());
    let make = |_| {
        let done = begun.fetch_add(1, Ordering::Relaxed);
        // They are measured while they are made: what an environment takes nobody knows before.
        if done > 0
            && done.is_multiple_of(MEASURED)
            && let (Some(before), Some(now), Some(free)) = (before, memory::taken(), memory::available())
        {
            let grown = now.saturating_sub(before);
            let all = grown as f64 / done as f64 * count as f64;
            if all * times as f64 - grown as f64 > free as f64 {
                let _ = refusal.set((all * times as f64, free + grown));
            }
        }
        if refusal.get().is_some() {
            // Any error ends the making; which one it is, nobody sees.
            return Err(Error::Config { key: "num_envs", value: count.to_string(), allowed: "fewer".into() });
        }
        config.make()
    };
    let made = threads::run(py, || VectorEnv::new(&make, count, GROUP, seed))?;
    if let Some(&(needed, free)) = refusal.get() {
        let [needed, free] = [needed, free as f64].map(gibibytes);
        let problem = format!("num_envs: {count} environments take about {needed} of memory, and {free} are free");
        return Err(PyMemoryError::new_err(problem));
    }
    made.map_err(raised_by_env)
}
