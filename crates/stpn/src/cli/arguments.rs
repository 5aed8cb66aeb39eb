//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::EnvCodeArguments;
use super::number::count;
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

/// Arguments of `stpn check-env`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stpn check-env cartpole
  stpn check-env gym LunarLander-v3
  stpn check-env maze --set env.size=9 --seed 3")]
pub struct CheckEnvArguments {
    /// An environment (see `stpn list`), or `gym` for one of Python's Gymnasium.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// With `gym`: the environment's name there.
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// Code of the user's own.
    #[command(flatten)]
    pub code: EnvCodeArguments,
    /// Overrides one of its settings, e.g. `--set env.size=9`.
    #[arg(long = "set", value_name = "env.KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Steps within which an episode of random actions has to end.
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub steps: usize,
    /// Seed of the environment and of the random actions.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// Arguments of `stpn config`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stpn config cartpole > my-experiment.toml
  stpn config my-experiment.toml
  stpn config --schema > stpn.schema.json

Without a name: an agent that learns cartpole by PPO with every default.")]
pub struct ConfigArguments {
    /// A preset (see `stpn list`) or the path of a TOML file.
    #[arg(value_name = "PRESET|FILE.toml")]
    pub experiment: Option<String>,
    /// Overrides one key of the configuration.
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Write the JSON Schema of configurations. An editor with Taplo (Even Better TOML) takes it from a file's first
    /// line, `#:schema ./stpn.schema.json`.
    #[arg(long, conflicts_with_all = ["experiment", "overrides"])]
    pub schema: bool,
}

/// Arguments of `stpn explain`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stpn explain rollout.steps
  stpn explain algorithm
  stpn explain n_steps")]
pub struct ExplainArguments {
    /// A key or a section, dotted or its last part alone, or what Stable-Baselines3 or CleanRL call it.
    #[arg(value_name = "KEY")]
    pub key: String,
}

/// Arguments of `stpn train`.
#[derive(Debug, Default, Args)]
#[command(after_help = "Examples:
  stpn train maze-small
  stpn train maze-small --cell lstm --seed 2
  stpn train maze-small --algo ppo
  stpn train maze --updates 2000 --set optimizer.learning_rate=3e-4
  stpn train gym Acrobot-v1 --steps 500000
  stpn train popgym count-recall --level hard --cell gru
  stpn train gym FrozenLake-v1 --env-kwargs '{\"is_slippery\": false}'
  stpn train gym --env-make my_env.py:make
  stpn train my-experiment.toml --run-dir runs/first")]
pub struct TrainArguments {
    /// A preset (see `stpn list`) or the path of a TOML file like a run's `config.toml`.
    #[arg(value_name = "PRESET|FILE.toml")]
    pub experiment: String,
    /// The game of the preset `atari`, e.g. `breakout`, the environment of the preset `gym`, e.g. `LunarLander-v3`, or
    /// the task of the preset `popgym`, e.g. `repeat-first`.
    #[arg(value_name = "GAME|ID|TASK")]
    pub game: Option<String>,
    /// How hard the task of the preset `popgym` is: `easy`, `medium` or `hard` [default: easy].
    #[arg(long, value_name = "LEVEL")]
    pub level: Option<String>,
    /// What the environment of Gymnasium is made with, e.g. `{"continuous": true}`.
    #[arg(long, value_name = "JSON")]
    pub env_kwargs: Option<String>,
    /// Code of the user's own.
    #[command(flatten)]
    pub code: EnvCodeArguments,
    /// The learning algorithm, `a2c` or `ppo`, where it is not the experiment's own: with the experiment's discounts
    /// and otherwise the settings usual for it.
    #[arg(long, value_name = "ALGORITHM")]
    pub algo: Option<String>,
    /// The recurrent layer, in the size of the published comparison unless `--hidden` is given.
    #[arg(long, value_name = "CELL")]
    pub cell: Option<String>,
    /// Units of the recurrent layer.
    #[arg(long, value_name = "N")]
    pub hidden: Option<usize>,
    /// Seed of every random stream.
    #[arg(long, value_name = "N", value_parser = count)]
    pub seed: Option<u64>,
    /// Updates to train for; on a supervised task epochs.
    #[arg(long, value_name = "N", conflicts_with = "steps", value_parser = count)]
    pub updates: Option<u64>,
    /// Environment steps to train for, over all ranks, rounded up to whole updates.
    #[arg(long, value_name = "N", value_parser = count)]
    pub steps: Option<u64>,
    /// Worker threads; 0 = one per core that this process may use, shared with other ranks on this host. The result does
    /// not depend on it.
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// `auto` (fused kernels where there are any) or `composed` (candle operations, slow, for comparison).
    #[arg(long, value_name = "KERNEL")]
    pub kernel: Option<String>,
    /// Where the run is written; must not hold one yet, unless --or-resume is given [default: a new folder below
    /// `runs`].
    #[arg(long, value_name = "DIR")]
    pub run_dir: Option<PathBuf>,
    /// Resume the run in --run-dir where there is one, to the length asked for, and start it otherwise: what a batch
    /// script needs. Other settings must be those of the run.
    #[arg(long, requires = "run_dir")]
    pub or_resume: bool,
    /// How to end early.
    #[command(flatten)]
    pub ending: EndingArguments,
    /// Overrides one key of the configuration, e.g. `--set algorithm.gamma=0.95`; `none` removes an optional key.
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    pub overrides: Vec<String>,
}

impl TrainArguments {
    /// What the experiment is called in the name of a run's directory.
    pub fn named(&self) -> String {
        match (self.experiment.as_str(), &self.game) {
            ("gym", Some(id)) => id.replace(['/', ':'], "-"),
            ("gym", None) => self.code.named().unwrap_or_else(|| self.experiment.clone()),
            ("popgym", task) => {
                let parts = [Some("popgym"), task.as_deref(), self.level.as_deref()];
                parts.into_iter().flatten().collect::<Vec<_>>().join("-")
            }
            _ => self.experiment.clone(),
        }
    }
}

/// How `train` and `resume` end where they are asked to.
#[derive(Debug, Default, Args)]
pub struct EndingArguments {
    /// Seconds that the update under way may take once an end was asked for, before it is given up for the state before
    /// it [default: 5; 0 on several ranks, since `mpirun` kills them after one; at least 30 after USR1, USR2 and XCPU].
    #[arg(long, value_name = "SECONDS")]
    pub grace: Option<f64>,
    /// End, as if asked to, where stdin does.
    #[arg(long, hide = true)]
    pub with_parent: bool,
}

/// Arguments of `stpn resume`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stpn resume runs/maze-small-stpn-seed1
  stpn resume runs/maze-small-stpn-seed1 --updates 4000
  stpn resume runs/maze-small-stpn-seed1 --set optimizer.learning_rate=1e-4

A rate or coefficient that ends with the run, `{ initial, last }` without a `horizon`, ends later where there are more
updates: from here on it is what it would be in a run of the new length.")]
pub struct ResumeArguments {
    /// The run's directory.
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Code of the user's own.
    #[command(flatten)]
    pub code: EnvCodeArguments,
    /// Updates of the whole run, those already done included; fewer than these change nothing [default: as configured].
    #[arg(long, value_name = "N", value_parser = count)]
    pub updates: Option<u64>,
    /// How to end early.
    #[command(flatten)]
    pub ending: EndingArguments,
    /// Worker threads; 0 = one per core that this process may use, shared with other ranks on this host. The result does
    /// not depend on it.
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Changes one key from here on: rates, coefficients, lengths, evaluation, checkpoints, logging. What the
    /// checkpoint was made with (environment, network, seed, …) stays.
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    pub overrides: Vec<String>,
}

/// Arguments of `stpn export`.
#[derive(Debug, Args)]
#[command(
    after_help = "The result holds configuration, metrics and parameters; `stpn eval`, `play` and `report` take it, \
`resume` does not.

Examples:
  stpn export runs/maze-small-stpn-seed1 my-agent
  stpn export --best runs/cartpole-stpn-seed1 my-agent"
)]
pub struct ExportArguments {
    /// The run's directory.
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Where the agent is written; without checkpoints so far.
    #[arg(value_name = "DIR")]
    pub out: PathBuf,
    /// The best checkpoint in place of the newest.
    #[arg(long)]
    pub best: bool,
}

/// Arguments of `stpn eval`.
#[derive(Debug, Args)]
pub struct EvalArguments {
    /// A run's directory (its newest checkpoint is measured; of a supervised task the best in validation) or one
    /// checkpoint's.
    #[arg(value_name = "RUN|CHECKPOINT")]
    pub run: PathBuf,
    /// Code of the user's own.
    #[command(flatten)]
    pub code: EnvCodeArguments,
    /// Episodes to measure.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub episodes: usize,
    /// Seed of the episodes, which are other ones than training's whatever the seed [default: 0]; of the test data of
    /// a supervised task [default: the run's].
    #[arg(long, value_name = "N", value_parser = count)]
    pub seed: Option<u64>,
    /// Take the most probable action in place of a sample.
    #[arg(long)]
    pub deterministic: bool,
    /// Measure the uniformly random policy in the run's environment instead, as a baseline.
    #[arg(long, conflicts_with = "deterministic")]
    pub random: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    /// Worker threads; 0 = one per core.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub threads: usize,
}

/// Arguments of `stpn play`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stpn play runs/maze-small-stpn-seed1
  stpn play runs/cartpole-stpn-seed1 --gif cartpole.gif")]
pub struct PlayArguments {
    /// A run's directory or one checkpoint's.
    #[arg(value_name = "RUN|CHECKPOINT")]
    pub run: PathBuf,
    /// Code of the user's own.
    #[command(flatten)]
    pub code: EnvCodeArguments,
    /// Which episode: the same seed plays the same episode.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub episode_seed: u64,
    /// Take the most probable action in place of a sample.
    #[arg(long)]
    pub deterministic: bool,
    /// Milliseconds between steps on a terminal.
    #[arg(long, value_name = "MS", default_value_t = 120)]
    pub delay: u64,
    /// Write an animated GIF to this file in place of showing the episode.
    #[arg(long, value_name = "FILE.gif")]
    pub gif: Option<PathBuf>,
    /// Most frames of the GIF.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub frames: usize,
}

/// Arguments of `stpn report`.
#[derive(Debug, Args)]
#[command(after_help = "Runs in one environment are drawn together; those that differ in nothing but the seed are \
averaged, others are lines of their own, named by what differs. A run without a checkpoint that can be used is drawn \
from its metrics.

Examples:
  stpn report runs/maze-small-*
  stpn report runs/maze-small-stpn-seed1 --out maze.html --plots figures")]
pub struct ReportArguments {
    /// Directories of runs.
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<PathBuf>,
    /// Code of the user's own.
    #[command(flatten)]
    pub code: EnvCodeArguments,
    /// Where the page is written.
    #[arg(long, value_name = "FILE.html", default_value = "report.html")]
    pub out: PathBuf,
    /// Also write every figure as an SVG file into this directory.
    #[arg(long, value_name = "DIR")]
    pub plots: Option<PathBuf>,
    /// Which episode is drawn.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub episode_seed: u64,
}

/// Arguments of `stpn draw`.
#[derive(Debug, Args)]
#[command(
    after_help = "A folder of `compare` or `reproduce` gets its pictures anew from its comparison.json, curves.csv \
and generalization.csv. Beside a file of curves, FILE.svg is written. It holds names of axes, references and, for every \
series, the curve of every seed:
  {\"x\": \"environment steps\", \"y\": \"mean return (reward per episode)\", \"possible\": [0, null],
   \"levels\": {\"random policy\": 8.04}, \"series\": [{\"name\": \"stpn\", \"curves\": [[[0, 1.5], [100, 2]]]}]}

Examples:
  stpn draw runs/compare-art
  stpn draw docs/maze-small.json"
)]
pub struct DrawArguments {
    /// Folders of comparisons, and files of curves.
    #[arg(value_name = "DIR|FILE.json", required = true)]
    pub sources: Vec<PathBuf>,
}

/// Arguments of `stpn completions`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stpn completions bash > ~/.local/share/bash-completion/completions/stpn
  stpn completions zsh > ~/.zfunc/_stpn
  stpn completions fish > ~/.config/fish/completions/stpn.fish")]
pub struct CompletionsArguments {
    /// Which shell.
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// Arguments of `stpn compare`.
#[derive(Debug, Args)]
#[command(after_help = "Every run has a directory of its own below --out. The same command continues what was \
interrupted, keeps what is finished, and adds cells and seeds.

Examples:
  stpn compare art --cells stpn,lstm,rnn --seeds 3 --jobs 2
  stpn compare maze-small --cells stpn,lstm --updates 500")]
pub struct CompareArguments {
    /// A preset (see `stpn list`) or the path of a TOML file.
    #[arg(value_name = "PRESET|FILE.toml")]
    pub experiment: String,
    /// The cells, in the sizes of the published comparison or else matched in parameters [default: all of the
    /// published comparison].
    #[arg(long, value_name = "CELL,…", value_delimiter = ',')]
    pub cells: Vec<String>,
    /// Seeds 1 to N of every cell.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub seeds: u64,
    /// Runs at a time, which share the threads.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub jobs: usize,
    /// Worker threads of all jobs together; 0 = one per core.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub threads: usize,
    /// Updates of every run; on a supervised task epochs [default: the experiment's].
    #[arg(long, value_name = "N", value_parser = count)]
    pub updates: Option<u64>,
    /// Overrides one key of every run's configuration.
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Episodes on which a trained agent is measured.
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub episodes: usize,
    /// Where runs and results are written [default: runs/compare-PRESET].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// A part of the paper's experiments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Paper {
    /// Associative retrieval.
    Art,
    /// Familiarity detection, three settings.
    Familiarity,
    /// Maze exploration.
    Maze,
    /// MuJoCo InvertedPendulum.
    Pendulum,
    /// Atari Pong.
    Pong,
    /// All of them.
    All,
}

/// Arguments of `stpn reproduce`.
#[derive(Debug, Args)]
#[command(after_help = "Without --budget every experiment runs at its published length, which takes days. The same \
command continues what was interrupted; a larger --budget lengthens what a smaller one began.

Examples:
  stpn reproduce art
  stpn reproduce all --budget 600 --jobs 2
  stpn reproduce maze --updates 2000 --cells stpn,lstm --seeds 1")]
pub struct ReproduceArguments {
    /// Which experiments.
    #[arg(value_enum, default_value_t = Paper::All)]
    pub what: Paper,
    /// Of these, only the experiment whose folder has this name, e.g. familiarity-fresh-r3.
    #[arg(long, value_name = "NAME")]
    pub only: Option<String>,
    /// Minutes that it may take, divided equally among the experiments; their runs get fewer updates, the same for
    /// every cell, and the results say so.
    #[arg(long, value_name = "MINUTES")]
    pub budget: Option<f64>,
    /// Updates of every run, in place of the published number or what a budget allows; the results say so.
    #[arg(long, value_name = "N", conflicts_with = "budget", value_parser = clap::value_parser!(u64).range(1..))]
    pub updates: Option<u64>,
    /// The cells, in place of all of the published comparison; the results say so.
    #[arg(long, value_name = "CELL,…", value_delimiter = ',')]
    pub cells: Vec<String>,
    /// Overrides one key of every run's configuration; the results say so.
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Seeds 1 to N of every cell.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub seeds: u64,
    /// Runs at a time, which share the threads.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub jobs: usize,
    /// Worker threads of all jobs together; 0 = one per core.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub threads: usize,
    /// Episodes on which a trained agent is measured.
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub episodes: usize,
    /// Where the runs are written.
    #[arg(long, value_name = "DIR", default_value = "runs/reproduction")]
    pub runs: PathBuf,
    /// Where tables, curves and their provenance are written.
    #[arg(long, value_name = "DIR", default_value = "reproduction")]
    pub out: PathBuf,
    /// Make tables and pictures again from the results in --out, without the runs; nothing is trained.
    #[arg(long, conflicts_with_all = ["budget", "updates", "cells", "overrides"])]
    pub redraw: bool,
}

/// Arguments of `stpn bench`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stpn bench
  stpn bench updates --case maze --case maze-lstm
  stpn bench kernels --threads 2 --json
  stpn bench envs --case maze --case cartpole

Cases: maze, maze-lstm, maze-gru, art, art-lstm, pong, pong-lstm, pendulum (learning from one rollout of random
observations at the paper's shapes), maze-update (a whole update of the preset, environments included). Those of `envs` are
environments, with random actions: steps per second by one thread and by all, and of those around a simulator the share
of that simulator's own speed. Run it on an idle machine.")]
pub struct BenchArguments {
    /// What to measure.
    #[arg(value_enum, value_name = "WHAT", default_value_t = Suite::All)]
    pub suite: Suite,
    /// Only this case; may be given several times.
    #[arg(long = "case", value_name = "CASE")]
    pub cases: Vec<String>,
    /// Worker threads; 0 = one per core.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub threads: usize,
    /// Updates or calls before those that count.
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub warmup: usize,
    /// Updates or calls of which the median counts; measurements of an environment, a tenth of a second each, of which
    /// the best does.
    #[arg(long, value_name = "N", default_value_t = 9)]
    pub repeats: usize,
    /// Instead of speeds of environments: see whether 1,000 of each keep the same memory over so many steps of every
    /// one of them. CartPole where no case is named.
    #[arg(long, value_name = "STEPS", num_args = 0..=1, default_missing_value = "100000")]
    pub soak: Option<u64>,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    /// Measure the one case here, as the child process that it is measured in.
    #[arg(long, hide = true, requires = "cases")]
    pub in_process: bool,
}

/// What `stpn bench` measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Suite {
    /// Whole updates, each in a process of its own.
    Updates,
    /// The recurrent layers and the convolutions by themselves.
    Kernels,
    /// The environments, without an agent.
    Envs,
    /// Sums over the ranks of an MPI job: `mpirun -n 2 stpn bench exchange`.
    Exchange,
    /// Updates and kernels.
    All,
}
