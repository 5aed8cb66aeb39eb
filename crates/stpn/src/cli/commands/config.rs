//! `stpn config`.

use std::process::ExitCode;

use anyhow::Result;
use stpn_agents::RunConfig;
#[cfg(unix)]
use stpn_envs::EnvConfig;
use toml::Table;

use crate::cli::ConfigArguments;
use crate::presets::Sizes;
use crate::{Error, key_reference, overrides, presets, say};

/// What is written if nothing is named: every default.
const SMALLEST: &str = "env = \"cartpole\"\nalgorithm = \"ppo\"\n[policy]\ncell = \"stpn\"\nhidden = 64\n";

/// Runs the command.
pub fn run(arguments: &ConfigArguments) -> Result<ExitCode> {
    let text = if arguments.schema { key_reference::schema()? } else { document(arguments)? };
    say::print(text.trim_end().to_string() + "\n")?;
    Ok(ExitCode::SUCCESS)
}

fn document(arguments: &ConfigArguments) -> Result<String> {
    let mut table: Table = match &arguments.experiment {
        Some(name) => presets::load(name)?.0,
        None => SMALLEST.parse()?,
    };
    let remarks = overrides::apply_all(&mut table, &arguments.overrides)?;
    let name = arguments.experiment.as_deref().unwrap_or("the smallest configuration");
    let placed = |error| presets::placed(error, name, &arguments.overrides);
    let config = RunConfig::from_table(table).map_err(placed)?;
    if let Some(error) = useless(&config) {
        return Err(placed(error).into());
    }
    overrides::warn(&remarks);
    Ok(config.described()?)
}

/// Why training would refuse an option that does nothing with this environment. One that cannot be made here, or runs
/// somebody's Python, is not looked at.
fn useless(config: &RunConfig) -> Option<stpn_agents::Error> {
    #[cfg(unix)]
    if config.agent().is_ok_and(|agent| matches!(agent.env, EnvConfig::Gymnasium(_))) {
        return None;
    }
    match Sizes::new(config).err()? {
        Error::Agents(error @ stpn_agents::Error::Unused { .. }) => Some(error),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets::PRESETS;

    #[test]
    fn every_preset_is_the_same_after_it_was_written_and_read() {
        let readable = PRESETS.iter().filter(|preset| preset.missing_feature().is_none());
        let tables = readable.map(|preset| preset.table().unwrap()).chain([SMALLEST.parse().unwrap()]);
        for table in tables {
            let config = RunConfig::from_table(table).unwrap();
            for text in [config.described().unwrap(), config.to_toml().unwrap()] {
                let read =
                    RunConfig::from_table(text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"))).unwrap();
                assert_eq!(read, config, "{text}");
                let untold: Vec<&str> =
                    ["max_grad_norm", "hidden"].into_iter().filter(|key| !text.contains(key)).collect();
                assert!(untold.is_empty(), "{untold:?}");
            }
        }
    }

    #[test]
    fn a_written_configuration_shows_what_is_not_set() {
        let config = RunConfig::from_table(SMALLEST.parse().unwrap()).unwrap();
        for (text, line) in [
            (config.to_toml().unwrap(), "# clamp is not set\n"),
            (config.to_toml().unwrap(), "# sequence_length is not set\n"),
            (config.to_toml().unwrap(), "max_grad_norm = 0.5\n"),
            (config.described().unwrap(), "# clamp = …  (not set; a number)\n"),
            (config.described().unwrap(), "# Passes over a rollout.\nepochs = 10\n"),
        ] {
            assert!(text.contains(line), "{line:?} in {text}");
        }
    }
}
