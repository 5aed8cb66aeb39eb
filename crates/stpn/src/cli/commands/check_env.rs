//! `stpn check-env`.

use std::process::ExitCode;

use anyhow::Result;
use stpn_agents::Error;
use stpn_agents::config::{environment, nearest::did_you_mean};
use stpn_envs::EnvConfig;
use stpn_envs::check_env::{CheckOptions, check_env_with};
use stpn_envs::registry::ENVIRONMENTS;
use stpn_envs::throughput::{Workload, measure};
use toml::Table;

use crate::cli::CheckEnvArguments;
use crate::cli::exit::{self, UsageError};
use crate::progress::thousands;
use crate::{Override, overrides, presets};

/// For how long speeds are measured, in seconds.
const SECONDS: f64 = 2.0;

/// Runs the command.
pub fn run(arguments: &CheckEnvArguments) -> Result<ExitCode> {
    let config = config(arguments)?;
    let options = CheckOptions { steps: arguments.steps, seed: arguments.seed };
    let report = check_env_with(|| config.make(), options).map_err(Error::from)?;
    print!("{report}");
    let mut passed = report.passed();
    #[cfg(unix)]
    if let EnvConfig::Gymnasium(config) = &config {
        passed &= of_gymnasium(config)?;
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is to be said of an environment of Gymnasium beside that; whether it passes Gymnasium's own check.
#[cfg(unix)]
fn of_gymnasium(config: &stpn_envs::gymnasium::GymnasiumConfig) -> Result<bool> {
    use stpn_envs::gymnasium::Saving;

    let env = config.make_whole().map_err(Error::from)?;
    let check = env.check(SECONDS).map_err(Error::from)?;
    println!("{}", check.versions);
    match &check.problem {
        None => println!("  ok      Gymnasium's own check_env"),
        Some(problem) => println!("  FAILED  Gymnasium's own check_env: {problem}"),
    }
    check.warnings.iter().for_each(|warning| println!("  warns   {warning}"));
    println!(
        "saved by {}",
        match env.saving() {
            Saving::Hooks => "its own get_state and set_state: runs resume exactly",
            Saving::Pickle => "pickle: runs resume exactly",
            Saving::Replay => "playing its episode again from the seed: runs resume exactly, episodes have seeds",
            Saving::None => "nothing that works, and it does not repeat itself: a resumed run starts new episodes",
        }
    );
    let one = Workload { environments: 1, group_size: 1, threads: 1, seconds: SECONDS };
    let threads = rayon::current_num_threads();
    let many = Workload { environments: 16 * threads, group_size: 16, threads, seconds: SECONDS };
    let through = |workload: &Workload| measure(&|_| config.make(), workload).map_err(Error::from);
    let speed = |speed: f64| thousands(speed as u64);
    println!("steps per second: {} in a Python process by itself", speed(check.steps_per_second));
    println!("                  {} through us, one environment", speed(through(&one)?.steps_per_second()));
    println!(
        "                  {} through us, {} environments",
        speed(through(&many)?.steps_per_second()),
        16 * threads
    );
    Ok(check.problem.is_none())
}

fn config(arguments: &CheckEnvArguments) -> Result<EnvConfig> {
    let mut table = Table::new();
    match (arguments.name.as_str(), &arguments.id) {
        ("gym", id) => {
            overrides::apply(&mut table, &Override::new("env.name", "gymnasium")?)?;
            arguments.code.apply(&mut table);
            if let Some(id) = id {
                overrides::apply(&mut table, &Override::new("env.id", id.as_str())?)?;
            }
        }
        (name, None) => {
            arguments.code.apply(&mut table);
            // By name first: the answer to an unknown one is clearer.
            let near = || did_you_mean(name, ENVIRONMENTS.iter().map(|entry| entry.name));
            let refused =
                |error: stpn_envs::Error| UsageError(exit::with_hint(format!("{}{error}", near()), Some(error.into())));
            match EnvConfig::from_name(name).map_err(refused)? {
                EnvConfig::Custom(custom) => {
                    overrides::apply(&mut table, &Override::new("env.name", "custom")?)?;
                    overrides::apply(&mut table, &Override::new("env.id", custom.id)?)?;
                }
                _ => drop(overrides::apply(&mut table, &Override::new("env.name", name)?)?),
            }
        }
        (_, Some(id)) => return Err(UsageError(format!("`{id}`: only `gym` takes the name of an environment")).into()),
    }
    let remarks = overrides::apply_all(&mut table, &arguments.overrides)?;
    let config = environment(table).map_err(|error| presets::placed(error, &arguments.name, &arguments.overrides))?;
    overrides::warn(&remarks);
    Ok(config)
}
