//! Comparisons and the paper's experiments.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use std::path::PathBuf;

use clap::Args;

use crate::Override;
use crate::cli::count::{count, seeds, some};
use crate::comparison::suite::{SUITES, Suite};
use crate::reproduction::Paper;

/// Arguments of `stpn draw`.
#[derive(Debug, Args)]
#[command(
    after_help = "A folder of `compare` or `reproduce` gets its pictures anew from its comparison.json or suite.json, \
curves.csv and generalization.csv; with --tables also its comparison.md and scores.csv. Beside a file of curves, \
FILE.svg is written. The file holds names of axes, references \
and, for every series, the curve of every seed:
  {\"x\": \"environment steps\", \"y\": \"mean return (reward per episode)\", \"possible\": [0, null],
   \"levels\": {\"random policy\": 8.04}, \"series\": [{\"name\": \"stpn\", \"curves\": [[[0, 1.5], [100, 2]]]}]}

Examples:
  stpn draw runs/compare-art
  stpn draw --tables runs/compare-art
  stpn draw docs/maze-small.json"
)]
pub struct DrawArguments {
    /// Folders of comparisons, and files of curves.
    #[arg(value_name = "DIR|FILE.json", required = true)]
    pub sources: Vec<PathBuf>,
    /// Also make the tables of comparisons again, from the results of their runs.
    #[arg(long)]
    pub tables: bool,
}

/// How many runs a comparison has, and how they are trained and measured.
#[derive(Debug, Args)]
pub struct RunsArguments {
    /// Seeds 1 to N of every cell.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = seeds, allow_negative_numbers = true)]
    pub seeds: u64,
    /// Runs at a time, which share the threads.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub jobs: usize,
    /// Worker threads of all jobs together; 0 = one per core.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub threads: usize,
    /// Episodes on which a trained agent is measured [default: 200, with `reproduce` 512].
    #[arg(long, value_name = "N", value_parser = some, allow_negative_numbers = true)]
    pub episodes: Option<usize>,
}

/// Arguments of `stpn compare`.
#[derive(Debug, Args)]
#[command(after_help = "Every run has a directory of its own below --out. The same command continues what was \
interrupted, keeps what is finished, and adds cells and seeds.

Examples:
  stpn compare art --cells stpn,lstm,rnn --seeds 3 --jobs 2
  stpn compare maze-small --cells stpn,lstm --updates 500
  stpn compare memory cartpole-masked --cells stpn,lstm
  stpn compare popgym --suite core --jobs 16
  stpn compare popgym --suite core --tasks repeat-previous-easy,repeat-first-easy --cells stpn,gru --updates 200")]
pub struct CompareArguments {
    /// A preset (see `stpn list`) or the path of a TOML file. If there are several, cells are compared on each, and then
    /// over all of them.
    #[arg(value_name = "PRESET|FILE.toml", required = true)]
    pub experiments: Vec<String>,
    /// The cells, in the sizes of the published comparison or else matched in parameters [default: all of the
    /// published comparison, or the suite's; needed if there is neither].
    #[arg(long, value_name = "CELL,…", value_delimiter = ',')]
    pub cells: Vec<String>,
    /// Compare on each task of a suite of the preset's, and over all of them.
    #[arg(long, value_parser = suite())]
    pub suite: Option<&'static Suite>,
    /// Only these tasks of the suite, by the names of their folders, e.g. `repeat-previous-easy`.
    #[arg(long, value_name = "TASK,…", value_delimiter = ',', requires = "suite")]
    pub tasks: Vec<String>,
    /// How many runs.
    #[command(flatten)]
    pub how: RunsArguments,
    /// Updates of every run; on a supervised task epochs [default: the experiment's].
    #[arg(long, value_name = "N", value_parser = count)]
    pub updates: Option<u64>,
    /// Measure agents by their most probable actions in place of samples.
    #[arg(long, conflicts_with = "suite")]
    pub deterministic: bool,
    /// Overrides one key of every run's configuration.
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    pub overrides: Vec<Override>,
    /// Where runs and results are written; each of several presets has a folder in it [default: runs/compare-PRESET, or
    /// runs/compare-PRESET-SUITE].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Arguments of `stpn tune`.
#[derive(Debug, Args)]
#[command(
    after_help = "All trials are trained for a ninth of the length; the best third goes on to a third of it, and \
the best of these to the end. The first trial has the experiment's own settings. The same command continues what was \
interrupted.

--show-space prints what is searched. A file of this form, given with --space, replaces it:
  [optimizer.learning_rate]
  low = 1e-4
  high = 3e-3
  scale = \"log\"          # or \"linear\"; `whole = true` for whole numbers
  [algorithm.gamma]
  choices = [0.95, 0.99] # \"none\" leaves a key out

Examples:
  stpn tune cartpole-masked --cell lstm --trials 27
  stpn tune my.toml --trials 100 --minutes 60 --jobs 2 --space space.toml"
)]
pub struct TuneArguments {
    /// A preset (see `stpn list`) or the path of a TOML file.
    #[arg(value_name = "PRESET|FILE.toml")]
    pub experiment: String,
    /// The recurrent cell, in the size of the published comparison or else matched in parameters [default: the
    /// experiment's].
    #[arg(long)]
    pub cell: Option<String>,
    /// Settings to try, at most.
    #[arg(long, value_name = "N", default_value_t = 27, value_parser = trials)]
    pub trials: usize,
    /// Minutes that training may take: as many trials as fit are tried. Evaluations come on top.
    #[arg(long, value_name = "MINUTES", value_parser = minutes)]
    pub minutes: Option<f64>,
    /// Runs of every trial, whose results are averaged; their seeds are 1001 and following, so that a comparison with
    /// seeds 1, 2, … is not one of seeds that were tuned on.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = seeds, allow_negative_numbers = true)]
    pub seeds: u64,
    /// Seed of the search, which draws the settings.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Updates of a whole run; on a supervised task epochs [default: the experiment's].
    #[arg(long, value_name = "N", value_parser = count)]
    pub updates: Option<u64>,
    /// What is searched: a TOML file.
    #[arg(long, value_name = "FILE.toml")]
    pub space: Option<PathBuf>,
    /// Print what is searched, in the form of such a file, and do nothing else.
    #[arg(long)]
    pub show_space: bool,
    /// Overrides one key of every trial's configuration.
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    pub overrides: Vec<Override>,
    /// Runs at a time, which share the threads.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub jobs: usize,
    /// Worker threads of all jobs together; 0 = one per core.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub threads: usize,
    /// Episodes on which an agent is measured.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = some, allow_negative_numbers = true)]
    pub episodes: usize,
    /// Where runs and results are written [default: runs/tune-PRESET].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// The suites, by name.
fn suite() -> impl TypedValueParser<Value = &'static Suite> {
    let names = SUITES.iter().map(|suite| PossibleValue::new(suite.name).help(suite.title));
    PossibleValuesParser::new(names).try_map(|said| Suite::find(&said).ok_or("there is no such suite"))
}

/// The parts of the paper, by name.
fn paper() -> impl TypedValueParser<Value = Paper> {
    let names = Paper::NAMES.map(|(_, name, title)| PossibleValue::new(name).help(title));
    PossibleValuesParser::new(names).map(|said| {
        // The parser lets these names through and no others.
        Paper::NAMES.into_iter().find(|(_, name, _)| *name == said).map_or(Paper::All, |(paper, ..)| paper)
    })
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
    #[arg(value_parser = paper(), default_value = "all")]
    pub what: Paper,
    /// Only the one of these experiments whose folder has this name, e.g. familiarity-fresh-r3.
    #[arg(long, value_name = "NAME")]
    pub only: Option<String>,
    /// Time limit in minutes, divided equally among the experiments. Runs get fewer updates, the same number for every
    /// cell, and the results say so.
    #[arg(long, value_name = "MINUTES", value_parser = minutes)]
    pub budget: Option<f64>,
    /// Updates of every run, in place of the published number or what a budget allows; the results say so.
    #[arg(long, value_name = "N", conflicts_with = "budget", value_parser = count)]
    pub updates: Option<u64>,
    /// The cells, in place of all of the published comparison; the results say so.
    #[arg(long, value_name = "CELL,…", value_delimiter = ',')]
    pub cells: Vec<String>,
    /// Overrides one key of every run's configuration; the results say so.
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    pub overrides: Vec<Override>,
    /// How many runs.
    #[command(flatten)]
    pub how: RunsArguments,
    /// Where the runs are written.
    #[arg(long, value_name = "DIR", default_value = "runs/reproduction")]
    pub runs: PathBuf,
    /// Where tables, curves and their provenance are written.
    #[arg(long, value_name = "DIR", default_value = "reproduction")]
    pub out: PathBuf,
    /// Make tables and pictures again from the results in --out, without the runs; nothing is trained.
    #[arg(long, conflicts_with_all = ["budget", "updates", "cells", "overrides", "seeds", "jobs", "threads", "episodes", "runs"])]
    pub redraw: bool,
}

/// A number of trials.
fn trials(text: &str) -> Result<usize, String> {
    match count(text) {
        Ok(number @ 1..=10_000) => Ok(number as usize),
        _ => Err("must be a number of 1 to 10,000".into()),
    }
}

/// A positive number of minutes.
fn minutes(text: &str) -> Result<f64, String> {
    let minutes: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if minutes.is_finite() && minutes > 0.0 { Ok(minutes) } else { Err("must be more than 0".into()) }
}
