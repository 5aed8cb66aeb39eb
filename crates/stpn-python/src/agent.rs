//! A trained agent that acts.

use std::path::PathBuf;

use numpy::ndarray::Array2;
use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde::{Deserialize, Serialize};
use stpn::agents::checkpoint;
use stpn::agents::evaluation::evaluate_until;
use stpn::agents::statistics::Running;
use stpn::envs::vector::Actions;
use stpn::envs::{Env, Space};
use stpn::{EvaluationOptions, RunConfig, Stream};
use stpn_random::Purpose;

use crate::arrays::{ObservationsIn, scattered};
use crate::environment::trust_code_of;
use crate::errors::{StpnError, raised, raised_by_env, wrong};
use crate::threads::Shared;
use crate::{spaces, tables, threads};

/// A policy with all that it needs to act.
#[pyclass(frozen)]
pub struct Agent {
    agent: stpn::Agent,
    observations: Space,
    actions: Space,
    /// Of the sampled actions of each element of a batch.
    streams: Shared<Streams>,
}

/// The random numbers of sampled actions.
#[derive(Deserialize, Serialize)]
struct Streams {
    seed: u64,
    streams: Vec<Stream>,
}

impl Streams {
    fn new(seed: u64) -> Self {
        Self { seed, streams: Vec::new() }
    }

    /// Those of the first `count` elements.
    fn first(&mut self, count: usize) -> &mut [Stream] {
        for index in self.streams.len()..count {
            self.streams.push(Stream::new(self.seed, Purpose::EvaluationActions, index as u64));
        }
        &mut self.streams[..count]
    }
}

/// What its network put out: parameters of distributions `[B, P]`, values `[B]`, and the states after that `[B, S]`.
type Said<'py> = (Bound<'py, PyArray2<f32>>, Bound<'py, PyArray1<f32>>, Bound<'py, PyArray2<f32>>);

/// A trained parameter: its name, its shape and its values, row-major.
type Parameter<'py> = (String, Vec<usize>, Bound<'py, PyArray1<f32>>);

/// Mean and variance of each element of an observation, and the bound on what they make of it.
type Normalization<'py> = (Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<f64>>, f64);

/// Actions as numpy has them.
enum Chosen {
    Choices(Vec<i64>),
    Numbers(Vec<f32>),
}

impl From<Actions<'_>> for Chosen {
    fn from(actions: Actions<'_>) -> Self {
        match actions {
            Actions::Discrete(choices) | Actions::Choices(choices) => {
                Self::Choices(choices.iter().map(|&choice| i64::from(choice)).collect())
            }
            Actions::Continuous(values) => Self::Numbers(values.to_vec()),
        }
    }
}

#[pymethods]
impl Agent {
    /// The agent of a run, an exported folder or a checkpoint; `trust_env_code` lets the code run that its
    /// configuration names.
    #[new]
    #[pyo3(signature = (path, seed, trust_env_code=false))]
    fn new(py: Python<'_>, path: PathBuf, seed: u64, trust_env_code: bool) -> PyResult<Self> {
        let load = || {
            let checkpoint = checkpoint::find(&path)?;
            if let (RunConfig::Agent(config), true) = (&checkpoint.config, trust_env_code) {
                trust_code_of(&config.env);
            }
            stpn::Agent::of_checkpoint(&checkpoint)
        };
        let agent = threads::run(py, load)?.map_err(raised)?;
        let env = agent.config().env.make().map_err(raised_by_env)?;
        let (observations, actions) = (env.observation_space().clone(), env.action_space().clone());
        Ok(Self { agent, observations, actions, streams: Shared::new(Streams::new(seed)) })
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

    /// Writes it into a folder, without what only training needs.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        threads::run(py, || self.agent.save(path))?.map(drop).map_err(raised)
    }

    /// Starts the random numbers of sampled actions anew.
    fn seed(&self, py: Python<'_>, seed: u64) -> PyResult<()> {
        *self.streams.lock(py)? = Streams::new(seed);
        Ok(())
    }

    /// Where the random numbers of sampled actions are, as JSON.
    fn streams(&self, py: Python<'_>) -> PyResult<String> {
        serde_json::to_string(&*self.streams.lock(py)?).map_err(|error| StpnError::new_err(error.to_string()))
    }

    /// Goes on with random numbers from where [`Agent::streams`] says that they were.
    fn set_streams(&self, py: Python<'_>, streams: &str) -> PyResult<()> {
        let streams = serde_json::from_str(streams).map_err(|error| wrong(format!("streams: {error}")))?;
        *self.streams.lock(py)? = streams;
        Ok(())
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
        let (observations, starts) = (observations.values()?, episode_starts.as_slice().map_err(scattered)?);
        let (batch, mut state) = (starts.len(), state.as_slice().map_err(scattered)?.to_vec());
        let mut streams = if deterministic { None } else { Some(self.streams.lock(py)?) };
        let streams = streams.as_mut().map(|streams| streams.first(batch));
        let choose = || -> stpn::agents::Result<Chosen> {
            let mut actor = self.agent.step(observations, &mut state, starts)?;
            let mut actions = self.agent.policy().distribution().buffer(batch);
            Ok(actor.choose_all(streams, &mut actions).into())
        };
        let actions = match threads::run(py, choose)?.map_err(raised)? {
            Chosen::Choices(choices) => choices.into_pyarray(py).into_any(),
            Chosen::Numbers(values) => values.into_pyarray(py).into_any(),
        };
        Ok((actions, matrix(py, state, batch)?))
    }

    /// What the network puts out for the same: parameters of action distributions `[B, P]`, values `[B]`, and the states
    /// after that `[B, S]`.
    fn outputs<'py>(
        &self,
        py: Python<'py>,
        observations: ObservationsIn<'_>,
        state: PyReadonlyArray2<'_, f32>,
        episode_starts: PyReadonlyArray1<'_, u8>,
    ) -> PyResult<Said<'py>> {
        let (observations, starts) = (observations.values()?, episode_starts.as_slice().map_err(scattered)?);
        let (batch, mut state) = (starts.len(), state.as_slice().map_err(scattered)?.to_vec());
        let put_out = || -> stpn::agents::Result<_> {
            let actor = self.agent.step(observations, &mut state, starts)?;
            let session = actor.session();
            Ok((session.distributions().to_vec(), session.values().to_vec()))
        };
        let (distributions, values) = threads::run(py, put_out)?.map_err(raised)?;
        Ok((matrix(py, distributions, batch)?, values.into_pyarray(py), matrix(py, state, batch)?))
    }

    /// Its trained parameters, in the order of a checkpoint.
    fn parameters<'py>(&self, py: Python<'py>) -> PyResult<Vec<Parameter<'py>>> {
        let values = |(name, var): (&str, &candle_core::Var)| {
            let values = var.flatten_all()?.to_vec1::<f32>()?;
            Ok((name.to_string(), var.dims().to_vec(), values.into_pyarray(py)))
        };
        let all: candle_core::Result<Vec<_>> = self.agent.policy().parameters().iter().map(values).collect();
        all.map_err(|error| StpnError::new_err(error.to_string()))
    }

    /// The statistics by which it sees observations; None if it sees them as they are.
    fn normalization<'py>(&self, py: Python<'py>) -> Option<Normalization<'py>> {
        let statistics = self.agent.subject().normalization;
        let of = |number: fn(&Running) -> f64| {
            let numbers: Vec<f64> = statistics.observations.iter().map(number).collect();
            numbers.into_pyarray(py)
        };
        let observed = !statistics.observations.is_empty();
        observed.then(|| (of(|running| running.mean), of(Running::variance), statistics.clip))
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

/// Numbers of B episodes as `[B, …]`.
fn matrix<'py>(py: Python<'py>, values: Vec<f32>, batch: usize) -> PyResult<Bound<'py, PyArray2<f32>>> {
    let matrix = Array2::from_shape_vec((batch, values.len() / batch), values);
    Ok(matrix.map_err(|error| StpnError::new_err(error.to_string()))?.into_pyarray(py))
}
