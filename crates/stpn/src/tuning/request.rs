//! What is asked for of a search.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stpn_agents::RunConfig;

use super::space::Space;
use crate::{Error, Override, Result, TrainingRequest, cell, overrides, threads};

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// A preset or a file.
    pub experiment: String,
    /// The cell, in place of the experiment's.
    pub cell: Option<String>,
    /// Keys of every trial's configuration.
    pub overrides: Vec<Override>,
    /// Updates of a whole run, in place of the experiment's.
    pub updates: Option<u64>,
    /// Most trials; the first has the experiment's own settings.
    pub trials: usize,
    /// Minutes that training may take: there are as many trials as fit.
    pub minutes: Option<f64>,
    /// Seed of the search.
    pub seed: u64,
    /// Runs of every trial, with seeds from 1001 on.
    pub seeds: u64,
    /// Episodes on which an agent is measured.
    pub episodes: usize,
    /// What is searched; not set = [`Space::of`].
    pub space: Option<Space>,
}

impl Request {
    /// The whole training with these settings.
    pub(super) fn training(&self, settings: &BTreeMap<String, String>) -> Result<TrainingRequest> {
        let settings = settings.iter().map(|(key, value)| format!("{key}={value}").parse());
        let settings = settings.collect::<Result<Vec<Override>>>()?;
        Ok(TrainingRequest {
            experiment: self.experiment.clone(),
            cell: self.cell.as_deref().map(cell::parse).transpose()?,
            updates: self.updates,
            overrides: [&self.overrides[..], &settings].concat(),
            ..TrainingRequest::default()
        })
    }

    /// Refuses keys that the search sets itself.
    ///
    /// # Errors
    /// [`Error::Unfit`] naming the option that is meant.
    pub(super) fn refuse_own_keys(&self) -> Result<()> {
        threads::refuse_as_key(&self.overrides)?;
        if overrides::sets(&self.overrides, "training.updates") {
            let problem = "training.updates: a search gives every trial a length of its own; the greatest is --updates";
            return Err(Error::Unfit(problem.into()));
        }
        Ok(())
    }

    /// How this search differs from another one, in words: the first field that does.
    pub(super) fn difference(&self, other: &Self) -> Result<Option<String>> {
        let fields = |request: &Self| serde_json::to_value(request).map_err(Error::text);
        let (own, other) = (fields(self)?, fields(other)?);
        let mut names = own.as_object().into_iter().flat_map(serde_json::Map::keys);
        let differing = names.find(|name| own[*name] != other[*name]);
        Ok(differing.map(|name| format!("{name} {}, not {}", own[name], other[name])))
    }

    /// The configuration of the whole training with these settings.
    ///
    /// # Errors
    /// As [`TrainingRequest::configure`].
    pub fn whole(&self, settings: &BTreeMap<String, String>) -> Result<RunConfig> {
        self.training(settings)?.configure(1)
    }
}

/// Environment steps of so many updates; of a supervised task, epochs.
pub(super) fn length_of(config: &RunConfig, updates: u64) -> u64 {
    match config {
        RunConfig::Agent(config) => updates * (config.rollout.environments * config.rollout.steps) as u64,
        RunConfig::Supervised(_) => updates,
    }
}
