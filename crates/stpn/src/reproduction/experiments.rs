//! The comparisons of the paper.

use std::path::Path;

use stpn_core::cells::CellName;

use crate::comparison::files::RESULTS;
use crate::error::Kind;
use crate::presets;
use crate::{Error, Result};

/// A part of the paper's experiments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paper {
    /// Associative retrieval.
    Art,
    /// Familiarity detection, three settings.
    Familiarity,
    /// Maze exploration.
    Maze,
    /// MuJoCo InvertedPendulum.
    Pendulum,
    /// Atari Pong.
    Pong,
    /// All of them.
    All,
}

impl Paper {
    /// Every part, with its name and what it is.
    pub const NAMES: [(Self, &'static str, &'static str); 6] = [
        (Self::Art, "art", "Associative retrieval"),
        (Self::Familiarity, "familiarity", "Familiarity detection, three settings"),
        (Self::Maze, "maze", "Maze exploration"),
        (Self::Pendulum, "pendulum", "MuJoCo InvertedPendulum"),
        (Self::Pong, "pong", "Atari Pong"),
        (Self::All, "all", "All of them"),
    ];
}

/// One comparison of the paper.
#[derive(Debug)]
pub struct Experiment {
    /// Which part of the paper it belongs to.
    pub paper: Paper,
    /// Name of its folder.
    pub name: &'static str,
    /// What it is, in a few words.
    pub title: &'static str,
    /// Its preset.
    pub preset: &'static str,
    /// What is changed in that, `section.key=value` each.
    pub overrides: &'static [&'static str],
    /// What is changed for one cell alone.
    pub of_cells: &'static [(CellName, &'static str)],
    /// Updates at the published settings, if they are not the preset's.
    pub updates: Option<u64>,
}

/// All of them, in the order of the paper.
pub const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        paper: Paper::Art,
        name: "art",
        title: "Associative retrieval",
        preset: "art",
        overrides: &[],
        of_cells: &[],
        updates: None,
    },
    Experiment {
        paper: Paper::Familiarity,
        name: "familiarity-fresh-r3",
        title: "Familiarity detection, trained at R = 3 on fresh data",
        preset: "familiarity",
        overrides: &["task.interval=3", "task.data=fresh"],
        of_cells: &[],
        updates: Some(1600),
    },
    Experiment {
        paper: Paper::Familiarity,
        name: "familiarity-fixed-r3",
        title: "Familiarity detection, trained at R = 3 on one fixed data set",
        preset: "familiarity",
        overrides: &["task.interval=3", "task.data=fixed"],
        of_cells: &[],
        updates: Some(3000),
    },
    Experiment {
        paper: Paper::Familiarity,
        name: "familiarity-fresh-r6",
        title: "Familiarity detection, trained at R = 6 on fresh data",
        preset: "familiarity",
        overrides: &["task.interval=6", "task.data=fresh"],
        of_cells: &[],
        updates: Some(3500),
    },
    Experiment {
        paper: Paper::Maze,
        name: "maze",
        title: "Maze exploration",
        preset: "maze",
        overrides: &[],
        of_cells: &[],
        updates: None,
    },
    Experiment {
        paper: Paper::Pendulum,
        name: "pendulum",
        title: "MuJoCo InvertedPendulum",
        preset: "inverted-pendulum",
        overrides: &[],
        of_cells: &[],
        updates: None,
    },
    Experiment {
        paper: Paper::Pong,
        name: "pong",
        title: "Atari Pong",
        preset: "pong",
        overrides: &[],
        of_cells: &[(CellName::Lstm, "optimizer.learning_rate.initial=1e-4")],
        updates: None,
    },
];

impl Experiment {
    /// Those of a part of the paper; of these only the one of that name, if one is given.
    ///
    /// # Errors
    /// [`Error::Unknown`] if none has this name.
    pub fn chosen(part: Paper, only: Option<&str>) -> Result<Vec<&'static Self>> {
        let of_part: Vec<&Self> = EXPERIMENTS.iter().filter(|e| part == Paper::All || part == e.paper).collect();
        let Some(only) = only else { return Ok(of_part) };
        match of_part.iter().find(|e| e.name == only) {
            Some(experiment) => Ok(vec![experiment]),
            None => {
                let names: Vec<&str> = of_part.iter().map(|e| e.name).collect();
                let hint = format!("there are: {}", names.join(", "));
                Err(Error::Unknown { kind: Kind::Experiment, name: only.into(), hint })
            }
        }
    }

    /// Updates of a published run.
    ///
    /// # Errors
    /// [`Error::Unfit`] if its preset does not say how many there are.
    pub fn published_updates(&self) -> Result<u64> {
        let preset = presets::find(self.preset);
        let table = preset.map(|preset| preset.table()).transpose()?.unwrap_or_default();
        let of_preset = || table.get("training")?.get("updates")?.as_integer()?.try_into().ok();
        let unknown = || Error::Unfit(format!("preset {}: does not say how many updates it has", self.preset));
        self.updates.or_else(of_preset).ok_or_else(unknown)
    }

    /// Whether there are results of it in this folder of results.
    pub fn has_results(&self, out: &Path) -> bool {
        out.join(self.name).join(RESULTS).exists()
    }

    /// Whether its environment is in this build.
    pub fn is_available(&self) -> bool {
        presets::find(self.preset).is_some_and(|preset| preset.missing_feature().is_none())
    }
}
