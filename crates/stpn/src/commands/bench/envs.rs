//! `stpn bench envs`: how many steps a second environments make, and what share of their bare simulator's speed it is.

use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;
use serde_json::json;
use stpn_envs::registry::ENVIRONMENTS;
use stpn_envs::throughput::{self, Comparison};
use stpn_envs::{EnvConfig, Error};

use crate::cli::BenchArguments;
use crate::machine::Provenance;
use crate::table;

/// Seconds of one measurement, of which the best of several counts.
const SECONDS: f64 = 0.1;

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
    let most = match arguments.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    let provenance = Provenance::here();
    if !arguments.json {
        println!("machine  {}", provenance.line());
    }
    let mut rows = Vec::new();
    for (name, config) in chosen(&arguments.cases)? {
        eprintln!("measuring {name}");
        for threads in if most == 1 { vec![1] } else { vec![1, most] } {
            let comparison = throughput::compare(&config, threads, arguments.repeats, SECONDS)?;
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

/// The environments of those names; all where there are none.
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
    let find = |name: &String| {
        let found = all.iter().find(|(known, _)| known == name).cloned();
        let known = || all.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
        found.ok_or_else(|| Error::UnknownEnvironment { name: name.clone(), known: known() }.into())
    };
    names.iter().map(find).collect()
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
        assert!(chosen(&["labyrinth".into()]).unwrap_err().to_string().contains("cartpole"));
    }
}
