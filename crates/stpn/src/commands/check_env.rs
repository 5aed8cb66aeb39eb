//! `stpn check-env`.

use std::process::ExitCode;

use anyhow::Result;
use serde::Deserialize;
use stpn_agents::Error;
use stpn_envs::EnvConfig;
use stpn_envs::check_env::{CheckOptions, check_env_with};
use toml::Table;

use crate::cli::CheckEnvArguments;
use crate::exit::UsageError;
use crate::overrides;

/// The part of a configuration that this command takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    env: EnvConfig,
}

/// Runs the command.
pub fn run(arguments: &CheckEnvArguments) -> Result<ExitCode> {
    let config = config(arguments)?;
    let options = CheckOptions { steps: arguments.steps, seed: arguments.seed };
    let report = check_env_with(|| config.make(), options).map_err(Error::from)?;
    print!("{report}");
    Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn config(arguments: &CheckEnvArguments) -> Result<EnvConfig> {
    // Asked by name first: the answer to an unknown one is clearer.
    EnvConfig::from_name(&arguments.name).map_err(|error| UsageError(error.to_string()))?;
    let mut table = Table::new();
    overrides::apply(&mut table, &format!("env.name={}", arguments.name))?;
    for assignment in &arguments.overrides {
        overrides::apply(&mut table, assignment)?;
    }
    let config: Config = table.try_into().map_err(|error| UsageError(error.to_string()))?;
    Ok(config.env)
}
