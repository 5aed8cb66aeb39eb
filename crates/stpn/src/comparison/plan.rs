//! Which runs a comparison consists of, and how far each has come.

use std::path::{Path, PathBuf};

use stpn_agents::run::saved_config;
use stpn_agents::{RunConfig, checkpoint};
use stpn_core::cells::CellName;

use crate::presets::{Size, Sizes};
use crate::settings::Settings;
use crate::training_request::TrainingRequest;
use crate::{Error, Override, Result, threads};

/// The runs of a comparison.
#[derive(Clone)]
pub struct Plan {
    /// Where the runs and their table are written.
    pub directory: PathBuf,
    /// The cells, in the order asked for: pictures give each the colour of its place.
    pub cells: Vec<CellName>,
    /// Cell by cell, seed by seed; none of a cell that diverged.
    pub runs: Vec<PlannedRun>,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct PlannedRun {
    /// The cell.
    pub cell: CellName,
    /// The seed.
    pub seed: u64,
    /// How large its network is.
    pub size: Size,
    /// Its configuration.
    pub config: RunConfig,
    /// Its directory.
    pub directory: PathBuf,
    /// Which training.
    pub request: TrainingRequest,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// Not begun.
    Absent,
    /// Begun, with more to do.
    Interrupted,
    /// Done.
    Finished,
}

/// What is compared.
pub struct Request<'a> {
    /// A preset or a file.
    pub experiment: &'a str,
    /// Which of its environments, and at what level, where there are several ([`TrainingRequest::environment`]).
    pub environment: Option<[&'a str; 2]>,
    /// The cells.
    pub cells: &'a [CellName],
    /// How many seeds, from 1 on.
    pub seeds: u64,
    /// Updates in place of the experiment's.
    pub updates: Option<u64>,
    /// Keys of every run's configuration.
    pub overrides: &'a [Override],
    /// Keys of the runs of one cell alone, before those.
    pub of_cells: &'a [(CellName, Override)],
    /// Where it is written.
    pub directory: &'a Path,
}

impl Plan {
    /// Resolves the configurations, as `stpn train` would.
    ///
    /// # Errors
    /// Fails as [`TrainingRequest::configure`] does; [`Error::Unfit`] for a cell that is named twice.
    pub fn new(request: &Request<'_>) -> Result<Self> {
        let mut runs = Vec::new();
        for (place, &cell) in request.cells.iter().enumerate() {
            if request.cells[..place].contains(&cell) {
                return Err(Error::Unfit(format!("cells: {cell} is named twice, and a cell is compared once")));
            }
            let own = request.of_cells.iter().filter(|(of, _)| *of == cell).map(|(_, change)| change);
            let overrides: Vec<Override> = own.chain(request.overrides).cloned().collect();
            threads::refuse_as_key(&overrides)?;
            let mut size = None;
            for seed in 1..=request.seeds {
                let [environment, level] = match request.environment {
                    Some(words) => words.map(|word| Some(word.to_string())),
                    None => [None, None],
                };
                let training = TrainingRequest {
                    experiment: request.experiment.to_string(),
                    environment,
                    level,
                    cell: Some(cell),
                    seed: Some(seed),
                    updates: request.updates,
                    overrides: overrides.clone(),
                    ..TrainingRequest::default()
                };
                let config = training.configure(1)?;
                let own = match size {
                    Some(size) => size,
                    None => Sizes::new(&config)?.configured()?,
                };
                size = Some(own);
                let directory = request.directory.join(format!("{cell}-seed{seed}"));
                runs.push(PlannedRun { cell, seed, size: own, config, directory, request: training });
            }
        }
        Ok(Self { directory: request.directory.to_path_buf(), cells: request.cells.to_vec(), runs })
    }
}

impl PlannedRun {
    /// Its name in tables: that of its directory.
    pub fn name(&self) -> String {
        self.directory.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Its name in messages, with its environment if the experiment has several: runs of several tasks may go on at a
    /// time.
    pub fn title(&self) -> String {
        let TrainingRequest { environment, level, .. } = &self.request;
        let words = environment.iter().chain(level).cloned().chain([self.name()]);
        words.collect::<Vec<_>>().join(" ")
    }

    /// How far it has come.
    ///
    /// # Errors
    /// Fails if the directory holds a run that is not like this one: its row would be compared with unlike ones.
    pub fn state(&self) -> Result<RunState> {
        let checkpoints = self.directory.join("checkpoints");
        let begun = has_checkpoint(&checkpoints);
        if !begun && !self.directory.join("config.toml").exists() {
            return Ok(RunState::Absent);
        }
        if let Some(problem) = self.unlike(&saved_config(&self.directory)?)? {
            return Err(Error::UnlikeRun { path: self.directory.clone(), problem });
        }
        let tested = self.config.agent().is_ok() || self.directory.join("test.json").exists();
        let finished = begun && tested && self.config.finished(&checkpoint::newest(&checkpoints)?.0.progress);
        Ok(if finished { RunState::Finished } else { RunState::Interrupted })
    }

    /// Why a run of the configuration `saved` cannot be this one, or be continued to become it.
    fn unlike(&self, saved: &RunConfig) -> Result<Option<String>> {
        if saved.seed() != self.config.seed() {
            return Ok(Some(format!("holds a run with seed {}, not {}", saved.seed(), self.config.seed())));
        }
        let length = ["training.updates"];
        let [theirs, ours] = [saved, &self.config].map(Settings::of_config);
        let (theirs, ours) = (theirs?.without(&length), ours?.without(&length));
        if theirs != ours {
            return Ok(Some(format!("holds a run with other settings, {}", theirs.in_place_of(&ours))));
        }
        let (there, asked) = (saved.training().updates, self.config.training().updates);
        if there > asked {
            let unlike = format!("holds a run of {there} updates in place of {asked}: compare at {there} updates");
            return Ok(Some(unlike));
        }
        if there < asked && ours.follows_length() {
            let remedy = "a longer one would have another schedule from its start";
            return Ok(Some(format!("holds a run of {there} updates in place of {asked}, and {remedy}")));
        }
        Ok(None)
    }
}

fn has_checkpoint(directory: &Path) -> bool {
    checkpoint::read::directory_names(directory).is_ok_and(|names| !names.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lstm_of_pong_had_the_rate_of_the_stpn() {
        let own = "optimizer.learning_rate=1e-4".parse::<Override>().unwrap();
        let plan = Plan::new(&Request {
            experiment: "cartpole",
            environment: None,
            cells: &[CellName::Stpn, CellName::Lstm],
            seeds: 1,
            updates: Some(1),
            overrides: &["optimizer.learning_rate=1e-3".parse().unwrap(), "rollout.steps=16".parse().unwrap()],
            of_cells: &[(CellName::Lstm, own)],
            directory: Path::new("runs"),
        });
        let runs = plan.unwrap().runs;
        let words = |run: &PlannedRun| run.request.overrides.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(words(&runs[0]), ["optimizer.learning_rate=0.001", "rollout.steps=16"]);
        // What is asked for comes last, and counts.
        assert_eq!(words(&runs[1])[..2], ["optimizer.learning_rate=0.0001", "optimizer.learning_rate=0.001"]);
        let pong = crate::reproduction::EXPERIMENTS.iter().find(|experiment| experiment.name == "pong").unwrap();
        let [(CellName::Lstm, change)] = pong.of_cells else { panic!("{:?}", pong.of_cells) };
        let mut table = crate::presets::find("pong").unwrap().table().unwrap();
        crate::overrides::apply(&mut table, &change.parse().unwrap()).unwrap();
        let rate = |key: &str| table["optimizer"]["learning_rate"][key].as_float();
        assert_eq!([rate("initial"), rate("last")], [Some(1e-4), Some(1e-12)]);
    }
}
