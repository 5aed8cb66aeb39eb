//! The command line: the subcommands here, their arguments by what they are about.

mod configuration;
mod experiments;
mod program;
mod running;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub use configuration::*;
pub use experiments::*;
pub use program::*;
pub use running::*;

use crate::cli::exit;

/// Reinforcement learning with short-term plasticity neurons.
///
/// Start with `stpn train maze-small`: an agent with plastic synapses learns to explore a maze, find a hidden goal and
/// return to it, within minutes on a laptop.
#[derive(Debug, Parser)]
#[command(version, after_long_help = exit::HELP)]
pub struct Cli {
    /// The Python that runs environments of Gymnasium [default: STPN_PYTHON, that of the active virtual environment, or
    /// python3].
    #[arg(long, global = true, value_name = "PATH")]
    pub python: Option<PathBuf>,
    /// Run Python code that a checkpoint brings along: what its configuration names (`env.make`, `env.import`,
    /// `env.wrappers`), and pickled environments in it. Give this only if you trust its author.
    #[arg(long, global = true)]
    pub trust_env_code: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train an agent from a preset or a configuration file.
    Train(TrainArguments),
    /// Continue a run exactly from its last checkpoint.
    Resume(ResumeArguments),
    /// Measure a trained agent on fresh episodes, or a network on the test data of its task.
    Eval(EvalArguments),
    /// Watch an episode of a trained agent, in the terminal or as an animated picture.
    Play(PlayArguments),
    /// Draw runs: learning curves, energy, learned plasticity and an episode, on one HTML page.
    Report(ReportArguments),
    /// Write a trained agent without what only training needs, to pass it on.
    Export(ExportArguments),
    /// Train several cells of matched size over several seeds and tabulate what they reach.
    Compare(CompareArguments),
    /// Search for settings that learn better: start many short trainings, and continue only the best.
    Tune(TuneArguments),
    /// Run the paper's experiments and write their tables.
    Reproduce(ReproduceArguments),
    /// List presets, environments and cells.
    List,
    /// Print a whole configuration with every key described, or the JSON Schema of configurations for editors.
    Config(ConfigArguments),
    /// Say what a key of a configuration is for, what it may hold, its default, and its name elsewhere.
    Explain(ExplainArguments),
    /// Measure how fast this machine trains, and what share of its limits that is.
    Bench(BenchArguments),
    /// Check whether an environment keeps the rules that training relies on.
    CheckEnv(CheckEnvArguments),
    /// Draw the charts of comparisons, and of curves in JSON files, again.
    Draw(DrawArguments),
    /// Print a script with which a shell completes the commands and options of stpn.
    Completions(CompletionsArguments),
    /// Print the manual page.
    Man,
    /// Show what was built into this program and where its files are, and try every environment for a few steps; or
    /// measure whether an untrained policy can tell states apart.
    Doctor(DoctorArguments),
}
