//! Exit codes.

use std::process::ExitCode;

use crate::say;

/// Text of the codes for `--help`.
pub const HELP: &str = "Exit codes:
  0    done
  1    an environment, a file or the system failed
  2    the command line or the configuration is wrong
  3    a run directory or checkpoint cannot be used
  4    a loss, gradient or parameter stopped being finite
  130  interrupted (Ctrl-C, a signal): the update was finished or given up, and a checkpoint written";

/// The run was interrupted and can be resumed.
pub const INTERRUPTED: u8 = 130;

/// What a shell calls the end of a program whose reader went away.
const READER_GONE: i32 = 141;

/// Ends without a panic's report where printing fails: quietly where whoever reads has gone away, as in
/// `stpn list | head`, and with the reason where the disk is full.
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
    match error.downcast_ref::<Interrupted>() {
        Some(interrupted) => say::note(interrupted.to_string()),
        None => say::note(format!("error: {}", message(error))),
    }
    ExitCode::from(code(error))
}

/// What went wrong and why; errors that say their cause themselves do not say it twice.
pub fn message(error: &anyhow::Error) -> String {
    let message = error.chain().map(ToString::to_string).fold(String::new(), |message, cause| match message.as_str() {
        "" => cause,
        said if said.ends_with(&cause) => message,
        said => format!("{said}: {cause}"),
    });
    match hint(error) {
        Some(hint) => format!("{message}; {hint}"),
        None => message,
    }
}

/// What to do about it on the command line, of which libraries know nothing.
fn hint(error: &anyhow::Error) -> Option<String> {
    use stpn_agents::Error;
    match environment(error) {
        Some(stpn_envs::Error::Untrusted { .. }) => {
            let hint = "if you trust who wrote it: --trust-env-code, or name the same by --env-make, --env-import";
            return Some(hint.into());
        }
        Some(stpn_envs::Error::Foreign { .. }) => return Some("if you do trust the author: --trust-env-code".into()),
        _ => {}
    }
    Some(match error.downcast_ref()? {
        Error::Config { key, problem } if problem.contains("leave this out") => format!("`--set {key}=none` does"),
        Error::Config { key, .. } if key == "training.updates" => "`--updates N` gives them".into(),
        Error::NotFinite { .. } => "`stpn resume RUN --set optimizer.learning_rate=…`".into(),
        Error::NotSaved { run, .. } => format!("`stpn resume {}`", run.display()),
        Error::RunExists { path, .. } => {
            format!("--run-dir gives another, `stpn resume {}` continues this one", path.display())
        }
        Error::RunDirectory { problem, .. } if problem.contains("compare into another directory") => {
            "--out gives another directory, --updates the length".into()
        }
        Error::NoRun { path } => format!("`stpn train … --run-dir {}` starts one there", path.display()),
        _ => return None,
    })
}

/// The error of an environment, if it is one.
fn environment(error: &anyhow::Error) -> Option<&stpn_envs::Error> {
    match error.downcast_ref() {
        Some(stpn_agents::Error::Environment(error)) => Some(error),
        _ => error.downcast_ref(),
    }
}

/// The exit code for an error.
pub fn code(error: &anyhow::Error) -> u8 {
    use stpn_agents::Error;
    use stpn_envs::Error as Env;
    let ours = error.downcast_ref::<Error>();
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
    match ours {
        _ if misnamed => 2,
        Some(Error::Config { .. }) => 2,
        Some(Error::Core(stpn_core::Error::Config { .. })) => 2,
        Some(
            Error::Checkpoint { .. }
            | Error::Format { .. }
            | Error::RunDirectory { .. }
            | Error::RunExists { .. }
            | Error::NoRun { .. },
        ) => 3,
        Some(Error::NotFinite { .. }) => 4,
        _ if error.is::<UsageError>() => 2,
        _ if error.is::<Interrupted>() => INTERRUPTED,
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

/// A command of several runs was asked to end.
#[derive(Debug)]
pub struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted; the same command continues")
    }
}

impl std::error::Error for Interrupted {}

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
            (Error::config("evaluation.episodes", "does nothing: leave this out"), "--set evaluation.episodes=none"),
            (Error::config("training.updates", "are epochs here"), "--updates N"),
            (
                Error::NotFinite { what: "a loss".into(), update: 3, remedy: "a lower rate".into() },
                "--set optimizer.learning_rate=…",
            ),
        ];
        for (error, hint) in errors {
            let own = error.to_string();
            assert!(!own.contains("--") && !own.contains("stpn "), "{own}");
            let said = message(&anyhow::Error::new(error));
            assert!(said.starts_with(&own) && said.contains(hint), "{said}");
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
