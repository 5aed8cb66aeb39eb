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
mod say;
mod shutdown;
mod table;
mod terminal;
mod threads;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    exit::decently_where_printing_fails();
    let cli = cli::Cli::parse();
    tracing_subscriber::fmt()
        .with_writer(|| say::Notes)
        .with_ansi(terminal::colours(&std::io::stderr()))
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("STPN_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn")),
        )
        .with_target(false)
        .without_time()
        .init();
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
    let code = result.unwrap_or_else(|error| exit::report(&error));
    say::flush();
    code
}
