//! Flags that other programs of the field have, and keys of a configuration that are no flags: what they are here.

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use stpn_agents::config::catalogue::{by_foreign_name, catalogue};

use super::arguments::Cli;

/// A flag's names elsewhere, the option that does the same here, and what is said where a command has that option.
type Flag = (&'static [&'static str], &'static str, &'static str);

/// Those that are no key of a configuration by the same name. What needs no option is said everywhere.
const FLAGS: [Flag; 9] = [
    (&["lr"], "set", "write `--set optimizer.learning_rate=…`"),
    (&["total-timesteps", "n-timesteps", "timesteps", "num-steps-total"], "steps", "write `--steps …`"),
    (&["env-id", "env"], "algo", "the environment is the first argument: a preset, a file, or `gym ID`"),
    (&["algorithm", "algo-name"], "algo", "write `--algo …`"),
    (&["num-minibatches"], "set", "write `--set algorithm.minibatch_size=…`, which is in steps"),
    (&["device", "cuda", "gpu"], "", "stpn computes on the CPU, on as many threads as `--threads` says"),
    (&["torch-deterministic"], "", "nothing is needed: the same seed gives the same bits, on any number of threads"),
    (
        &["track", "wandb-project-name", "tensorboard-log"],
        "",
        "nothing is needed: every run writes TensorBoard's files",
    ),
    (&["capture-video"], "algo", "after the training, `stpn play RUN --gif FILE.gif` makes a picture that moves"),
];

/// The error of a flag that is not there, with a tip if another program has it, or a configuration has such a key.
pub fn with_tip(mut error: clap::Error, words: &[String]) -> clap::Error {
    if error.kind() == ErrorKind::UnknownArgument
        && let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg)
        && let Some(tip) = tip(flag, words)
    {
        // In place of the flag that is spelled most like it, and of all that there are.
        error.remove(ContextKind::SuggestedArg);
        error.remove(ContextKind::Usage);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

fn tip(flag: &str, words: &[String]) -> Option<String> {
    let cli = Cli::command();
    let command = words.iter().find_map(|word| cli.find_subcommand(word))?;
    let has = |option: &str| option.is_empty() || command.get_arguments().any(|a| a.get_long() == Some(option));
    let name = flag.trim_start_matches('-').split('=').next()?;
    let said = match FLAGS.iter().find(|(names, ..)| names.contains(&name)) {
        Some((_, option, said)) => has(option).then(|| (*said).to_string()),
        None => has("set").then(|| key(name)).flatten().map(|key| format!("write `--set {key}=…`")),
    };
    said.map(|said| format!("there is no `--{name}` here: {said}"))
}

/// The key that a flag would set: what another library calls so, else our own of that name.
fn key(name: &str) -> Option<String> {
    let name = name.replace('-', "_");
    let own = || catalogue().into_iter().find(|entry| entry.key.name == name || entry.path == name);
    by_foreign_name(&name).into_iter().next().map(|(_, path)| path).or_else(|| own().map(|entry| entry.path))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    /// What is said of a line with a flag that is not there.
    fn said(line: &str) -> String {
        let words: Vec<String> = line.split(' ').map(String::from).collect();
        let error = Cli::try_parse_from(&words).unwrap_err();
        with_tip(error, &words).to_string()
    }

    #[test]
    fn flags_of_the_field_were_answered_by_a_list_of_ours() {
        for (flag, here) in [
            ("--num-envs", "--set rollout.environments="),
            ("--n-steps", "--set rollout.steps="),
            ("--learning-rate", "--set optimizer.learning_rate="),
            ("--lr", "--set optimizer.learning_rate="),
            ("--ent-coef", "--set algorithm.entropy_coefficient="),
            ("--entropy-coefficient", "--set algorithm.entropy_coefficient="),
            ("--max-grad-norm", "--set optimizer.max_grad_norm="),
            ("--total-timesteps", "--steps"),
            ("--device", "CPU"),
        ] {
            let text = said(&format!("stpn train cartpole {flag} 4"));
            assert!(text.contains(here) && !text.contains("Usage"), "{flag}: {text}");
        }
        assert!(said("stpn train cartpole --hiden 4").contains("--hidden"), "a mistyped flag of ours");
    }

    #[test]
    fn commands_were_told_of_options_that_they_do_not_have() {
        for line in ["stpn eval RUN --lr 4", "stpn play RUN --total-timesteps 4", "stpn list --gamma 4"] {
            let text = said(line);
            assert!(!text.contains("--set") && !text.contains("--steps"), "{line}: {text}");
        }
        assert!(said("stpn compare maze --lr 4").contains("--set optimizer.learning_rate="));
    }
}
