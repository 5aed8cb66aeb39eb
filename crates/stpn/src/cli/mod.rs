//! The command line: its arguments, and programs of one's own that have it.

pub mod arguments;
mod commands;
mod count;
mod env_code;
pub(crate) mod exit;
pub(crate) mod foreign_flags;

use std::process::ExitCode;

use clap::Parser;
use serde::de::DeserializeOwned;
use stpn_agents::ProcessSettings;
use stpn_core::{Cell, CellParts, Initializer};
use stpn_envs::{Env, custom};

pub use arguments::*;
pub use env_code::EnvCodeArguments;

pub use crate::program::Host;

use crate::{Result, presets, program, say, terminal};

/// The program `stpn`.
pub fn main() -> ExitCode {
    main_with(|_| Ok(()))
}

/// A program with the whole command line and, beside what ships, environments, cells and presets of its own: `register`
/// gets the registry to add them to.
///
/// The process is the command line's from then on: default [`ProcessSettings`] are applied, warnings go to the standard
/// error stream (unless a subscriber of `tracing` is installed already), and interrupts are listened to.
///
/// ```no_run
/// use stpn::envs::maze::{Maze, MazeConfig};
///
/// fn main() -> std::process::ExitCode {
///     stpn::cli::main_with(|registry| {
///         registry.cell("elman", "one that ships, by a name of one's own", stpn::cells::cells::Rnn::new)?;
///         registry.register("tiny", |size: usize| Maze::new(MazeConfig { size, ..MazeConfig::default() }))?;
///         let tiny = "env = { name = 'custom', id = 'tiny', options = 5 }
///             algorithm = 'ppo'
///             policy = { cell = 'elman', hidden = 16 }";
///         registry.preset("tiny", "a maze of one room", tiny)
///     })
/// }
/// ```
pub fn main_with(register: impl FnOnce(&mut Registry) -> Result<()>) -> ExitCode {
    program::enter();
    exit::decently_where_printing_fails();
    ProcessSettings::default().apply();
    // A process that has the command line inside may run several, and may listen by itself.
    let _ = tracing_subscriber::fmt()
        .with_writer(|| say::Notes)
        .with_ansi(terminal::colours(&std::io::stderr()))
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("STPN_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn")),
        )
        .with_target(false)
        .without_time()
        .try_init();
    let code = run(register).unwrap_or_else(|error| exit::report(&error));
    #[cfg(unix)]
    stpn_envs::gymnasium::close_workers();
    say::flush();
    code
}

/// Registers what a program adds, reads the command line and runs the command.
fn run(register: impl FnOnce(&mut Registry) -> Result<()>) -> anyhow::Result<ExitCode> {
    register(&mut Registry(()))?;
    // Only now: its help lists what was registered.
    let arguments = program::arguments();
    let words: Vec<String> = arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let cli = Cli::try_parse_from(arguments).unwrap_or_else(|error| foreign_flags::with_tip(error, &words).exit());
    environments_of_python(&cli)?;
    match cli.command {
        Command::Train(arguments) => commands::train::run(&arguments),
        Command::Resume(arguments) => commands::resume::run(&arguments),
        Command::Eval(arguments) => commands::eval::run(&arguments),
        Command::Play(arguments) => commands::play::run(&arguments),
        Command::Report(arguments) => commands::report::run(&arguments),
        Command::Export(arguments) => commands::export::run(&arguments),
        Command::Compare(arguments) => commands::compare::run(&arguments),
        Command::Tune(arguments) => commands::tune::run(&arguments),
        Command::Reproduce(arguments) => commands::reproduce::run(&arguments),
        Command::Draw(arguments) => commands::draw::run(&arguments),
        Command::Completions(arguments) => commands::shell::completions(arguments.shell),
        Command::Man => commands::shell::manual(),
        Command::List => commands::list::run(),
        Command::Config(arguments) => commands::config::run(&arguments),
        Command::Explain(arguments) => commands::explain::run(&arguments),
        Command::Bench(arguments) => commands::bench::run(&arguments),
        Command::CheckEnv(arguments) => commands::check_env::run(&arguments),
        Command::Doctor(arguments) => commands::doctor::run(&arguments),
    }
}

/// [`main_with`] inside of another program, which says what it was called with, and how to start it again: `compare` and
/// others run commands in processes of their own. A process has one command line.
pub fn main_in(host: Host, register: impl FnOnce(&mut Registry) -> Result<()>) -> ExitCode {
    host.take_place();
    main_with(register)
}

/// Which Python runs environments, and whether code that a configuration names may be run: what a command reads from a
/// checkpoint may be a stranger's, what is named to train or check is the user's own. What was pickled may always be a
/// stranger's: `train --or-resume` reads it too.
#[cfg(unix)]
fn environments_of_python(cli: &Cli) -> anyhow::Result<()> {
    use stpn_envs::gymnasium::{trust_environment_code, trust_named_code, trust_saved_states, use_python};

    if let Some(python) = &cli.python {
        use_python(python);
    }
    if cli.trust_env_code {
        trust_environment_code();
        trust_saved_states();
    }
    let named = match &cli.command {
        Command::Train(_) | Command::Compare(_) | Command::Tune(_) | Command::CheckEnv(_) => {
            trust_environment_code();
            return Ok(());
        }
        Command::Resume(arguments) => &arguments.code,
        Command::Eval(arguments) => &arguments.code,
        Command::Play(arguments) => &arguments.code,
        Command::Report(arguments) => &arguments.code,
        _ => return Ok(()),
    };
    trust_named_code(named.leave()?);
    Ok(())
}

#[cfg(not(unix))]
fn environments_of_python(_: &Cli) -> anyhow::Result<()> {
    Ok(())
}

/// What a program adds to the command line.
#[derive(Debug)]
pub struct Registry(());

impl Registry {
    /// Adds an environment: `env = { name = "custom", id = "ID", options = … }` in configurations. `make` takes the
    /// options, any type that serde reads, and is called once for every copy of the environment, from several threads.
    ///
    /// # Errors
    /// [`Error::Environment`](stpn_agents::Error::Environment) if the name is taken.
    pub fn register<C, E>(
        &mut self,
        id: &str,
        make: impl Fn(C) -> stpn_envs::Result<E> + Send + Sync + 'static,
    ) -> Result<()>
    where
        C: DeserializeOwned,
        E: Env + 'static,
    {
        Ok(custom::register(id, make)?)
    }

    /// Adds a cell, with a summary of one line: `--cell NAME` on the command line, `policy.cell = { name = "custom", id =
    /// "NAME", options = … }` in configurations. `make` takes the options, any type that serde reads, then parts that
    /// have sizes and no parameters yet, and where initial values come from, as the constructors of the cells that ship
    /// do. Checkpoints of it are read by programs that register it.
    ///
    /// # Errors
    /// [`stpn_core::Error::Config`] if the name is taken.
    pub fn cell<C, T>(
        &mut self,
        name: &str,
        summary: &str,
        make: impl Fn(&C, CellParts, &mut Initializer<'_>) -> stpn_core::Result<T> + Send + Sync + 'static,
    ) -> Result<()>
    where
        C: DeserializeOwned,
        T: Cell + 'static,
    {
        stpn_core::custom::register(name, summary, make).map_err(|error| stpn_agents::Error::from(error).into())
    }

    /// Adds an experiment by name, so that `train NAME` and `compare NAME` take it: a summary of one line, and its
    /// configuration as TOML.
    ///
    /// # Errors
    /// [`Error::Config`](stpn_agents::Error::Config) if the name is taken or the configuration is impossible.
    pub fn preset(&mut self, name: &str, summary: &str, toml: &str) -> Result<()> {
        presets::register(name, summary, toml)
    }
}
