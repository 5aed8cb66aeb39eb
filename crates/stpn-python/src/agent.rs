//! A trained agent that acts.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use numpy::ndarray::Array2;
use numpy::{IntoPyArray, PyArray2, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::PyDict;
use stpn::agents::actor::Actor;
use stpn::agents::evaluation::evaluate_until;
use stpn::agents::policy::distribution::ActionBuffer;
use stpn::agents::rollout::Observations;
use stpn::envs::{Env, Space};
use stpn::{EvaluationOptions, RunConfig, Stream};
use stpn_random::Purpose;

use crate::arrays::{ObservationsIn, scattered};
use crate::errors::{StpnError, raised, raised_by_env, wrong};
use crate::{spaces, tables, threads};

/// A policy with all that it needs to act.
#[pyclass(frozen)]
pub struct Agent {
    agent: stpn::Agent,
    observations: Space,
    actions: Space,
    /// Of the sampled actions of each element of a batch.
    streams: Mutex<Streams>,
}

struct Streams {
    seed: u64,
    streams: Vec<Stream>,
}

impl Streams {
    /// Those of the first `count` elements.
    fn first(&mut self, count: usize) -> &mut [Stream] {
        for index in self.streams.len()..count {
            self.streams.push(Stream::new(self.seed, Purpose::EvaluationActions, index as u64));
        }
        &mut self.streams[..count]
    }
}

/// What an agent chose, and its states after that.
struct Chosen {
    actions: Actions,
    state: Vec<f32>,
}

/// Actions in the form that environments take.
enum Actions {
    Choices(Vec<i64>),
    Numbers(Vec<f32>),
}

#[pymethods]
impl Agent {
    /// The agent of a run, an exported folder or a checkpoint.
    #[new]
    fn new(py: Python<'_>, path: PathBuf, seed: u64) -> PyResult<Self> {
        let agent = threads::run(py, || stpn::Agent::load(path))?.map_err(raised)?;
        let env = agent.config().env.make().map_err(raised_by_env)?;
        let (observations, actions) = (env.observation_space().clone(), env.action_space().clone());
        Ok(Self { agent, observations, actions, streams: Mutex::new(Streams { seed, streams: Vec::new() }) })
    }

    #[getter]
    fn observation_space<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        spaces::described(py, &self.observations)
    }

    #[getter]
    fn action_space<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        spaces::described(py, &self.actions)
    }

    /// Numbers S of the state of one episode.
    #[getter]
    fn state_size(&self) -> usize {
        self.agent.policy().state_len()
    }

    /// Updates that it was trained for.
    #[getter]
    fn update(&self) -> u64 {
        self.agent.progress().update
    }

    /// Its configuration as JSON.
    fn config(&self) -> PyResult<String> {
        tables::json(&RunConfig::Agent(self.agent.config().clone()))
    }

    /// Starts the random numbers of sampled actions anew.
    fn seed(&self, py: Python<'_>, seed: u64) {
        let mut streams = self.streams.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
        *streams = Streams { seed, streams: Vec::new() };
    }

    /// The actions of B episodes from their observations `[B, …]` and states `[B, S]`, and the states after that.
    fn act<'py>(
        &self,
        py: Python<'py>,
        observations: ObservationsIn<'_>,
        state: PyReadonlyArray2<'_, f32>,
        episode_starts: PyReadonlyArray1<'_, u8>,
        deterministic: bool,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyArray2<f32>>)> {
        let observations = Observations::from(observations.values()?);
        let (state, starts) = (state.as_slice().map_err(scattered)?, episode_starts.as_slice().map_err(scattered)?);
        let (batch, size) = (starts.len(), self.state_size());
        let (expected, dtype) = (batch * self.observations.len(), self.observations.dtype());
        if batch == 0 || observations.len() != expected || observations.dtype() != dtype || state.len() != batch * size
        {
            return Err(wrong(format!(
                "{} observed numbers ({:?}) and {} of states for {batch} episodes; each has {} ({dtype:?}) and {size}",
                observations.len(),
                observations.dtype(),
                state.len(),
                self.observations.len(),
            )));
        }
        let mut streams =
            (!deterministic).then(|| self.streams.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner));
        let streams = streams.as_mut().map(|streams| streams.first(batch));
        let chosen = threads::run(py, || self.choose(observations, state, starts, streams))?.map_err(raised)?;
        let matrix = |values: Vec<f32>, width| {
            let matrix = Array2::from_shape_vec((batch, width), values);
            matrix.map_err(|error| StpnError::new_err(error.to_string()))
        };
        let actions = match chosen.actions {
            Actions::Choices(choices) => choices.into_pyarray(py).into_any(),
            Actions::Numbers(values) => values.into_pyarray(py).into_any(),
        };
        Ok((actions, matrix(chosen.state, size)?.into_pyarray(py)))
    }

    /// Measures it on fresh episodes; Ctrl-C gives it up.
    fn evaluate<'py>(
        &self,
        py: Python<'py>,
        episodes: usize,
        seed: u64,
        deterministic: bool,
    ) -> PyResult<Bound<'py, PyDict>> {
        let options = EvaluationOptions { seed, deterministic, ..EvaluationOptions::new(episodes) };
        let make = |_| self.agent.config().env.make();
        let evaluation =
            threads::run_until_signal(py, |stop| evaluate_until(&make, Some(&self.agent.subject()), &options, stop))?
                .map_err(raised)?;
        let dict = PyDict::new(py);
        dict.set_item("energy_per_unit_step", evaluation.energy_per_unit_step)?;
        dict.set_item("oracle_return", evaluation.oracle_return)?;
        dict.set_item("returns", evaluation.returns.into_pyarray(py))?;
        dict.set_item("lengths", evaluation.lengths.into_pyarray(py))?;
        Ok(dict)
    }
}

impl Agent {
    fn choose(
        &self,
        mut observations: Observations,
        state: &[f32],
        starts: &[u8],
        mut streams: Option<&mut [Stream]>,
    ) -> stpn::agents::Result<Chosen> {
        let (batch, width) = (starts.len(), self.actions.len());
        let mut actor = Actor::new(self.agent.subject(), batch)?;
        actor.session_mut().load(state)?;
        actor.observe(observations.all_mut(), starts)?;
        let mut after = vec![0.0; state.len()];
        actor.session_mut().store(&mut after)?;
        let mut buffer = self.agent.policy().distribution().buffer(batch);
        for index in 0..batch {
            let stream = streams.as_mut().map(|streams| &mut streams[index]);
            actor.choose(index, stream, &mut buffer, index);
        }
        let actions = match &buffer {
            ActionBuffer::Discrete(choices) | ActionBuffer::Choices(choices) => {
                Actions::Choices(choices.iter().map(|&choice| i64::from(choice)).collect())
            }
            ActionBuffer::Continuous(_) => {
                let actions = actor.for_environment(&buffer, 0, batch);
                let rows = (0..batch).flat_map(|index| match actions.get(index, width) {
                    stpn::envs::Action::Continuous(values) => values,
                    _ => &[],
                });
                Actions::Numbers(rows.copied().collect())
            }
        };
        Ok(Chosen { actions, state: after })
    }
}
