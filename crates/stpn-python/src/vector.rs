//! Many environments stepped together.

use numpy::PyArray1;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use stpn::envs::{EnvConfig, Transition, VectorEnv};

use crate::arrays::{ActionsIn, ObservationsOut, scattered, writable};
use crate::environment::configured;
use crate::errors::raised_by_env;
use crate::threads::Shared;
use crate::{spaces, threads};

/// Environments that one thread steps together: few enough for many threads, enough to be worth the handing over.
const GROUP: usize = 8;

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
        let vector = Shared::new(made(py, &config, count, seed)?);
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
        let mut fresh = made(py, &self.config, self.count, seed)?;
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
        let actions = actions.of(vector.action_space())?;
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

fn made(py: Python<'_>, config: &EnvConfig, count: usize, seed: u64) -> PyResult<VectorEnv> {
    threads::run(py, || VectorEnv::new(&|_| config.make(), count, GROUP, seed).map_err(raised_by_env))?
}
