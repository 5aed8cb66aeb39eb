//! Exit codes.

use std::io::ErrorKind;
use std::process::ExitCode;

use crate::error::{Kind, Place};
use crate::program::words::shown;
use crate::{Error, say};

/// Text of the codes for `--help`.
pub const HELP: &str = "Exit codes:
  0    done
  1    an environment, a file, a device or the system failed
  2    the command line or the configuration is wrong
  3    a run directory or checkpoint cannot be used
  4    a loss, gradient or parameter stopped being finite
  130  interrupted (Ctrl-C, a signal): the update was finished or given up, and a checkpoint written";

/// The command line or the configuration is wrong.
pub const REFUSED: u8 = 2;

/// A loss, a gradient or a parameter stopped being finite.
pub const NOT_FINITE: u8 = 4;

/// The run was interrupted and can be resumed.
pub const INTERRUPTED: u8 = 130;

/// What a shell calls the end of a program whose reader went away.
const READER_GONE: i32 = 141;

/// Ends without a panic's report if printing fails: quietly if the reader has gone away, as in `stpn list | head`, and
/// with the reason if the disk is full.
pub fn decently_where_printing_fails() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload().downcast_ref::<String>();
        match text.filter(|text| text.starts_with("failed printing to")) {
            Some(text) if text.contains("Broken pipe") => std::process::exit(READER_GONE),
            Some(text) => {
                say::note(format!("error: {text}"));
                say::flush();
                std::process::exit(1)
            }
            None => default(panic),
        }
    }));
}

/// Says an error on stderr and picks the exit code for it.
pub fn report(error: &anyhow::Error) -> ExitCode {
    match error.downcast_ref() {
        Some(Error::Interrupted) => say::note("interrupted; the same command continues"),
        // As where printing panics: whoever read has gone away, as in `stpn config | head`.
        Some(Error::Output(source)) if source.kind() == ErrorKind::BrokenPipe => {
            std::process::exit(READER_GONE);
        }
        _ => say::note(format!("error: {}", message(error))),
    }
    ExitCode::from(code(error))
}

/// What went wrong and why; errors that say their cause themselves do not say it twice.
pub fn message(error: &anyhow::Error) -> String {
    let flag = error.downcast_ref().and_then(flag).unwrap_or_default();
    let message =
        error.chain().map(ToString::to_string).fold(flag.to_string(), |message, cause| match message.as_str() {
            said if said == flag => format!("{flag}{cause}"),
            said if said.ends_with(&cause) => message,
            said => format!("{said}: {cause}"),
        });
    match hint(error) {
        Some(hint) => format!("{message}; {hint}"),
        None => message,
    }
}

/// What a library says of an error, with what to do about it on the command line.
pub fn with_hint(said: String, error: Option<Error>) -> String {
    match error.and_then(|error| hint(&error.into())) {
        Some(hint) => format!("{said}; {hint}"),
        None => said,
    }
}

/// The option that asked for what is refused.
fn flag(error: &Error) -> Option<&'static str> {
    Some(match error {
        Error::Assignment { .. } | Error::Placed { place: Place::Assignment(_), .. } => "--set ",
        Error::Placed { place: Place::Kernel(_), .. } => "--",
        _ => return None,
    })
}

/// The error of training, evaluating, saving or loading, if it is one.
pub fn of_agents(error: &anyhow::Error) -> Option<&stpn_agents::Error> {
    match error.downcast_ref::<Error>() {
        Some(error) => error.of_agents(),
        None => error.downcast_ref(),
    }
}

/// What to do about it on the command line, of which libraries know nothing.
fn hint(error: &anyhow::Error) -> Option<String> {
    use stpn_agents::Error as Agents;
    match environment(error) {
        Some(stpn_envs::Error::Untrusted { .. }) => {
            let hint = "if you trust who wrote it: --trust-env-code, or name the same by --env-make, --env-import";
            return Some(hint.into());
        }
        Some(stpn_envs::Error::NotBuilt { feature, .. }) => {
            return Some(format!("`cargo xtask setup`, then `cargo build --release --features {feature}`"));
        }
        Some(stpn_envs::Error::Foreign { .. }) => return Some("if you do trust the author: --trust-env-code".into()),
        _ => {}
    }
    match error.downcast_ref() {
        Some(Error::NotBuilt { preset, feature }) => {
            let run = format!("cargo run --release --features {feature} -- train {preset}");
            return Some(format!("`cargo xtask setup`, then `{run}`"));
        }
        Some(Error::UnlikeRun { .. }) => return Some("--out gives another directory, --updates the length".into()),
        Some(Error::Excess(_)) => {
            return Some(
                "--threads sets the threads; with `compare` and `reproduce`, --jobs sets the runs at a time".into(),
            );
        }
        Some(Error::Unknown { kind: Kind::Preset, .. }) => return Some("or give a file.toml".into()),
        _ => {}
    }
    Some(match of_agents(error)? {
        Agents::NotBuilt { feature, .. } => format!("`cargo build --release --features {feature}`, or `--device cpu`"),
        #[cfg(feature = "cuda")]
        Agents::Cuda(_) => "`--device cpu` computes on the processor".into(),
        Agents::Unused { key, .. } => format!("`--set {key}=none` leaves it out"),
        Agents::Config { key, .. } if key == "training.updates" => "`--updates N` gives them".into(),
        Agents::NotFinite { .. } => "`stpn resume RUN --set optimizer.learning_rate=…`".into(),
        Agents::NotSaved { run, .. } => format!("`stpn resume {}`", shown(run)),
        Agents::RunExists { path, .. } => {
            format!("--run-dir gives another, `stpn resume {}` continues this one", shown(path))
        }
        Agents::NoRun { path } => format!("`stpn train … --run-dir {}` starts one there", shown(path)),
        _ => return None,
    })
}

/// The error of an environment, if it is one.
fn environment(error: &anyhow::Error) -> Option<&stpn_envs::Error> {
    match of_agents(error) {
        Some(stpn_agents::Error::Environment(error)) => Some(error),
        _ => error.downcast_ref(),
    }
}

/// The exit code for an error.
pub fn code(error: &anyhow::Error) -> u8 {
    use stpn_agents::Error as Agents;
    use stpn_envs::Error as Env;
    let misnamed = matches!(
        environment(error),
        Some(
            Env::Config { .. }
                | Env::NotBuilt { .. }
                | Env::Unregistered { .. }
                | Env::UnknownEnvironment { .. }
                | Env::Untrusted { .. }
                | Env::Foreign { .. }
        )
    );
    match error.downcast_ref() {
        Some(
            Error::Unknown { .. }
            | Error::Unfit(_)
            | Error::Excess(_)
            | Error::NotBuilt { .. }
            | Error::Assignment { .. }
            | Error::Placed { .. },
        ) => return REFUSED,
        Some(Error::UnlikeRun { .. }) => return 3,
        Some(Error::Interrupted) => return INTERRUPTED,
        _ => {}
    }
    match of_agents(error) {
        _ if misnamed => REFUSED,
        Some(
            Agents::Config { .. }
            | Agents::Unused { .. }
            | Agents::NotBuilt { .. }
            | Agents::Core(stpn_core::Error::Config { .. } | stpn_core::Error::Unregistered { .. }),
        ) => REFUSED,
        Some(
            Agents::Checkpoint { .. }
            | Agents::Format { .. }
            | Agents::RunDirectory { .. }
            | Agents::RunExists { .. }
            | Agents::NoRun { .. },
        ) => 3,
        Some(Agents::NotFinite { .. }) => NOT_FINITE,
        _ if error.is::<UsageError>() => REFUSED,
        _ => 1,
    }
}

/// A wrong command line beyond what the parser sees.
#[derive(Debug)]
pub struct UsageError(pub String);

impl std::fmt::Display for UsageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_named_flags_of_this_command_line() {
        use stpn_agents::Error;
        let path = std::path::PathBuf::from("runs/x");
        let errors = [
            (Error::NoRun { path: path.clone() }, "--run-dir runs/x"),
            (Error::RunExists { path: path.clone(), found: "config.toml".into() }, "stpn resume runs/x"),
            (Error::Unused { key: "evaluation.episodes".into(), problem: "does nothing".into() }, "episodes=none"),
            (Error::config("training.updates", "are epochs here"), "--updates N"),
            (Error::NotBuilt { device: "cuda".into(), feature: "cuda" }, "--features cuda"),
            (
                Error::NotFinite { what: "a loss".into(), update: 3, remedy: "a lower rate".into() },
                "--set optimizer.learning_rate=…",
            ),
        ];
        for (error, hint) in errors {
            let own = error.to_string();
            assert!(!own.contains("--") && !own.contains("stpn "), "{own}");
            // As it is, and within the error of the front door.
            let said = message(&crate::Error::from(error).into());
            assert!(said.starts_with(&own) && said.contains(hint), "{said}");
        }
    }

    #[test]
    fn errors_were_recognised_by_their_words() {
        let assignment = || "policy.hidden=0".to_string();
        let refused = |place| {
            let error = Box::new(stpn_agents::Error::config("policy.hidden", "is 0"));
            Error::Placed { place, error }
        };
        let file = Place::File { path: "mine.toml".into(), line: Some(3) };
        for (error, said, expected) in [
            (refused(Place::Assignment(assignment())), "--set policy.hidden=0: configuration: policy.hidden: is 0", 2),
            (refused(file), "mine.toml, line 3: configuration: policy.hidden: is 0", 2),
            (Error::Assignment { assignment: assignment(), problem: "no".into() }, "--set policy.hidden=0: no", 2),
            (Error::UnlikeRun { path: "runs/x".into(), problem: "other".into() }, "run directory runs/x: other; ", 3),
            (Error::Excess("9 threads".into()), "9 threads; --threads", 2),
            (Error::Interrupted, "interrupted", INTERRUPTED),
        ] {
            let error = anyhow::Error::new(error);
            assert_eq!(code(&error), expected, "{said}");
            assert!(message(&error).starts_with(said), "{}", message(&error));
        }
    }

    #[test]
    fn a_cause_was_printed_twice() {
        let path = std::path::Path::new("/absent");
        let error = std::fs::read(path).map_err(|source| stpn_agents::Error::Io {
            action: "cannot read",
            path: path.into(),
            source,
        });
        let text = message(&anyhow::Error::new(error.unwrap_err()).context("while testing"));
        assert_eq!(text.matches("os error 2").count(), 1, "{text}");
        assert!(text.starts_with("while testing: cannot read /absent"), "{text}");
    }
}
