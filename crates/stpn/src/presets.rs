//! The experiments that ship: a TOML file each, and the cell sizes of their comparison.

use anyhow::{Context, Result};
use candle_core::{DType, Device};
use stpn_agents::ActorCritic;
use stpn_agents::policy::PolicyConfig;
use stpn_core::cells::{CellName, NormalizeState};
use stpn_core::CellConfig;
use stpn_envs::{EnvConfig, Space};
use toml::Table;

use crate::exit::UsageError;

/// An experiment that ships with its settings.
pub struct Preset {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is, in one line.
    pub summary: &'static str,
    text: &'static str,
    sizes: &'static [(CellName, usize)],
    adapt: fn(&mut CellConfig),
}

/// Sizes of the published maze comparison, matched in parameters.
const MAZE_SIZES: &[(CellName, usize)] = &[
    (CellName::Stpn, 55),
    (CellName::Lstm, 47),
    (CellName::Rnn, 100),
    (CellName::Backpropamine, 73),
    (CellName::StpnScalar, 55),
    (CellName::Stpnf, 76),
    (CellName::StpnfScalar, 181),
    (CellName::HebbFf, 181),
];

/// Every preset, in the order in which they are listed.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "maze-small",
        summary: "9×9 maze, 64 in parallel, 100 steps: learns within minutes",
        text: include_str!("../presets/maze-small.toml"),
        sizes: MAZE_SIZES,
        adapt: maze_cell,
    },
    Preset {
        name: "maze",
        summary: "the paper's maze: 13×13, 512 in parallel, 200 steps",
        text: include_str!("../presets/maze.toml"),
        sizes: MAZE_SIZES,
        adapt: maze_cell,
    },
];

/// The published maze runs normalise the fast weights after the update and clamp them at 1.
fn maze_cell(cell: &mut CellConfig) {
    if let CellConfig::Stpn(options) = cell {
        options.normalize_state = NormalizeState::After;
        options.clamp = Some(1.0);
    }
}

/// The preset or file that `name` names, as a table.
pub fn load(name: &str) -> Result<(Table, Option<&'static Preset>)> {
    if let Some(preset) = PRESETS.iter().find(|preset| preset.name == name) {
        return Ok((preset.table()?, Some(preset)));
    }
    if !name.ends_with(".toml") {
        let known: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
        let problem = format!("no preset `{name}`; there are: {}; or give a file.toml", known.join(", "));
        return Err(UsageError(problem).into());
    }
    let text = std::fs::read_to_string(name).with_context(|| format!("cannot read {name}"))?;
    let table = text.parse().map_err(|error: toml::de::Error| UsageError(format!("{name}: {error}")))?;
    Ok((table, None))
}

impl Preset {
    /// Its configuration.
    pub fn table(&self) -> Result<Table> {
        self.text.parse().with_context(|| format!("preset {}", self.name))
    }

    /// Its version of a cell.
    pub fn cell(&self, name: CellName) -> CellConfig {
        let mut config = name.config();
        (self.adapt)(&mut config);
        config
    }

    /// Its published size of a cell; none where the paper has none.
    pub fn published_size(&self, name: CellName) -> Option<usize> {
        self.sizes.iter().find(|(known, _)| *known == name).map(|(_, size)| *size)
    }
}

/// Trainable parameters of a policy on these spaces.
pub fn parameter_count(cell: &CellConfig, hidden: usize, observations: &Space, actions: &Space) -> Result<usize> {
    let config = PolicyConfig::new(cell.clone(), hidden);
    let policy = ActorCritic::new(&config, observations, actions, 0, DType::F32, &Device::Cpu)?;
    Ok(policy.parameters().count())
}

/// The size of `cell` whose policy has closest to `target` parameters.
pub fn matched_size(cell: &CellConfig, target: usize, env: &EnvConfig) -> Result<usize> {
    let env = env.make().map_err(stpn_agents::Error::from)?;
    let count = |hidden| parameter_count(cell, hidden, env.observation_space(), env.action_space());
    let (mut low, mut high) = (1, 2);
    while count(high)? < target {
        (low, high) = (high, high * 2);
    }
    while high - low > 1 {
        let middle = low.midpoint(high);
        if count(middle)? < target { low = middle } else { high = middle }
    }
    Ok(if count(low)?.abs_diff(target) <= count(high)?.abs_diff(target) { low } else { high })
}
