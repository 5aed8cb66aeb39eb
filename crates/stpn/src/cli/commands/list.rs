//! `stpn list`.

use std::process::ExitCode;

use anyhow::{Context, Result};
use stpn_agents::config::{RolloutConfig, TrainingConfig};
use stpn_agents::{RunConfig, keys};
use stpn_core::cells::CellName;
use stpn_envs::registry::ENVIRONMENTS;
use toml::Value;

use crate::presets::{self, Sizes};
use crate::progress::thousands;
use crate::table;

/// Runs the command.
pub fn run() -> Result<ExitCode> {
    println!("Presets (stpn train PRESET)");
    let rows: Vec<Vec<String>> = presets::all()
        .into_iter()
        .map(|preset| {
            // From the table alone: the environment may not be in this program.
            let table = preset.table()?;
            let number = |key: &str, default: u64| {
                keys::get(&table, key).and_then(Value::as_integer).map_or(default, |number| number as u64)
            };
            let (training, rollout) = (TrainingConfig::default(), RolloutConfig::default());
            let updates = number("training.updates", training.updates);
            let algorithm = table.get("algorithm").and_then(|section| section.get("name")).and_then(Value::as_str);
            let (algorithm, length) = match algorithm {
                Some(name) => {
                    let environments = number("rollout.environments", rollout.environments as u64);
                    let steps = updates * environments * number("rollout.steps", rollout.steps as u64);
                    (name, format!("{} steps", thousands(steps)))
                }
                None => ("supervised", format!("{} epochs", thousands(updates))),
            };
            let summary = match preset.missing_feature() {
                Some(feature) => format!("{} (needs --features {feature})", preset.summary),
                None => preset.summary.into(),
            };
            Ok(vec![preset.name.into(), algorithm.into(), length, summary])
        })
        .collect::<Result<_>>()?;
    table::print(&["name", "algorithm", "length", ""], &rows, &[2]);

    println!("\nEnvironments (--set env.name=…)");
    let rows: Vec<Vec<String>> = ENVIRONMENTS
        .iter()
        .map(|entry| {
            // One whose files are missing takes no other with it.
            let (spaces, remark) = match (entry.default)().make() {
                Ok(env) => (format!("{:#} → {:#}", env.observation_space(), env.action_space()), String::new()),
                Err(error) => ("not available".to_string(), format!(" ({error})")),
            };
            vec![entry.name.into(), spaces, format!("{}{remark}", entry.summary)]
        })
        .collect();
    table::print(&["name", "observation → action", ""], &rows, &[]);
    println!("and whatever Python's Gymnasium can make: stpn train gym ID");

    println!("\nCells (--cell CELL): units and parameters, heads included, matched for the mazes");
    let maze = presets::find("maze").context("the preset `maze`")?;
    let config = RunConfig::from_table(maze.table()?)?;
    let sizes = Sizes::new(&config)?;
    let reference = sizes.configured()?.parameters;
    let rows: Vec<Vec<String>> = CellName::all()
        .into_iter()
        .map(|name| {
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
