//! The words of command lines: those by which this program starts itself again for a run in a process of its own, and
//! those that it shows to be copied.

use std::path::Path;

use stpn_agents::{AgentConfig, RunConfig};
use stpn_envs::EnvConfig;

use crate::Override;
use crate::training_request::TrainingRequest;

/// The words that let another process of this program run the code which a configuration names: that of an experiment
/// which the user named here.
pub fn leave(config: &RunConfig) -> Vec<String> {
    let mut words = named_code(config);
    #[cfg(unix)]
    if let RunConfig::Agent(AgentConfig { env: EnvConfig::Gymnasium(config), .. }) = config {
        // A wrapper is of a module, which the leave is for.
        let of_wrappers = config.wrappers.iter().filter_map(|wrapper| Some(wrapper.split_once(':')?.0.to_string()));
        let modules = config.import.iter().cloned().chain(of_wrappers);
        words.extend(modules.flat_map(|module| ["--env-import".to_string(), module]));
    }
    words
}

/// The words that let somebody run the function of their own that makes the environment.
pub fn named_code(config: &RunConfig) -> Vec<String> {
    #[cfg(unix)]
    if let RunConfig::Agent(AgentConfig { env: EnvConfig::Gymnasium(config), .. }) = config
        && !config.make.is_empty()
    {
        return vec!["--env-make".to_string(), config.make.clone()];
    }
    #[cfg(not(unix))]
    let _ = config;
    Vec::new()
}

/// A path as a word of a command that is shown; see [`quoted`].
pub fn shown(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

/// A word of a command that is shown, in quotation marks if a shell needs them.
pub fn quoted(word: &str) -> String {
    // Only a zero byte cannot be quoted, and no argument has one.
    shlex::try_quote(word).map_or_else(|_| word.to_string(), Into::into)
}

/// The words by which `stpn` trains what is asked for.
pub fn train(request: &TrainingRequest) -> Vec<String> {
    // Every field by its name, so that none is forgotten.
    let TrainingRequest {
        experiment,
        environment,
        level,
        env_make,
        env_import,
        env_kwargs,
        algorithm,
        cell,
        hidden,
        seed,
        updates,
        steps,
        threads,
        device,
        kernel,
        overrides,
    } = request;
    let mut words = vec!["train".to_string(), experiment.clone()];
    words.extend(environment.clone());
    let numbers = [
        ("--hidden", hidden.map(|number| number as u64)),
        ("--seed", *seed),
        ("--updates", *updates),
        ("--steps", *steps),
        ("--threads", threads.map(|number| number as u64)),
    ];
    let texts = [
        ("--level", level.clone()),
        ("--env-make", env_make.clone()),
        ("--env-kwargs", env_kwargs.as_ref().map(|kwargs| serde_json::Value::Object(kwargs.clone()).to_string())),
        ("--algo", algorithm.clone()),
        ("--cell", cell.map(|cell| cell.as_str().to_string())),
        ("--device", device.map(|device| device.to_string())),
        ("--kernel", kernel.clone()),
    ];
    let numbers = numbers.into_iter().map(|(flag, number)| (flag, number.map(|number| number.to_string())));
    for (flag, value) in numbers.chain(texts) {
        words.extend(value.into_iter().flat_map(|value| [flag.to_string(), value]));
    }
    words.extend(env_import.iter().flat_map(|module| ["--env-import".to_string(), module.clone()]));
    words.extend(changes(overrides));
    words
}

/// The words by which keys are changed.
pub fn changes(overrides: &[Override]) -> Vec<String> {
    overrides.iter().flat_map(|assignment| ["--set".to_string(), assignment.to_string()]).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use stpn_agents::config::ComputeDevice;
    use stpn_core::cells::CellName;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn words_that_are_shown_broke_at_spaces() {
        assert_eq!(quoted("/usr/bin/python3"), "/usr/bin/python3");
        assert_eq!(quoted("/my env/bin/python3"), "'/my env/bin/python3'");
    }

    #[test]
    fn words_are_read_as_what_they_were_made_of() {
        let plain = TrainingRequest { experiment: "maze".into(), ..TrainingRequest::default() };
        let full = TrainingRequest {
            experiment: "gym".into(),
            environment: Some("CartPole-v1".into()),
            env_kwargs: serde_json::json!({ "a": [1, "b"] }).as_object().cloned(),
            algorithm: Some("a2c".into()),
            cell: Some(CellName::StpnScalar),
            hidden: Some(7),
            seed: Some(3),
            updates: Some(9),
            threads: Some(2),
            device: Some(ComputeDevice::Cuda(1)),
            kernel: Some("composed".into()),
            overrides: ["rollout.steps=4", "env.id=a b", "log.every=none"].map(|text| text.parse().unwrap()).to_vec(),
            ..TrainingRequest::default()
        };
        let own = TrainingRequest {
            experiment: "gym".into(),
            env_make: Some("my_env.py:make".into()),
            env_import: vec!["one".into(), "two".into()],
            ..TrainingRequest::default()
        };
        let hard = TrainingRequest {
            experiment: "popgym".into(),
            environment: Some("count-recall".into()),
            level: Some("hard".into()),
            ..TrainingRequest::default()
        };
        let steps = TrainingRequest { steps: Some(1000), ..plain.clone() };
        for request in [plain, full, own, hard, steps] {
            let words = std::iter::once("stpn".to_string()).chain(train(&request));
            let Command::Train(arguments) = Cli::try_parse_from(words).unwrap().command else { panic!("it trains") };
            assert_eq!(arguments.request().unwrap(), request);
        }
    }
}
