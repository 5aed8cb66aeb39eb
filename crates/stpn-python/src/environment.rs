//! One environment.

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::PyDict;
use stpn::agents::config;
use stpn::envs::registry::ENVIRONMENTS;
use stpn::envs::{Env, EnvConfig};
use toml::{Table, Value};

use crate::arrays::{ActionsIn, ObservationsOut};
use crate::errors::{raised, raised_by_env, wrong};
use crate::{spaces, tables};

/// The environment that a JSON text describes: its `name`, and settings of its own. They are the caller's, and so is
/// the code that they name.
pub fn configured(json: &str) -> PyResult<EnvConfig> {
    let env = Value::Table(tables::table(json)?);
    let config = config::environment(Table::from_iter([("env".to_string(), env)])).map_err(raised)?;
    trust_code_of(&config);
    Ok(config)
}

/// Lets this process run the code that an environment's settings name.
pub fn trust_code_of(config: &EnvConfig) {
    #[cfg(unix)]
    if let EnvConfig::Gymnasium(config) = config {
        stpn::envs::gymnasium::trust_code_of(config);
    }
    #[cfg(not(unix))]
    let _ = config;
}

/// The names of the environments inside, each with a line on what it is.
#[pyfunction]
pub fn environments() -> Vec<(&'static str, &'static str)> {
    ENVIRONMENTS.iter().map(|entry| (entry.name, entry.summary)).collect()
}

/// One environment, which writes its observations into arrays of numpy.
#[pyclass(frozen)]
pub struct Environment {
    env: Mutex<Box<dyn Env>>,
}

#[pymethods]
impl Environment {
    #[new]
    fn new(config: &str) -> PyResult<Self> {
        Ok(Self { env: Mutex::new(configured(config)?.make().map_err(raised_by_env)?) })
    }

    #[getter]
    fn observation_space<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.with(|env| spaces::described(py, env.observation_space()))
    }

    #[getter]
    fn action_space<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.with(|env| spaces::described(py, env.action_space()))
    }

    /// Starts an episode; a seed starts the environment's random numbers anew.
    fn reset(&self, seed: Option<u64>, observation: ObservationsOut<'_>) -> PyResult<()> {
        self.with(|env| env.reset(seed, observation.writable()?.values()?).map_err(raised_by_env))
    }

    /// One step: its reward, whether the task ended, and whether the episode was cut off.
    fn step(&self, action: ActionsIn<'_>, observation: ObservationsOut<'_>) -> PyResult<(f64, bool, bool)> {
        self.with(|env| {
            let space = env.action_space();
            let (given, width) = (action.len(), space.len());
            if given != width {
                return Err(wrong(format!("an action of {given} elements; {space} has {width}")));
            }
            let actions = action.of(space)?;
            let step = env.step(actions.get(0, width), observation.writable()?.values()?).map_err(raised_by_env)?;
            Ok((step.reward, step.terminated, step.truncated))
        })
    }

    /// The present state as text, where there is such a view.
    fn render(&self) -> Option<String> {
        self.with(|env| env.render())
    }
}

impl Environment {
    fn with<R>(&self, act: impl FnOnce(&mut Box<dyn Env>) -> R) -> R {
        act(&mut self.env.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
