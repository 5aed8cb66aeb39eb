//! Flags that other programs of the field have, and keys of a configuration that are no flags: what they are here.

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use stpn_agents::config::catalogue::{by_foreign_name, catalogue};

use super::arguments::Cli;

/// A flag's names, and what is said of it where a command has an option; the first that it has counts, and every
/// command has the option of no name.
type Flag = (&'static [&'static str], &'static [(&'static str, &'static str)]);

/// Those that are no key of a configuration by the same name.
const FLAGS: [Flag; 17] = [
    (&["lr"], &[("set", "write `--set optimizer.learning_rate=…`")]),
    (&["anneal-lr"], &[("set", "write `--set optimizer.learning_rate={ initial = 1e-3, last = 0.0 }`")]),
    (
        &["total-timesteps", "n-timesteps", "timesteps", "num-steps-total", "steps"],
        &[
            ("steps", "write `--steps …`"),
            ("updates", "write `--updates …`; an update is rollout.environments × rollout.steps environment steps"),
        ],
    ),
    (
        &["seed"],
        &[
            ("seeds", "write `--seeds N`, which takes seeds 1 to N"),
            ("episode-seed", "write `--episode-seed …`"),
            ("grace", "a run keeps its seed; `stpn train … --seed …` starts another run"),
        ],
    ),
    (
        &["n-eval-episodes", "eval-episodes", "num-episodes", "n-episodes"],
        &[("episodes", "write `--episodes …`"), ("set", "write `--set evaluation.episodes=…`")],
    ),
    (&["eval-freq", "eval-every"], &[("set", "write `--set evaluation.every=…`, in updates")]),
    (
        &["exp-name", "run-name", "name", "output", "output-dir", "log-dir", "logdir", "save-path"],
        &[("run-dir", "write `--run-dir DIR`"), ("out", "write `--out …`")],
    ),
    (&["save-model"], &[("set", "nothing is needed: every run writes checkpoints, every `checkpoint.every` updates")]),
    (&["save-freq"], &[("set", "write `--set checkpoint.every=…`, in updates")]),
    (&["verbose"], &[("", "progress is shown without it")]),
    (&["env-id", "env"], &[("algo", "the environment is the first argument: a preset, a file, or `gym ID`")]),
    (&["algorithm", "algo-name"], &[("algo", "write `--algo …`")]),
    (&["num-minibatches"], &[("set", "write `--set algorithm.minibatch_size=…`, which is in steps")]),
    (
        &["device", "cuda", "gpu"],
        &[
            ("device", "write `--device cuda`, in a program that is built with the feature `cuda`"),
            ("set", "write `--set training.device=cuda`, in a program that is built with the feature `cuda`"),
            ("", "this runs on the CPU, on as many threads as `--threads` says"),
        ],
    ),
    (
        &["torch-deterministic"],
        &[("", "nothing is needed: the same seed gives the same bits, on any number of threads")],
    ),
    (
        &["track", "wandb-project-name", "tensorboard-log"],
        &[("", "nothing is needed: every run writes TensorBoard's files")],
    ),
    (&["capture-video"], &[("algo", "after the training, `stpn play RUN --gif FILE.gif` writes an animated GIF")]),
];

/// What a flag or key that other programs have is here; none if nothing is known of it. `has` tells which options there
/// are.
pub fn elsewhere(name: &str, has: impl Fn(&str) -> bool) -> Option<&'static str> {
    let (_, ways) = FLAGS.iter().find(|(names, _)| names.contains(&name))?;
    ways.iter().find(|(option, _)| option.is_empty() || has(option)).map(|(_, said)| *said)
}

/// The error of a flag that is not there, with a tip if another program has it, or a configuration has such a key.
pub fn with_tip(mut error: clap::Error, words: &[String]) -> clap::Error {
    if error.kind() == ErrorKind::UnknownArgument
        && let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg)
        && flag.starts_with("--")
    {
        let tip = tip(flag, words);
        // That it might be meant as a value helps nobody.
        error.remove(ContextKind::Suggested);
        if let Some(tip) = tip {
            // In place of the flag that is spelled most like it, and of all that there are.
            error.remove(ContextKind::SuggestedArg);
            error.remove(ContextKind::Usage);
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
        }
    }
    error
}

fn tip(flag: &str, words: &[String]) -> Option<String> {
    let cli = Cli::command();
    let command = words.iter().find_map(|word| cli.find_subcommand(word))?;
    let find = |option: &str| command.get_arguments().find(|argument| argument.get_long() == Some(option));
    // Commands that change the environment alone say so by the name of the value.
    let env_alone = find("set").and_then(|set| set.get_value_names()).is_some_and(|names| names[0].starts_with("env."));
    let has = |option: &str| find(option).is_some() && !(option == "set" && env_alone);
    let name = flag.trim_start_matches('-').split('=').next()?;
    let said = match FLAGS.iter().any(|(names, _)| names.contains(&name)) {
        true => elsewhere(name, has).map(String::from),
        false => key(name)
            .filter(|key| has("set") || (env_alone && key.starts_with("env.")))
            .map(|key| format!("write `--set {key}=…`")),
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
            ("--cuda", "--device cuda"),
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
        assert!(said("stpn eval RUN --episode-length 4").contains("--set env.episode_length="));
    }

    #[test]
    fn tips_were_those_of_train_whatever_the_command() {
        for (line, here) in [
            ("stpn resume RUN --steps 4", "--updates"),
            ("stpn resume RUN --total-timesteps 4", "--updates"),
            ("stpn resume RUN --seed 4", "starts another run"),
            ("stpn compare maze --seed 4", "--seeds N"),
            ("stpn compare maze --total-timesteps 4", "--updates"),
            ("stpn eval RUN --n-eval-episodes 4", "--episodes"),
            ("stpn play RUN --seed 4", "--episode-seed"),
            ("stpn play RUN --device 4", "CPU"),
            ("stpn eval RUN --gpu 4", "--device cuda"),
            ("stpn compare maze --device 4", "--set training.device=cuda"),
            ("stpn train cartpole --exp-name mine", "--run-dir DIR"),
            ("stpn train cartpole --anneal-lr", "learning_rate={ initial"),
        ] {
            let text = said(line);
            assert!(text.contains(here) && !text.contains("rollout.steps=…"), "{line}: {text}");
        }
        for line in ["stpn train cartpole --frobnicate", "stpn list --frobnicate"] {
            assert!(!said(line).contains("as a value"), "{line}");
        }
    }
}
