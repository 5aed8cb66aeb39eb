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

use crate::exit;

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
    /// Run the code of its own that a checkpoint's configuration names (`env.make`, `env.import`, `env.wrappers`), and
    /// that in environments which others saved by pickle. Only if you trust whoever wrote it.
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
    /// Continue a run exactly where its last checkpoint was.
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
    /// Run the paper's experiments and write their tables.
    Reproduce(ReproduceArguments),
    /// List presets, environments and cells.
    List,
    /// Write a whole configuration, every key described, or the JSON Schema from which editors complete.
    Config(ConfigArguments),
    /// Say what a key of a configuration is for, what it may hold, its default, and its name elsewhere.
    Explain(ExplainArguments),
    /// Measure how fast this machine trains, and what share of its limits that is.
    Bench(BenchArguments),
    /// Check whether an environment keeps the rules that training relies on.
    CheckEnv(CheckEnvArguments),
    /// Draw charts of recorded results again: of comparisons, and of curves kept as JSON.
    Draw(DrawArguments),
    /// Print what makes a shell complete this command line.
    Completions(CompletionsArguments),
    /// Print the manual page.
    Man,
    /// Tell what this binary has inside, where its files are, and run every environment for a few steps.
    Doctor,
}
