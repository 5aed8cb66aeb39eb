//! `stpn`: train, resume, evaluate and inspect agents with short-term plasticity neurons.

#![forbid(unsafe_code)]

mod algorithm;
mod cli;
mod commands;
mod comparison;
mod exit;
mod film;
mod machine;
mod overrides;
mod presets;
mod progress;
mod ranks;
mod report;
mod table;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    exit::quietly_without_a_reader();
    let cli = cli::Cli::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("STPN_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn")),
        )
        .with_target(false)
        .without_time()
        .init();
    environments_of_python(&cli);
    let result = match cli.command {
        cli::Command::Train(arguments) => commands::train::run(&arguments),
        cli::Command::Resume(arguments) => commands::resume::run(&arguments),
        cli::Command::Eval(arguments) => commands::eval::run(&arguments),
        cli::Command::Play(arguments) => commands::play::run(&arguments),
        cli::Command::Report(arguments) => commands::report::run(&arguments),
        cli::Command::Export(arguments) => commands::export::run(&arguments),
        cli::Command::Compare(arguments) => commands::compare::run(&arguments),
        cli::Command::Reproduce(arguments) => commands::reproduce::run(&arguments),
        cli::Command::List => commands::list::run(),
        cli::Command::Bench(arguments) => commands::bench::run(&arguments),
        cli::Command::CheckEnv(arguments) => commands::check_env::run(&arguments),
        cli::Command::Doctor => commands::doctor::run(),
    };
    result.unwrap_or_else(|error| exit::report(&error))
}

/// Which Python runs environments, and whether code that a configuration names may be run: what a command reads from a
/// checkpoint may be a stranger's, what the user names or writes to train is the user's own.
#[cfg(unix)]
fn environments_of_python(cli: &cli::Cli) {
    use stpn_envs::gymnasium::{trust_environment_code, use_python};

    if let Some(python) = &cli.python {
        use_python(python);
    }
    let own = matches!(cli.command, cli::Command::Train(_) | cli::Command::Compare(_) | cli::Command::CheckEnv(_));
    if own || cli.trust_env_code {
        trust_environment_code();
    }
}

#[cfg(not(unix))]
fn environments_of_python(_: &cli::Cli) {}
