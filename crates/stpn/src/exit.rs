//! Exit codes.

use std::process::ExitCode;

/// Text of the codes for `--help`.
pub const HELP: &str = "Exit codes:
  0    done
  1    an environment, a file or the system failed
  2    the command line or the configuration is wrong
  3    a run directory or checkpoint cannot be used
  4    a loss, gradient or parameter stopped being finite
  130  interrupted (Ctrl-C): the update was finished and a checkpoint written";

/// The run was interrupted and can be resumed.
pub const INTERRUPTED: u8 = 130;

/// What a shell calls the end of a program whose reader went away.
const READER_GONE: i32 = 141;

/// Ends quietly where whoever reads the output has gone away, as in `stpn list | head`: printing panics there.
pub fn quietly_without_a_reader() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload().downcast_ref::<String>();
        if text.is_some_and(|text| text.starts_with("failed printing to") && text.contains("Broken pipe")) {
            std::process::exit(READER_GONE);
        }
        default(panic);
    }));
}

/// Prints an error to stderr and picks the exit code for it.
pub fn report(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {}", message(error));
    ExitCode::from(code(error))
}

/// What went wrong and why; errors that say their cause themselves do not say it twice.
pub fn message(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |message, cause| match message.as_str() {
        "" => cause,
        said if said.ends_with(&cause) => message,
        said => format!("{said}: {cause}"),
    })
}

/// The exit code for an error.
pub fn code(error: &anyhow::Error) -> u8 {
    use stpn_agents::Error;
    use stpn_envs::Error as Env;
    let ours = error.downcast_ref::<Error>();
    let environment = match ours {
        Some(Error::Environment(error)) => Some(error),
        _ => error.downcast_ref::<Env>(),
    };
    let misnamed = matches!(
        environment,
        Some(Env::Config { .. } | Env::NotBuilt { .. } | Env::Unregistered { .. } | Env::UnknownEnvironment { .. })
    );
    match ours {
        _ if misnamed => 2,
        Some(Error::Config { .. }) => 2,
        Some(Error::Core(stpn_core::Error::Config { .. })) => 2,
        Some(Error::Checkpoint { .. } | Error::Format { .. } | Error::RunDirectory { .. }) => 3,
        Some(Error::NotFinite { .. }) => 4,
        _ if error.is::<UsageError>() => 2,
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
