//! A trained agent that acts.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use numpy::ndarray::Array2;
use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::PyDict;
use stpn::agents::actor::Actor;
use stpn::agents::evaluation::evaluate_until;
use stpn::agents::policy::distribution::ActionBuffer;
use stpn::agents::rollout::Observations;
use stpn::agents::statistics::Running;
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

/// What a batch of episodes gives an agent.
struct Inputs<'a> {
    observations: Observations,
    /// `[B, S]`
    state: &'a [f32],
    /// `[B]`
    starts: &'a [u8],
}

/// What an agent chose, and its states after that.
struct Chosen {
    actions: Actions,
    state: Vec<f32>,
}

/// What its network put out: parameters of distributions `[B, P]`, values `[B]`, and the states after that `[B, S]`.
struct Outputs {
    distributions: Vec<f32>,
    values: Vec<f32>,
    state: Vec<f32>,
}

/// [`Outputs`] as Python gets them.
type Said<'py> = (Bound<'py, PyArray2<f32>>, Bound<'py, PyArray1<f32>>, Bound<'py, PyArray2<f32>>);

/// A trained parameter: its name, its shape and its values, row-major.
type Parameter<'py> = (String, Vec<usize>, Bound<'py, PyArray1<f32>>);

/// Mean and variance of each element of an observation, and the bound on what they make of it.
type Normalization<'py> = (Bound<'py, PyArray1<f64>>, Bound<'py, PyArray1<f64>>, f64);

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
        let inputs = self.inputs(&observations, &state, &episode_starts)?;
        let batch = inputs.starts.len();
        let mut streams =
            (!deterministic).then(|| self.streams.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner));
        let streams = streams.as_mut().map(|streams| streams.first(batch));
        let chosen = threads::run(py, || self.choose(inputs, streams))?.map_err(raised)?;
        let actions = match chosen.actions {
            Actions::Choices(choices) => choices.into_pyarray(py).into_any(),
            Actions::Numbers(values) => values.into_pyarray(py).into_any(),
        };
        Ok((actions, matrix(py, chosen.state, batch)?))
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
        let inputs = self.inputs(&observations, &state, &episode_starts)?;
        let batch = inputs.starts.len();
        let out = threads::run(py, || self.put_out(inputs))?.map_err(raised)?;
        Ok((matrix(py, out.distributions, batch)?, out.values.into_pyarray(py), matrix(py, out.state, batch)?))
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

impl Agent {
    /// What an actor is given, if it fits.
    fn inputs<'a>(
        &self,
        observations: &ObservationsIn<'_>,
        state: &'a PyReadonlyArray2<'_, f32>,
        starts: &'a PyReadonlyArray1<'_, u8>,
    ) -> PyResult<Inputs<'a>> {
        let observations = Observations::from(observations.values()?);
        let (state, starts) = (state.as_slice().map_err(scattered)?, starts.as_slice().map_err(scattered)?);
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
        Ok(Inputs { observations, state, starts })
    }

    /// An actor after one step, and the states `[B, S]` then.
    fn step(&self, inputs: Inputs<'_>) -> stpn::agents::Result<(Actor<'_>, Vec<f32>)> {
        let Inputs { mut observations, state, starts } = inputs;
        let mut actor = Actor::new(self.agent.subject(), starts.len())?;
        actor.session_mut().load(state)?;
        actor.observe(observations.all_mut(), starts)?;
        let mut after = vec![0.0; state.len()];
        actor.session_mut().store(&mut after)?;
        Ok((actor, after))
    }

    fn put_out(&self, inputs: Inputs<'_>) -> stpn::agents::Result<Outputs> {
        let (actor, state) = self.step(inputs)?;
        let session = actor.session();
        Ok(Outputs { distributions: session.distributions().to_vec(), values: session.values().to_vec(), state })
    }

    fn choose(&self, inputs: Inputs<'_>, mut streams: Option<&mut [Stream]>) -> stpn::agents::Result<Chosen> {
        let (batch, width) = (inputs.starts.len(), self.actions.len());
        let (mut actor, after) = self.step(inputs)?;
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

/// Numbers of B episodes as `[B, …]`.
fn matrix<'py>(py: Python<'py>, values: Vec<f32>, batch: usize) -> PyResult<Bound<'py, PyArray2<f32>>> {
    let matrix = Array2::from_shape_vec((batch, values.len() / batch), values);
    Ok(matrix.map_err(|error| StpnError::new_err(error.to_string()))?.into_pyarray(py))
}
