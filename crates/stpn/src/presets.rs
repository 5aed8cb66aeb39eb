//! The experiments that ship: a TOML file each, and the cell sizes of their comparison.

mod sizes;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{PoisonError, RwLock};

use anyhow::{Context, Result};
use stpn_agents::config::nearest::did_you_mean;
use stpn_agents::config::normal::normal;
use stpn_agents::{RunConfig, keys};
use stpn_core::CellConfig;
use stpn_core::cells::{CellName, NormalizeState};
use toml::Table;

pub use sizes::Sizes;

use crate::exit::UsageError;
use crate::paths;

/// An experiment with its settings.
#[derive(Debug)]
pub struct Preset {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is, in one line.
    pub summary: &'static str,
    /// The cargo feature that its environment needs, if any.
    pub feature: Option<&'static str>,
    text: &'static str,
    sizes: &'static [(CellName, usize)],
    adapt: fn(&mut CellConfig),
}

/// Units of the cells on control tasks: the published InvertedPendulum comparison has 64 of each.
const CONTROL_SIZES: &[(CellName, usize)] =
    &[(CellName::Stpn, 64), (CellName::Stpnf, 64), (CellName::Lstm, 64), (CellName::Rnn, 64), (CellName::Mlp, 64)];

/// Units of the cells on the delayed-recall task.
const MEMORY_SIZES: &[(CellName, usize)] =
    &[(CellName::Stpn, 32), (CellName::Lstm, 32), (CellName::Rnn, 32), (CellName::Mlp, 32)];

/// Sizes of the published Pong comparison.
const PONG_SIZES: &[(CellName, usize)] = &[(CellName::Stpn, 64), (CellName::Lstm, 48)];

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

/// The presets that ship, in the order in which they are listed.
pub static PRESETS: &[Preset] = &[
    Preset {
        name: "maze-small",
        summary: "9×9 maze, 64 in parallel, 100 steps: learns within minutes",
        feature: None,
        text: include_str!("../presets/maze-small.toml"),
        sizes: MAZE_SIZES,
        adapt: maze_cell,
    },
    Preset {
        name: "maze",
        summary: "the paper's maze: 13×13, 512 in parallel, 200 steps",
        feature: None,
        text: include_str!("../presets/maze.toml"),
        sizes: MAZE_SIZES,
        adapt: maze_cell,
    },
    Preset {
        name: "art",
        summary: "the paper's associative retrieval, supervised: which digit came with this letter?",
        feature: None,
        text: include_str!("../presets/art.toml"),
        sizes: ART_SIZES,
        adapt: |_| (),
    },
    Preset {
        name: "familiarity",
        summary: "the paper's familiarity detection, supervised: was this vector shown R steps ago?",
        feature: None,
        text: include_str!("../presets/familiarity.toml"),
        sizes: FAMILIARITY_SIZES,
        adapt: familiarity_cell,
    },
    Preset {
        name: "cartpole",
        summary: "balance a pole on a cart: a small test of PPO",
        feature: None,
        text: include_str!("../presets/cartpole.toml"),
        sizes: CONTROL_SIZES,
        adapt: |_| (),
    },
    Preset {
        name: "cartpole-masked",
        summary: "the same with velocities hidden: needs memory",
        feature: None,
        text: include_str!("../presets/cartpole-masked.toml"),
        sizes: CONTROL_SIZES,
        adapt: |_| (),
    },
    Preset {
        name: "memory",
        summary: "name a symbol shown eleven steps ago: needs memory",
        feature: None,
        text: include_str!("../presets/memory.toml"),
        sizes: MEMORY_SIZES,
        adapt: |_| (),
    },
    Preset {
        name: "popgym",
        summary: "any task of POPGym, in three levels: stpn train popgym TASK --level hard: needs memory",
        feature: None,
        text: include_str!("../presets/popgym.toml"),
        sizes: &[],
        adapt: |_| (),
    },
    Preset {
        name: "gym",
        summary: "any environment of Python's Gymnasium: stpn train gym ID",
        feature: None,
        text: include_str!("../presets/gym.toml"),
        sizes: CONTROL_SIZES,
        adapt: |_| (),
    },
    Preset {
        name: "lunar-lander",
        summary: "land between the flags (Gymnasium, needs gymnasium[box2d])",
        feature: None,
        text: include_str!("../presets/lunar-lander.toml"),
        sizes: CONTROL_SIZES,
        adapt: |_| (),
    },
    Preset {
        name: "lunar-lander-masked",
        summary: "the same with velocities hidden: needs memory",
        feature: None,
        text: include_str!("../presets/lunar-lander-masked.toml"),
        sizes: CONTROL_SIZES,
        adapt: |_| (),
    },
    Preset {
        name: "minigrid-memory",
        summary: "remember an object, turn towards it (MiniGrid, needs minigrid): needs memory",
        feature: None,
        text: include_str!("../presets/minigrid-memory.toml"),
        sizes: CONTROL_SIZES,
        adapt: |_| (),
    },
    Preset {
        name: "inverted-pendulum",
        summary: "the paper's control task: balance a pole, continuous force",
        feature: Some("mujoco"),
        text: include_str!("../presets/inverted-pendulum.toml"),
        sizes: CONTROL_SIZES,
        adapt: control_cell,
    },
    Preset {
        name: "inverted-pendulum-tuned",
        summary: "the same with rewards normalised: every cell learns it",
        feature: Some("mujoco"),
        text: include_str!("../presets/inverted-pendulum-tuned.toml"),
        sizes: CONTROL_SIZES,
        adapt: control_cell,
    },
    Preset {
        name: "inverted-double-pendulum",
        summary: "balance two poles, one on the other",
        feature: Some("mujoco"),
        text: include_str!("../presets/inverted-double-pendulum.toml"),
        sizes: CONTROL_SIZES,
        adapt: control_cell,
    },
    Preset {
        name: "hopper",
        summary: "hop forward on one leg",
        feature: Some("mujoco"),
        text: include_str!("../presets/hopper.toml"),
        sizes: CONTROL_SIZES,
        adapt: control_cell,
    },
    Preset {
        name: "half-cheetah",
        summary: "run forward on two legs",
        feature: Some("mujoco"),
        text: include_str!("../presets/half-cheetah.toml"),
        sizes: CONTROL_SIZES,
        adapt: control_cell,
    },
    Preset {
        name: "walker2d",
        summary: "walk forward on two legs",
        feature: Some("mujoco"),
        text: include_str!("../presets/walker2d.toml"),
        sizes: CONTROL_SIZES,
        adapt: control_cell,
    },
    Preset {
        name: "ant",
        summary: "walk forward on four legs",
        feature: Some("mujoco"),
        text: include_str!("../presets/ant.toml"),
        sizes: CONTROL_SIZES,
        adapt: control_cell,
    },
    Preset {
        name: "humanoid",
        summary: "walk forward upright",
        feature: Some("mujoco"),
        text: include_str!("../presets/humanoid.toml"),
        sizes: CONTROL_SIZES,
        adapt: control_cell,
    },
    Preset {
        name: "reacher",
        summary: "reach a target with an arm",
        feature: Some("mujoco"),
        text: include_str!("../presets/reacher.toml"),
        sizes: CONTROL_SIZES,
        adapt: control_cell,
    },
    Preset {
        name: "swimmer",
        summary: "swim forward",
        feature: Some("mujoco"),
        text: include_str!("../presets/swimmer.toml"),
        sizes: CONTROL_SIZES,
        adapt: control_cell,
    },
    Preset {
        name: "pusher",
        summary: "push a cylinder to a target",
        feature: Some("mujoco"),
        text: include_str!("../presets/pusher.toml"),
        sizes: CONTROL_SIZES,
        adapt: control_cell,
    },
    Preset {
        name: "pong",
        summary: "the paper's Atari Pong: no frame skip, one frame, A2C",
        feature: Some("atari"),
        text: include_str!("../presets/pong.toml"),
        sizes: PONG_SIZES,
        adapt: |_| (),
    },
    Preset {
        name: "pong-deepmind",
        summary: "Pong behind the standard wrappers of the field",
        feature: Some("atari"),
        text: include_str!("../presets/pong-deepmind.toml"),
        sizes: PONG_SIZES,
        adapt: |_| (),
    },
    Preset {
        name: "atari",
        summary: "any Atari game behind the standard wrappers: stpn train atari GAME",
        feature: Some("atari"),
        text: include_str!("../presets/atari.toml"),
        sizes: PONG_SIZES,
        adapt: |_| (),
    },
];

/// The published InvertedPendulum runs do not normalise and clamp the fast weights at 0.1.
fn control_cell(cell: &mut CellConfig) {
    if let CellConfig::Stpn(options) = cell {
        options.normalize_forward = false;
        options.normalize_state = NormalizeState::None;
        options.clamp = Some(0.1);
        options.bias = true;
    }
}

/// Without a bias a feed-forward STPN is an odd function of its inputs, and an odd function cannot tell a familiar vector:
/// x and −x must give the same answer. The clamp bounds fast weights that decay by a λ near 1 over thousands of steps. Both
/// are our choice.
fn familiarity_cell(cell: &mut CellConfig) {
    if let CellConfig::Stpn(options) = cell
        && !options.recurrent
    {
        options.normalize_forward = false;
        options.clamp = Some(1.0);
        options.bias = true;
    }
}

/// The published maze runs normalise the fast weights after the update and clamp them at 1.
fn maze_cell(cell: &mut CellConfig) {
    if let CellConfig::Stpn(options) = cell {
        options.normalize_state = NormalizeState::After;
        options.clamp = Some(1.0);
    }
}

/// Those that this program has added.
static REGISTERED: RwLock<Vec<&'static Preset>> = RwLock::new(Vec::new());

/// Every preset: those that ship, then those that this program has added.
pub fn all() -> Vec<&'static Preset> {
    let registered = REGISTERED.read().unwrap_or_else(PoisonError::into_inner);
    PRESETS.iter().chain(registered.iter().copied()).collect()
}

/// The preset of that name.
pub fn find(name: &str) -> Option<&'static Preset> {
    all().into_iter().find(|preset| preset.name == name)
}

/// Adds a preset to this process, its environment registered before.
///
/// # Errors
/// [`stpn_agents::Error::Config`] if the name is taken or the configuration is impossible.
pub fn register(name: &str, summary: &str, text: &str) -> stpn_agents::Result<()> {
    let refuse = |problem: String| stpn_agents::Error::config(format!("preset {name}"), problem);
    if find(name).is_some() {
        return Err(refuse("the name is taken by another preset".into()));
    }
    RunConfig::from_table(text.parse().map_err(|error: toml::de::Error| refuse(error.to_string()))?)?;
    // Presets live as long as the process, as those that ship do.
    let kept = |text: &str| -> &'static str { text.to_string().leak() };
    let preset =
        Preset { name: kept(name), summary: kept(summary), feature: None, text: kept(text), sizes: &[], adapt: |_| () };
    REGISTERED.write().unwrap_or_else(PoisonError::into_inner).push(Box::leak(Box::new(preset)));
    Ok(())
}

/// The preset or file that `name` names, as a table.
pub fn load(name: &str) -> Result<(Table, Option<&'static Preset>)> {
    if let Some(preset) = find(name) {
        if let Some(feature) = preset.missing_feature() {
            let problem = format!(
                "the preset `{name}` needs a program built with its environment: `cargo xtask setup`, then `cargo run \
                 --release --features {feature} -- train {name}`"
            );
            return Err(UsageError(problem).into());
        }
        return Ok((preset.table()?, Some(preset)));
    }
    if !name.ends_with(".toml") {
        let known: Vec<&str> = all().iter().map(|preset| preset.name).collect();
        let near = did_you_mean(name, known.iter().copied());
        let problem = format!("no preset `{name}`; {near}there are: {}; or give a file.toml", known.join(", "));
        return Err(UsageError(problem).into());
    }
    let text = std::fs::read_to_string(name).with_context(|| format!("cannot read {name}"))?;
    let mut table = text.parse().map_err(|error: toml::de::Error| UsageError(format!("{name}: {error}")))?;
    normal(&mut table);
    paths::make_absolute(&mut table, paths::folder_of(Path::new(name)))?;
    Ok((table, None))
}

/// An error in the configuration that `name` names, with its line if it is a file, or with the override that made it.
pub fn placed(error: stpn_agents::Error, name: &str, overrides: &[String]) -> anyhow::Error {
    let stpn_agents::Error::Config { key, .. } = &error else { return error.into() };
    let sets = |assignment: &&String| {
        let path = assignment.split('=').next().unwrap_or_default().trim();
        key == path || key.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'))
    };
    if let Some(assignment) = overrides.iter().rev().find(sets) {
        let said = format!("--set {assignment}");
        return anyhow::Error::new(error).context(said);
    }
    if find(name).is_some() {
        return error.into();
    }
    let line = std::fs::read_to_string(name).ok().and_then(|text| keys::line(&text, key));
    let place = line.map_or_else(|| name.to_string(), |line| format!("{name}, line {line}"));
    anyhow::Error::new(error).context(place)
}

impl Preset {
    /// Its configuration, in normal form.
    pub fn table(&self) -> Result<Table> {
        let mut table = self.text.parse().with_context(|| format!("preset {}", self.name))?;
        normal(&mut table);
        Ok(table)
    }

    /// The feature that it needs and this program has not got.
    pub fn missing_feature(&self) -> Option<&'static str> {
        self.feature.filter(|feature| match *feature {
            "mujoco" => !cfg!(feature = "mujoco"),
            "atari" => !cfg!(feature = "atari"),
            _ => true,
        })
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

    /// Its published size of a cell; none if the paper has none.
    pub fn published_size(&self, name: CellName) -> Option<usize> {
        self.sizes.iter().find(|(known, _)| *known == name).map(|(_, size)| *size)
    }
}
