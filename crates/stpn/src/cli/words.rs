//! From words of the command line to what is asked for, and back, for the processes that this program starts.

use anyhow::Result;

use super::arguments::TrainArguments;
use crate::asked::Asked;
use crate::cell;
use crate::exit::UsageError;

impl TrainArguments {
    /// Which training.
    ///
    /// # Errors
    /// A usage error for a cell that there is not, and for JSON that is none.
    pub fn asked(&self) -> Result<Asked> {
        let kwargs = |json: &String| {
            serde_json::from_str(json).map_err(|error| UsageError(format!("--env-kwargs {json}: {error}")))
        };
        Ok(Asked {
            experiment: self.experiment.clone(),
            environment: self.game.clone(),
            env_kwargs: self.env_kwargs.as_ref().map(kwargs).transpose()?,
            algorithm: self.algo.clone(),
            cell: self.cell.as_deref().map(cell::parse).transpose()?,
            hidden: self.hidden,
            seed: self.seed,
            updates: self.updates,
            steps: self.steps,
            threads: self.threads,
            kernel: self.kernel.clone(),
            overrides: self.overrides.clone(),
        })
    }
}

/// The words by which `stpn` trains what is asked for.
pub fn train(asked: &Asked) -> Vec<String> {
    let Asked { experiment, environment, env_kwargs, algorithm, cell, kernel, overrides, .. } = asked;
    let mut words = vec!["train".to_string(), experiment.clone()];
    words.extend(environment.clone());
    let numbers = [
        ("--hidden", asked.hidden.map(|number| number as u64)),
        ("--seed", asked.seed),
        ("--updates", asked.updates),
        ("--steps", asked.steps),
        ("--threads", asked.threads.map(|number| number as u64)),
    ];
    let texts = [
        ("--env-kwargs", env_kwargs.as_ref().map(|kwargs| serde_json::Value::Object(kwargs.clone()).to_string())),
        ("--algo", algorithm.clone()),
        ("--cell", cell.map(|cell| cell.as_str().to_string())),
        ("--kernel", kernel.clone()),
    ];
    let numbers = numbers.into_iter().map(|(flag, number)| (flag, number.map(|number| number.to_string())));
    for (flag, value) in numbers.chain(texts) {
        words.extend(value.into_iter().flat_map(|value| [flag.to_string(), value]));
    }
    words.extend(overrides.iter().flat_map(|assignment| ["--set".to_string(), assignment.clone()]));
    words
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use stpn_core::cells::CellName;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn words_are_read_as_what_they_were_made_of() {
        let plain = Asked { experiment: "maze".into(), ..Asked::default() };
        let full = Asked {
            experiment: "gym".into(),
            environment: Some("CartPole-v1".into()),
            env_kwargs: serde_json::json!({ "a": [1, "b"] }).as_object().cloned(),
            algorithm: Some("a2c".into()),
            cell: Some(CellName::StpnScalar),
            hidden: Some(7),
            seed: Some(3),
            updates: Some(9),
            threads: Some(2),
            kernel: Some("composed".into()),
            overrides: vec!["rollout.steps=4".into(), "log.every=1".into()],
            ..Asked::default()
        };
        let steps = Asked { steps: Some(1000), ..plain.clone() };
        for asked in [plain, full, steps] {
            let words = std::iter::once("stpn".to_string()).chain(train(&asked));
            let Command::Train(arguments) = Cli::try_parse_from(words).unwrap().command else { panic!("it trains") };
            assert_eq!(arguments.asked().unwrap(), asked);
        }
    }
}
