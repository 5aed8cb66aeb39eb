//! `stpn list`.

use std::process::ExitCode;

use anyhow::Result;
use stpn_agents::RunConfig;
use stpn_core::cells::CellName;
use stpn_envs::registry::ENVIRONMENTS;

use crate::presets::{PRESETS, Sizes};
use crate::progress::thousands;
use crate::table;

/// Runs the command.
pub fn run() -> Result<ExitCode> {
    println!("Presets (stpn train PRESET)");
    let rows: Vec<Vec<String>> = PRESETS
        .iter()
        .map(|preset| {
            let config = RunConfig::from_table(preset.table()?)?;
            let (algorithm, length) = match &config {
                RunConfig::Agent(config) => {
                    let per_update = (config.rollout.environments * config.rollout.steps) as u64;
                    (config.algorithm.name(), format!("{} steps", thousands(config.training.updates * per_update)))
                }
                RunConfig::Supervised(config) => {
                    ("supervised", format!("{} epochs", thousands(config.training.updates)))
                }
            };
            Ok(vec![preset.name.into(), algorithm.into(), length, preset.summary.into()])
        })
        .collect::<Result<_>>()?;
    table::print(&["name", "algorithm", "length", ""], &rows, &[2]);

    println!("\nEnvironments (--set env.name=…)");
    let rows: Vec<Vec<String>> = ENVIRONMENTS
        .iter()
        .map(|entry| {
            let env = (entry.default)().make().map_err(stpn_agents::Error::from)?;
            let spaces = format!("{} → {}", env.observation_space(), env.action_space());
            Ok(vec![entry.name.into(), spaces, entry.summary.into()])
        })
        .collect::<Result<_>>()?;
    table::print(&["name", "observation → action", ""], &rows, &[]);

    println!("\nCells (--cell CELL): units and parameters, heads included, matched for the mazes");
    let maze = &PRESETS[1];
    let config = RunConfig::from_table(maze.table()?)?;
    let sizes = Sizes::new(&config)?;
    let reference = sizes.configured()?;
    let rows: Vec<Vec<String>> = CellName::ALL
        .iter()
        .map(|&name| {
            let cell = maze.cell(name);
            let hidden = match maze.published_size(name) {
                Some(size) => size,
                None => sizes.matched(&cell, reference)?,
            };
            let parameters = thousands(sizes.count(&cell, hidden)? as u64);
            Ok(vec![name.to_string(), hidden.to_string(), parameters, name.description().into()])
        })
        .collect::<Result<_>>()?;
    table::print(&["name", "units", "parameters", ""], &rows, &[1, 2]);
    Ok(ExitCode::SUCCESS)
}
