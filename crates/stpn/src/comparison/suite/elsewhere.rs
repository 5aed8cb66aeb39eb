//! How agents of the easy level do at the others, where they have never been.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use stpn_envs::popgym::Level;

use super::plan::PlannedTask;
use crate::comparison::statistics::Mean;
use crate::comparison::{PlannedRun, measure};
use crate::variant::variant;
use crate::{Error, Override, Result};

/// What a cell comes to at a level that it was not trained at.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Elsewhere {
    /// The level.
    pub level: String,
    /// Mean return of the uniformly random policy there.
    pub random: Option<f64>,
    /// Return on fresh seeds there, over seeds.
    pub result: Mean,
}

/// A level with other settings of the same task, in which the same agents can act.
#[derive(Clone, Debug)]
pub(super) struct Place {
    level: Level,
    change: Override,
    random: Option<f64>,
}

impl Place {
    /// The harder levels of a task of the easy level that have the same spaces; none of another one.
    ///
    /// # Errors
    /// Fails if the random policy cannot be measured there.
    pub fn of(planned: &PlannedTask, episodes: usize) -> Result<Vec<Self>> {
        let mut places = Vec::new();
        let Some(run) = planned.plan.runs.first().filter(|_| planned.task.level == Level::Easy) else {
            return Ok(places);
        };
        for level in [Level::Medium, Level::Hard] {
            let change = Override::new("env.level", level.name())?;
            match variant(run.config.agent()?, std::slice::from_ref(&change)) {
                Ok(_) => {
                    let [random, _] = measure::bounds_with(run, episodes, std::slice::from_ref(&change))?;
                    places.push(Self { level, change, random });
                }
                Err(Error::Unfit(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(places)
    }

    /// What a cell's runs come to there; none without runs.
    ///
    /// # Errors
    /// Fails if an evaluation does.
    pub fn measure<'r>(
        &self,
        runs: impl IntoIterator<Item = &'r PlannedRun>,
        episodes: usize,
        possible: &RangeInclusive<f64>,
    ) -> Result<Option<Elsewhere>> {
        let name = format!("evaluation-{}.json", self.level.name());
        let returns = runs.into_iter().map(|run| measure::mean_return_with(run, episodes, &self.change, &name));
        let returns = returns.collect::<Result<Vec<f64>>>()?;
        let (level, random) = (self.level.name().to_string(), self.random);
        Ok(Mean::of(&returns, possible).map(|result| Elsewhere { level, random, result }))
    }
}
