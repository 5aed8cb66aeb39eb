//! `stpn train`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use stpn_agents::collective::{Collective, agree};
use stpn_agents::config::{RolloutConfig, TrainingConfig};
use stpn_agents::lock::LOCK;
use stpn_agents::run::{Run, changes, holds_run, saved};
use stpn_agents::{Error, RunConfig, Stop};

use super::training::{end_on_ranks, train};
use crate::cli::TrainArguments;
use crate::progress::thousands;
use crate::task_label::task_label;
use crate::{overrides, program, ranks, say, shutdown, threads};

/// Runs the command.
pub fn run(arguments: &TrainArguments) -> Result<ExitCode> {
    let ranks = ranks::join()?;
    let result = run_on(arguments, &ranks);
    end_on_ranks(ranks.as_ref(), result)
}

/// The command on this rank.
fn run_on(arguments: &TrainArguments, ranks: &Arc<dyn Collective>) -> Result<ExitCode> {
    let config = arguments.request()?.configure(ranks.size())?;
    let stop = shutdown::stop_training(&arguments.ending, ranks.as_ref())?;
    let pool = threads::pool_on_ranks(config.training().threads, ranks.as_ref())?;
    let directory = match &arguments.run_dir {
        Some(directory) => directory.clone(),
        None => default_directory(&named(arguments, &config), &config, ranks.as_ref())?,
    };
    let new = arguments.run_dir.is_none() || !directory.exists();
    let result = pool.install(|| {
        // As the first rank sees it: it may begin a run while another looks.
        if arguments.or_resume && ranks.gather_bytes(&[u8::from(holds_run(&directory))])[0] == [1] {
            let change = refuse_unlike(&config, &directory)?;
            return super::resume::resume(&directory, change, ranks, &stop);
        }
        start(&config, &directory, ranks, &stop)
    });
    let unused = new && ranks.is_root() && !holds_run(&directory);
    if result.is_err() && unused {
        // Best effort: a new folder in which nothing was begun is of no use.
        let _ = std::fs::remove_file(directory.join(LOCK));
        let _ = std::fs::remove_dir(&directory);
    }
    result
}

/// Starts a run and trains it.
fn start(config: &RunConfig, directory: &Path, ranks: &Arc<dyn Collective>, stop: &Stop) -> Result<ExitCode> {
    let command_line: Vec<String> =
        program::arguments().iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let run = Run::start_on_ranks(config, directory, &command_line.join(" "), ranks)?;
    if ranks.is_root() {
        let update = match config {
            RunConfig::Agent(config) => {
                let RolloutConfig { environments, steps, .. } = config.rollout;
                format!("{environments} environments × {steps} steps per update")
            }
            RunConfig::Supervised(_) => "one epoch per update".to_string(),
        };
        say::note(format!(
            "training {} on {}: {} units, {} parameters, {update}, seed {}\nrun directory: {}",
            config.cell().label(),
            task_label(config),
            thousands(*config.hidden() as u64),
            thousands(run.training().layout().len() as u64),
            config.seed(),
            directory.display(),
        ));
        run.training().placement().into_iter().for_each(say::note);
        let TrainingConfig { updates, warmup_updates, .. } = *config.training();
        if warmup_updates >= updates {
            let remark = "the run is over before it learns";
            say::note(format!("training.warmup_updates is {warmup_updates} of {updates} updates: {remark}"));
        }
    }
    train(run, ranks.as_ref(), stop)
}

/// Refuses to go on with the run in `directory` under other settings than its own; what may differ is returned as a
/// change of it.
fn refuse_unlike(config: &RunConfig, directory: &Path) -> Result<impl FnOnce(&mut RunConfig) + Send + use<>> {
    let training = config.training();
    let mut saved = saved(directory)?;
    // Fewer updates than are done change nothing.
    let updates = if training.updates < saved.update { saved.config.training().updates } else { training.updates };
    let threads = training.threads;
    let change = move |saved: &mut RunConfig| {
        saved.training_mut().updates = updates;
        saved.training_mut().threads = threads;
    };
    change(&mut saved.config);
    let mut asked = config.clone();
    asked.training_mut().updates = updates;
    let differing: Vec<String> =
        changes::between(&saved.config, &asked)?.into_iter().map(|change| change.key).collect();
    if differing.is_empty() {
        return Ok(change);
    }
    let problem = format!(
        "holds a run with other settings ({}): resume that one with `stpn resume`, or start this one elsewhere",
        differing.join(", ")
    );
    Err(Error::RunDirectory { path: directory.to_path_buf(), problem }.into())
}

/// What a run's folder is called after: the experiment as it was named, or the environment that took its place.
fn named(arguments: &TrainArguments, config: &RunConfig) -> String {
    let replaced = ["env.name", "env.id", "env.make", "env.game", "env.task"]
        .iter()
        .any(|key| overrides::sets(&arguments.overrides, key));
    if !replaced {
        return arguments.named();
    }
    let plain = |letter: char| if letter.is_alphanumeric() || "-_".contains(letter) { letter } else { '-' };
    task_label(config).chars().map(plain).collect()
}

/// Makes the first of `runs/NAME-CELL-seedN`, `…-2`, `…-3` that does not exist: for all ranks the one that the first
/// makes. Making it is what claims it, so that runs that are started at once get one each.
fn default_directory(experiment: &str, config: &RunConfig, ranks: &dyn Collective) -> Result<PathBuf> {
    let name = Path::new(experiment).file_stem().and_then(|stem| stem.to_str()).unwrap_or("run");
    let base = format!("{name}-{}-seed{}", config.cell().label(), config.seed());
    let made = agree(ranks, ranks.is_root().then(|| claim(Path::new("runs"), &base)).transpose())?;
    let made = made.unwrap_or_default();
    let first = ranks.gather_bytes(made.as_bytes()).into_iter().next().unwrap_or_default();
    Ok(Path::new("runs").join(String::from_utf8_lossy(&first).into_owned()))
}

/// Makes a new folder named `base`, or `base` with the first free number, in `parent`; its name.
fn claim(parent: &Path, base: &str) -> Result<String, Error> {
    let failed = |path: &Path, source| Error::Io { action: "cannot create", path: path.to_path_buf(), source };
    std::fs::create_dir_all(parent).map_err(|error| failed(parent, error))?;
    let mut name = base.to_string();
    for number in 2.. {
        let path = parent.join(&name);
        match std::fs::create_dir(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => name = format!("{base}-{number}"),
            made => return made.map(|()| name).map_err(|error| failed(&path, error)),
        }
    }
    unreachable!("a folder has fewer entries than there are numbers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_starts_at_once_were_refused_in_a_race() {
        let directory = tempfile::tempdir().unwrap();
        let claims = || claim(directory.path(), "maze-stpn-seed1").unwrap();
        let mut names: Vec<String> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..16).map(|_| scope.spawn(claims)).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 16);
        assert_eq!(names[0], "maze-stpn-seed1");
    }

    #[test]
    fn a_folder_was_named_after_an_environment_that_was_replaced() {
        let named_after = |overrides: &[&str]| {
            let overrides = overrides.iter().map(|text| text.parse().unwrap()).collect();
            let arguments = TrainArguments { experiment: "cartpole".into(), overrides, ..TrainArguments::default() };
            named(&arguments, &arguments.request().unwrap().configure(1).unwrap())
        };
        assert_eq!(named_after(&["env.name=acrobot"]), "acrobot");
        assert_eq!(named_after(&["env={ name = 'popgym', task = 'repeat-first' }"]), "popgym-repeat-first-easy");
        assert_eq!(named_after(&["seed=3"]), "cartpole");
    }

    #[test]
    fn a_task_of_popgym_is_named_with_its_level() {
        let (experiment, game, level) = ("popgym".into(), Some("count-recall".into()), Some("hard".into()));
        let arguments = TrainArguments { experiment, game, level, ..TrainArguments::default() };
        assert_eq!(arguments.named(), "popgym-count-recall-hard");
        let (experiment, game) = ("atari".into(), Some("breakout".into()));
        assert_eq!(TrainArguments { experiment, game, ..TrainArguments::default() }.named(), "atari-breakout");
    }
}
