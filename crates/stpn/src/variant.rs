//! The environment of a trained agent with other settings.

use stpn_agents::{AgentConfig, RunConfig};
use stpn_envs::EnvConfig;
use toml::Table;

use crate::{Error, Override, Result, overrides};

/// The environment that an agent was trained in, with some keys changed; it can act there, since spaces are the same.
///
/// # Errors
/// [`Error::Assignment`] for a key outside of `env`; an error of the configuration for an impossible value;
/// [`Error::Unfit`] if the agent would see or choose something else there.
pub fn variant(config: &AgentConfig, changes: &[Override]) -> Result<EnvConfig> {
    if changes.is_empty() {
        return Ok(config.env.clone());
    }
    for change in changes {
        if change.key() != "env" && !change.key().starts_with("env.") {
            let problem = "of a trained agent, only keys of `env` can be changed".into();
            return Err(Error::Assignment { assignment: change.to_string(), problem });
        }
    }
    let whole = RunConfig::Agent(config.clone());
    let mut table = Table::try_from(&whole).map_err(|error| stpn_agents::Error::config("env", error.to_string()))?;
    let remarks = overrides::apply_all(&mut table, changes)?;
    let env = RunConfig::from_table(table)?.agent()?.env.clone();
    let (own, other) = (config.env.make()?, env.make()?);
    for (does, own, other) in [
        ("sees", own.observation_space(), other.observation_space()),
        ("chooses from", own.action_space(), other.action_space()),
    ] {
        if own != other {
            return Err(Error::Unfit(format!("the agent {does} {own}, which would be {other} there")));
        }
    }
    overrides::warn(&remarks);
    Ok(env)
}

#[cfg(test)]
mod tests {
    use stpn_envs::popgym::{Level, PopgymConfig, Task};

    use super::*;
    use crate::TrainingRequest;

    fn on(task: &str, changes: &[&str]) -> Result<EnvConfig> {
        let request = TrainingRequest {
            experiment: "popgym".into(),
            environment: Some(task.into()),
            ..TrainingRequest::default()
        };
        let changes: Vec<Override> = changes.iter().map(|text| text.parse().unwrap()).collect();
        variant(request.configure(1).unwrap().agent().unwrap(), &changes)
    }

    #[test]
    fn another_level_is_the_same_environment_but_for_that() {
        let expected = PopgymConfig::published(Task::RepeatPrevious, Level::Hard);
        assert_eq!(on("repeat-previous", &["env.level=hard"]).unwrap(), EnvConfig::Popgym(expected));
        assert!(on("repeat-previous", &[]).is_ok());
    }

    #[test]
    fn what_an_agent_cannot_act_in_is_refused() {
        let refused = |task: &str, change: &str| on(task, &[change]).unwrap_err().to_string();
        assert!(refused("battleship", "env.level=hard").contains("the agent sees"));
        assert!(refused("repeat-previous", "policy.hidden=3").contains("only keys of `env`"));
        assert!(refused("repeat-previous", "env.level=expert").contains("expert"));
    }
}
