//! The experiments that ship: a TOML file each, and the cell sizes of their comparison.

use anyhow::{Context, Result};
use candle_core::{DType, Device};
use stpn_agents::learner::Trainable;
use stpn_agents::{ActorCritic, RunConfig};
use stpn_core::CellConfig;
use stpn_core::cells::{CellName, NormalizeState};
use stpn_envs::Space;
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

/// Sizes of the published comparison on associative retrieval, matched in parameters.
const ART_SIZES: &[(CellName, usize)] = &[
    (CellName::Stpn, 11),
    (CellName::Lstm, 9),
    (CellName::Rnn, 20),
    (CellName::FastWeights, 20),
    (CellName::Backpropamine, 17),
    (CellName::StpnScalar, 20),
    (CellName::Stpnf, 13),
    (CellName::StpnfScalar, 26),
    (CellName::HebbFf, 26),
];

/// Sizes of the published comparison on familiarity detection, matched in parameters.
const FAMILIARITY_SIZES: &[(CellName, usize)] = &[
    (CellName::Stpn, 27),
    (CellName::StpnScalar, 62),
    (CellName::Stpnf, 34),
    (CellName::StpnfScalar, 100),
    (CellName::HebbFf, 100),
    (CellName::Lstm, 21),
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
    Preset {
        name: "art",
        summary: "the paper's associative retrieval, supervised: which digit came with this letter?",
        text: include_str!("../presets/art.toml"),
        sizes: ART_SIZES,
        adapt: |_| (),
    },
    Preset {
        name: "familiarity",
        summary: "the paper's familiarity detection, supervised: was this vector shown R steps ago?",
        text: include_str!("../presets/familiarity.toml"),
        sizes: FAMILIARITY_SIZES,
        adapt: |_| (),
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

    /// The cells of its published comparison.
    pub fn published_cells(&self) -> impl Iterator<Item = CellName> {
        self.sizes.iter().map(|(cell, _)| *cell)
    }

    /// Its published size of a cell; none where the paper has none.
    pub fn published_size(&self, name: CellName) -> Option<usize> {
        self.sizes.iter().find(|(known, _)| *known == name).map(|(_, size)| *size)
    }
}

/// Counts trainable parameters of an experiment's network, heads included, with cells of any kind and size.
pub struct Sizes<'c> {
    config: &'c RunConfig,
    /// Of observations and actions, where the experiment is an agent's.
    spaces: Option<(Space, Space)>,
}

impl<'c> Sizes<'c> {
    /// Makes an agent's environment once, for its spaces.
    pub fn new(config: &'c RunConfig) -> Result<Self> {
        let spaces = match config {
            RunConfig::Agent(config) => {
                let env = config.env.make().map_err(stpn_agents::Error::from)?;
                Some((env.observation_space().clone(), env.action_space().clone()))
            }
            RunConfig::Supervised(_) => None,
        };
        Ok(Self { config, spaces })
    }

    /// Parameters with `hidden` units of `cell`.
    pub fn count(&self, cell: &CellConfig, hidden: usize) -> Result<usize> {
        let mut config = self.config.clone();
        (config.policy_mut().cell, config.policy_mut().hidden) = (cell.clone(), hidden);
        Ok(match (&config, &self.spaces) {
            (RunConfig::Agent(config), Some((observations, actions))) => {
                let policy = ActorCritic::new(&config.policy, observations, actions, 0, DType::F32, &Device::Cpu)?;
                policy.parameters().count()
            }
            (RunConfig::Supervised(config), _) => config.network()?.parameters().count(),
            (RunConfig::Agent(_), None) => unreachable!("an agent's spaces are known from the beginning"),
        })
    }

    /// Parameters as configured.
    pub fn configured(&self) -> Result<usize> {
        self.count(&self.config.policy().cell, self.config.policy().hidden)
    }

    /// The size of `cell` with closest to `target` parameters.
    pub fn matched(&self, cell: &CellConfig, target: usize) -> Result<usize> {
        let (mut low, mut high) = (1, 2);
        while self.count(cell, high)? < target {
            (low, high) = (high, high * 2);
        }
        while high - low > 1 {
            let middle = low.midpoint(high);
            if self.count(cell, middle)? < target { low = middle } else { high = middle }
        }
        let [below, above] = [self.count(cell, low)?, self.count(cell, high)?];
        Ok(if below.abs_diff(target) <= above.abs_diff(target) { low } else { high })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_those_of_the_published_networks() {
        let published = [
            ("maze", CellName::Stpn, 12_215),
            ("art", CellName::Stpn, 2_039),
            ("art", CellName::Lstm, 2_062),
            ("art", CellName::Rnn, 1_937),
            ("art", CellName::FastWeights, 1_977),
            ("art", CellName::Stpnf, 1_961),
            ("art", CellName::StpnScalar, 1_939),
        ];
        for (name, cell, expected) in published {
            let (table, preset) = load(name).unwrap();
            let (config, preset) = (RunConfig::from_table(table).unwrap(), preset.unwrap());
            let size = preset.published_size(cell).unwrap();
            let count = Sizes::new(&config).unwrap().count(&preset.cell(cell), size).unwrap();
            assert_eq!(count, expected, "{name} {cell}");
        }
    }

    #[test]
    fn supervised_networks_are_matched_in_parameters() {
        let presets = PRESETS.iter().map(|preset| (preset, RunConfig::from_table(preset.table().unwrap()).unwrap()));
        for (preset, config) in presets.filter(|(_, config)| config.agent().is_err()) {
            let sizes = Sizes::new(&config).unwrap();
            let own = sizes.configured().unwrap() as f64;
            for (cell, size) in preset.sizes {
                let share = sizes.count(&preset.cell(*cell), *size).unwrap() as f64 / own;
                assert!((0.85..1.15).contains(&share), "{} {cell}: {share}", preset.name);
            }
        }
    }
}
