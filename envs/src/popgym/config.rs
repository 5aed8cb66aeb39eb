//! Settings of the tasks of POPGym.

use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Level, Task};
use crate::wrappers::{Antialias, PreviousAction};
use crate::{Env, Result};

/// By how much the sum of an episode's rewards, each rounded, may leave the bounds of its return.
const ROUNDING: f64 = 1e-12;

/// Settings of `popgym`: a task as the package has it, without the wrappers of the published experiments.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PopgymConfig {
    /// The task, e.g. `autoencode`.
    pub task: Task,
    /// Its size: `easy`, `medium` or `hard`.
    pub level: Level,
    /// Whether the observation also tells the action before, as in the published experiments.
    pub previous_action: bool,
    /// Whether the observation also tells if it is the first of an episode, as in the published experiments. Default
    /// false.
    pub antialias: bool,
}

impl PopgymConfig {
    /// A task behind the wrappers of the published experiments.
    pub fn published(task: Task, level: Level) -> Self {
        Self { task, level, previous_action: true, antialias: true }
    }

    /// The environment with these settings.
    ///
    /// # Errors
    /// None today.
    pub fn make(&self) -> Result<Box<dyn Env>> {
        let mut env = self.task.make(self.level);
        if self.previous_action {
            env = Box::new(PreviousAction::new(env)?);
        }
        if self.antialias {
            env = Box::new(Antialias::new(env)?);
        }
        Ok(env)
    }

    /// The least and the greatest possible return of an episode.
    pub(crate) fn return_bounds(&self) -> RangeInclusive<f64> {
        let (least, greatest) = match self.task {
            Task::PositionOnlyCartpole | Task::VelocityOnlyCartpole | Task::NoisyPositionOnlyCartpole => (0.0, 1.0),
            Task::Battleship => {
                // A miss at every step, which are as many as the board has squares.
                let squares = self.level.of([64.0, 100.0, 144.0]);
                (-squares / (squares - 12.0), 1.0)
            }
            _ => (-1.0, 1.0),
        };
        least - ROUNDING..=greatest + ROUNDING
    }
}
