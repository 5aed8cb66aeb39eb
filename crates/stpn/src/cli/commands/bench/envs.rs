//! `stpn bench envs`: how many steps a second environments make, and what share of their bare simulator's speed it is.

use std::process::ExitCode;

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::json;
use stpn_envs::popgym::{Level, PopgymConfig, Task};
use stpn_envs::registry::{ENVIRONMENTS, missing_feature};
use stpn_envs::throughput::{self, Comparison, Meter, Throughput, Workload};
use stpn_envs::{EnvConfig, Error};

use super::memory;
use crate::cli::BenchArguments;
use crate::machine::Provenance;
use crate::progress::thousands;
use crate::table;

/// Seconds of one measurement, of which the best of several counts.
const SECONDS: f64 = 0.1;

/// Environments of a soak, unless others are asked for.
const SOAKED: usize = 1_000;

/// MiB by which memory may differ between two moments without having grown.
const TOLERANCE: f64 = 1.0;

/// What was measured of an environment on some threads.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    threads: usize,
    steps_per_second: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    bare_steps_per_second: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    share_of_bare: Option<f64>,
}

/// Runs the command.
pub fn run(arguments: &BenchArguments) -> Result<ExitCode> {
    let most = arguments.threads();
    if let Some(steps) = arguments.soak {
        return soak(&arguments.cases, arguments.environments.unwrap_or(SOAKED), most, steps);
    }
    let provenance = Provenance::here();
    if !arguments.json {
        println!("machine  {}", provenance.line());
    }
    let mut rows = Vec::new();
    for (name, config) in chosen(&arguments.cases)? {
        eprintln!("measuring {name}");
        for threads in if most == 1 { vec![1] } else { vec![1, most] } {
            let comparison = throughput::compare(&config, arguments.environments, threads, arguments.repeats, SECONDS)?;
            let Comparison { steps_per_second, bare_steps_per_second } = comparison;
            let share_of_bare = comparison.share_of_bare();
            rows.push(Row { name: name.clone(), threads, steps_per_second, bare_steps_per_second, share_of_bare });
        }
    }
    if arguments.json {
        println!("{}", json!({ "provenance": provenance, "environments": rows }));
    } else {
        show(&rows);
    }
    Ok(ExitCode::SUCCESS)
}

/// Steps many environments for long, and fails if their memory grows after the first tenth.
fn soak(cases: &[String], environments: usize, threads: usize, steps: u64) -> Result<ExitCode> {
    let default = ["cartpole".to_string()];
    let resident = || memory::resident_mib().context("this system does not tell the memory of a process");
    let mut sound = true;
    for (name, config) in chosen(if cases.is_empty() { &default } else { cases })? {
        let workload = Workload { environments, threads, ..Workload::default() };
        let mut meter = Meter::new(&|_| config.make(), &workload)?;
        meter.steps(steps / 10)?;
        let before = resident()?;
        let Throughput { episodes, seconds, .. } = meter.steps(steps - steps / 10)?;
        let after = resident()?;
        let constant = after - before <= TOLERANCE;
        sound &= constant;
        println!(
            "{name}: {environments} environments, {steps} steps each: {before:.1} MiB after a tenth of them, {after:.1} MiB \
             {seconds:.0} s and {} episodes later: {}",
            thousands(episodes),
            if constant { "constant" } else { "GROWING" },
        );
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The environments of those names; all if there are none. `popgym` is every task at every level.
fn chosen(names: &[String]) -> Result<Vec<(String, EnvConfig)>> {
    let mut all: Vec<(String, EnvConfig)> = Vec::new();
    for entry in ENVIRONMENTS {
        match (entry.default)() {
            // What the paper's agent sees, and the field's standard.
            #[cfg(feature = "atari")]
            EnvConfig::Atari(config) => {
                let deepmind = stpn_envs::atari::AtariConfig::deepmind(&config.game);
                all.push(("pong".into(), EnvConfig::Atari(config)));
                all.push(("pong-deepmind".into(), EnvConfig::Atari(deepmind)));
            }
            config => all.push((entry.name.into(), config)),
        }
    }
    if names.is_empty() {
        return Ok(all);
    }
    let popgym = popgym();
    let find = |name: &String| {
        if name == "popgym" {
            return Ok(popgym.clone());
        }
        if let Some(found) = all.iter().chain(&popgym).find(|(known, _)| known == name) {
            return Ok(vec![found.clone()]);
        }
        let environment = if name.starts_with("pong") { "atari" } else { name.as_str() };
        Err(match missing_feature(environment) {
            Some(feature) => Error::NotBuilt { name: name.clone(), feature },
            None => {
                let known = all.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
                Error::UnknownEnvironment { name: name.clone(), known }
            }
        }
        .into())
    };
    Ok(names.iter().map(find).collect::<Result<Vec<_>>>()?.concat())
}

/// The tasks of POPGym, as `popgym-TASK-LEVEL`.
fn popgym() -> Vec<(String, EnvConfig)> {
    let named = |task: Task, level: Level| {
        let config = PopgymConfig { task, level, ..PopgymConfig::default() };
        (format!("popgym-{}-{}", task.name(), level.name()), EnvConfig::Popgym(config))
    };
    Task::ALL.into_iter().flat_map(|task| Level::ALL.map(|level| named(task, level))).collect()
}

fn show(rows: &[Row]) {
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let one = rows.iter().find(|other| other.name == row.name && other.threads == 1);
            let gain =
                one.map_or_else(String::new, |one| format!("{:.2}", row.steps_per_second / one.steps_per_second));
            let share = row.share_of_bare.map_or_else(String::new, |share| format!("{:.0} %", 100.0 * share));
            vec![row.name.clone(), row.threads.to_string(), speed(row.steps_per_second), gain, share]
        })
        .collect();
    table::print(&["environment", "threads", "steps/s", "gain", "of bare simulator"], &cells, &[1, 2, 3, 4]);
}

fn speed(steps: f64) -> String {
    if steps >= 1e6 { format!("{:.2} M", steps / 1e6) } else { format!("{:.1} k", steps / 1e3) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_environments_of_this_build() {
        assert!(chosen(&[]).unwrap().len() >= ENVIRONMENTS.len());
        assert_eq!(chosen(&["maze".into()]).unwrap()[0].1.name(), "maze");
        assert_eq!(chosen(&["popgym".into()]).unwrap().len(), 48);
        assert_eq!(chosen(&["popgym-autoencode-hard".into()]).unwrap().len(), 1);
        assert!(chosen(&["labyrinth".into()]).unwrap_err().to_string().contains("cartpole"));
    }

    #[test]
    fn a_soak_is_of_the_environments_named() {
        assert_eq!(soak(&["memory".into()], 10, 1, 20).unwrap(), ExitCode::SUCCESS);
        assert!(soak(&["labyrinth".into()], 10, 1, 20).is_err());
    }
}
