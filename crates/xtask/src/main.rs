//! Development tasks. `cargo xtask check` is the one command that CI runs.

#![forbid(unsafe_code)]

mod book;
mod check;
mod circles;
mod deny;
mod links;
mod memcheck;
mod native;
mod packages;
mod phases;
mod python;
mod run;
mod setup;
mod sharing;
mod unsafety;
mod wheel;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask setup    fetches what the native environments are made of, for the features `atari` and `mujoco`
cargo xtask book     builds the book, into `target/book`
cargo xtask memcheck all of the kernels' tests under valgrind
cargo xtask check    format, lints, dependencies, tests, doc tests, documentation, book, valgrind, TensorBoard,
                     package for Python: everything CI runs
cargo xtask wheel    builds and tests the package for Python";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.split_first() {
        Some((task, [])) if task == "setup" => setup::run(),
        Some((task, [])) if task == "book" => python::environment().and_then(|python| book::build(&python)),
        Some((task, [])) if task == "check" => check::run(),
        Some((task, [])) if task == "memcheck" => memcheck::run(),
        Some((task, [])) if task == "wheel" => python::environment().and_then(|python| wheel::check(&python)).map(drop),
        _ => Err(anyhow::anyhow!("which task?\n{USAGE}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
