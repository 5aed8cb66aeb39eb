//! Flags that other programs of the field have: what they are here.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use stpn_agents::config::catalogue::by_foreign_name;

/// Those that are no key of a configuration by the same name.
const FLAGS: [(&[&str], &str); 9] = [
    (&["lr"], "`--set optimizer.learning_rate=…`"),
    (&["total-timesteps", "n-timesteps", "timesteps", "num-steps-total"], "`--steps …`"),
    (&["env-id", "env"], "the first argument: a preset, a file, or `gym ID`"),
    (&["algorithm", "algo-name"], "`--algo …`"),
    (&["num-minibatches"], "`--set algorithm.minibatch_size=…`, in steps"),
    (&["device", "cuda", "gpu"], "not there: stpn computes on the CPU, on as many threads as `--threads` says"),
    (&["torch-deterministic"], "not needed: the same seed gives the same bits, on any number of threads"),
    (&["track", "wandb-project-name", "tensorboard-log"], "not needed: every run writes TensorBoard's files"),
    (&["capture-video"], "`stpn play RUN --gif FILE.gif`, after the training"),
];

/// The error of a flag that is not there, with a tip if another program has it.
pub fn with_tip(mut error: clap::Error) -> clap::Error {
    if error.kind() == ErrorKind::UnknownArgument
        && let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg)
        && let Some(tip) = tip(flag)
    {
        // In place of the flag that is spelled most like it.
        error.remove(ContextKind::SuggestedArg);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

fn tip(flag: &str) -> Option<String> {
    let name = flag.trim_start_matches('-').split('=').next()?;
    let here = match FLAGS.iter().find(|(names, _)| names.contains(&name)) {
        Some((_, here)) => (*here).to_string(),
        None => format!("`--set {}=…`", by_foreign_name(&name.replace('-', "_")).into_iter().next()?.1),
    };
    Some(format!("`--{name}` is here {here}"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn flags_of_the_field_were_answered_by_a_list_of_ours() {
        for (flag, here) in [
            ("--num-envs", "--set rollout.environments="),
            ("--n-steps", "--set rollout.steps="),
            ("--learning-rate", "--set optimizer.learning_rate="),
            ("--lr", "--set optimizer.learning_rate="),
            ("--ent-coef", "--set algorithm.entropy_coefficient="),
            ("--total-timesteps", "--steps"),
            ("--device", "CPU"),
        ] {
            let error = Cli::try_parse_from(["stpn", "train", "cartpole", flag, "4"]).unwrap_err();
            let text = with_tip(error).to_string();
            assert!(text.contains(here), "{flag}: {text}");
        }
        let error = Cli::try_parse_from(["stpn", "train", "cartpole", "--hiden", "4"]).unwrap_err();
        assert!(with_tip(error).to_string().contains("--hidden"), "a mistyped flag of ours");
    }
}
