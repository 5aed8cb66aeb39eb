//! A search, and how it is carried out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use stpn_agents::RunConfig;
use stpn_random::Stream;

use super::halving::{Halving, Rung};
use super::request::{Request, length_of};
use super::results::{Found, TrialResult};
use super::space::Space;
use crate::comparison::jobs::{self, Jobs};
use crate::comparison::measure::Protocol;
use crate::comparison::{Observer, PlannedRun, RunState, measure, trial};
use crate::presets::Sizes;
use crate::{Error, Result, TrainingRequest, cell, files};

/// The first seed of a search: those of comparisons and published tables count from 1, and are not tuned on.
const FIRST_SEED: u64 = 1001;

/// Draws of one trial's settings after which it is given up that a possible one will come.
const ATTEMPTS: usize = 100;

/// What is kept of a search.
const FILE: &str = "search.json";

/// A search in its directory.
pub struct Search {
    directory: PathBuf,
    jobs: Jobs,
    /// The experiment as the request has it.
    config: RunConfig,
    found: Found,
}

impl Search {
    /// Begins a search, or continues the one in that directory.
    ///
    /// # Errors
    /// Fails as [`Request::whole`] does; [`Error::Unfit`] if the directory holds another search, if the time
    /// is too short for three trials, or if no values of the space are possible.
    pub fn new(request: Request, directory: &Path, jobs: Jobs, observer: &dyn Observer) -> Result<Self> {
        request.refuse_own_keys()?;
        let config = request.whole(&BTreeMap::new())?;
        let path = directory.join(FILE);
        let found = if path.exists() {
            let found: Found = files::read_json(&path)?;
            if let Some(difference) = found.request.difference(&request)? {
                let problem =
                    format!("holds another search, with {difference}: name another directory, or remove this one");
                return Err(Error::Unfit(format!("{}: {problem}", directory.display())));
            }
            found
        } else {
            let space = match &request.space {
                Some(space) => space.clone(),
                None => Space::of(&config)?,
            };
            let plan = plan(&request, &config, jobs, observer)?;
            check_validated(&plan, &config)?;
            let trials = draw(&request, &space, plan.rungs[0].trials, Sizes::new(&config)?.spaces())?;
            std::fs::create_dir_all(directory).map_err(Error::io("cannot create", directory))?;
            Found::new(request, space, plan, trials)
        };
        Ok(Self { directory: directory.to_path_buf(), jobs, config, found })
    }

    /// What has been found so far.
    pub fn found(&self) -> &Found {
        &self.found
    }

    /// Trains all trials as far as their results take them, and writes `search.json`, `search.md` and `best.toml`. From
    /// the first call on, signals that ask this process to end are passed on to the runs.
    ///
    /// # Errors
    /// [`Error::Interrupted`] if an end was asked for: the same search continues. Fails if every run of a rung does.
    pub fn run(&mut self, observer: &dyn Observer) -> Result<()> {
        self.write()?;
        for (place, rung) in self.found.plan.rungs.clone().into_iter().enumerate() {
            let of = self.found.plan.rungs.len();
            let unit = if self.config.agent().is_ok() { "environment steps" } else { "epochs" };
            let trials: Vec<usize> = self.found.going_on(place).collect();
            observer.note(&format!("\nrung {} of {of}: {} trials of {} {unit}", place + 1, trials.len(), rung.length));
            let open: Vec<usize> = trials.into_iter().filter(|&at| self.found.trials[at].open(place)).collect();
            if open.is_empty() {
                continue;
            }
            let mut runs = Vec::new();
            for &at in &open {
                for seed in (FIRST_SEED..).take(self.found.request.seeds as usize) {
                    runs.push((at, self.planned(&self.found.trials[at], rung, seed)?));
                }
            }
            let planned: Vec<PlannedRun> = runs.iter().map(|(_, run)| run.clone()).collect();
            // What else goes wrong, a process that is killed for one, says nothing of the settings: nothing is recorded,
            // and the same search goes on from there.
            let failures = jobs::train_or_fail_for_good(&planned, self.jobs, observer)?;
            for &at in &open {
                let mut scores = Vec::new();
                for (_, run) in runs.iter().filter(|(trial, _)| *trial == at) {
                    if run.state()? == RunState::Finished {
                        scores.push(self.score(run)?);
                    }
                }
                // A trial of which one run fails is as bad as can be.
                let whole = scores.len() == self.found.request.seeds as usize;
                let score = whole.then(|| scores.iter().sum::<f64>() / scores.len() as f64);
                self.found.trials[at].scores.push(score);
            }
            if let (Some(first), true) =
                (failures.first(), open.iter().all(|&at| self.found.trials[at].last().is_none()))
            {
                return Err(jobs::several(failures.len(), planned.len(), first));
            }
            self.write()?;
        }
        Ok(())
    }

    fn write(&self) -> Result<()> {
        self.found.write(&self.directory, FILE)?;
        if let Some(best) = self.found.best() {
            let config = self.found.request.whole(&best.settings)?;
            let text = format!(
                "# Trial {} of `stpn tune {}`. It was chosen by its score with seeds from {FIRST_SEED} on, so measure it again\n\
                 # with others: `stpn compare FILE --cells … --seeds 5`.\n{}",
                best.number,
                self.found.request.experiment,
                config.to_toml()?
            );
            files::write(&self.directory.join("best.toml"), text)?;
        }
        Ok(())
    }

    /// A run of a trial.
    fn planned(&self, trial: &TrialResult, rung: Rung, seed: u64) -> Result<PlannedRun> {
        let mut request = self.found.request.training(&trial.settings)?;
        // What ends with the run ends where the whole run would.
        let whole = request.configure(1)?;
        let horizon = length_of(&whole, whole.training().updates);
        for schedule in whole.schedules_of_its_length() {
            request.overrides.push(format!("{schedule}.horizon={horizon}").parse()?);
        }
        request.seed = Some(seed);
        match whole {
            RunConfig::Agent(_) => (request.updates, request.steps) = (None, Some(rung.length)),
            RunConfig::Supervised(_) => request.updates = Some(rung.length),
        }
        let config = request.configure(1)?;
        Ok(PlannedRun {
            cell: cell::parse(config.cell().label())?,
            seed,
            size: Sizes::new(&config)?.configured()?,
            config,
            directory: self.directory.join("runs").join(format!("trial{}-seed{seed}", trial.number)),
            request,
        })
    }

    /// What a finished run is measured by: the return on fresh episodes, or the best accuracy on validation data. The
    /// test data of a supervised task have no part in it.
    fn score(&self, run: &PlannedRun) -> Result<f64> {
        let result = measure::result(run, Protocol::sampled(self.found.request.episodes))?;
        match &self.config {
            RunConfig::Agent(_) => Ok(result.result),
            RunConfig::Supervised(_) => {
                let best = result.curve.iter().map(|point| point.value).reduce(f64::max);
                best.ok_or_else(|| Error::Process { run: run.title(), problem: "it was never validated".to_string() })
            }
        }
    }
}

/// Refuses trainings that end before they are validated: nothing else may choose among settings.
fn check_validated(plan: &Halving, config: &RunConfig) -> Result<()> {
    let (RunConfig::Supervised(config), Some(shortest)) = (config, plan.rungs.first()) else { return Ok(()) };
    let (every, epochs) = (config.task.validate_every(), shortest.length);
    if epochs >= every {
        return Ok(());
    }
    let problem = format!("its first trainings have {epochs} epochs, and validation comes after every {every}");
    Err(Error::Unfit(format!(
        "this search has nothing to choose by: {problem}. Give more --updates, or fewer --trials"
    )))
}

/// How many trials are trained how long.
fn plan(request: &Request, config: &RunConfig, jobs: Jobs, observer: &dyn Observer) -> Result<Halving> {
    let updates = config.training().updates;
    let whole = length_of(config, updates);
    let Some(minutes) = request.minutes else { return Ok(Halving::new(request.trials, whole)) };
    let seconds = trial::seconds_per_update(&request.training(&BTreeMap::new())?, jobs.threads)?;
    let per_step = seconds * updates as f64 / whole as f64;
    let affordable = minutes * 60.0 * jobs.jobs as f64 / (per_step * request.seeds as f64);
    let trials = Halving::affordable(request.trials, whole, affordable);
    if trials < request.trials.min(3) {
        let least = Halving::new(request.trials.min(3), whole).cost() as f64 * per_step * request.seeds as f64;
        let needed = least / 60.0 / jobs.jobs as f64;
        let problem = format!("{minutes} minutes are too short for a search, which takes {needed:.1} here at least");
        return Err(Error::Unfit(format!("{problem}: allow more, or fewer updates")));
    }
    observer.note(&format!("{seconds:.3} s an update: {trials} trials in {minutes} minutes"));
    Ok(Halving::new(trials, whole))
}

/// The settings of so many trials; those of the first are the experiment's own. More trials begin with the same.
fn draw(
    request: &Request,
    space: &Space,
    trials: usize,
    spaces: Option<&(stpn_envs::Space, stpn_envs::Space)>,
) -> Result<Vec<TrialResult>> {
    let whole = |settings: &BTreeMap<String, String>| -> Result<()> {
        // Which keys a run gives itself is known only of a run.
        let request = TrainingRequest { seed: Some(FIRST_SEED), updates: Some(1), ..request.training(settings)? };
        let config = request.configure(1)?;
        if let (RunConfig::Agent(config), Some((observations, actions))) = (&config, spaces) {
            config.check_spaces(observations, actions)?;
        }
        Ok(())
    };
    let mut stream = Stream::from_seed(request.seed);
    let mut drawn = vec![TrialResult::new(0, BTreeMap::new())];
    while drawn.len() < trials {
        let mut refused = None;
        let possible = (0..ATTEMPTS).map(|_| space.draw(&mut stream)).find(|settings| {
            refused = whole(settings).err();
            refused.is_none()
        });
        match (possible, refused) {
            (Some(settings), _) => drawn.push(TrialResult::new(drawn.len(), settings)),
            (None, refused) => {
                let problem = format!("{ATTEMPTS} draws from the space were all refused");
                let why = refused.map_or(String::new(), |error| format!(", the last because {error}"));
                return Err(Error::Unfit(problem + &why));
            }
        }
    }
    Ok(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request {
            experiment: "cartpole".into(),
            cell: Some("stpn".into()),
            overrides: Vec::new(),
            updates: Some(20),
            trials: 9,
            minutes: None,
            seed: 1,
            seeds: 1,
            episodes: 5,
            space: None,
        }
    }

    #[test]
    fn more_trials_begin_with_the_same_ones() {
        let request = request();
        let space = Space::of(&request.whole(&BTreeMap::new()).unwrap()).unwrap();
        let (few, many) = (draw(&request, &space, 4, None).unwrap(), draw(&request, &space, 12, None).unwrap());
        assert_eq!(few[..], many[..4]);
        assert!(few[0].settings.is_empty(), "the experiment's own");
        let other = draw(&Request { seed: 2, ..request }, &space, 4, None).unwrap();
        assert_ne!(few, other);
    }

    #[test]
    fn a_trial_was_annealed_to_the_end_of_its_rung() {
        let folder = tempfile::tempdir().unwrap();
        let search = Search::new(request(), folder.path(), Jobs::new(1, 1).unwrap(), &()).unwrap();
        let rungs = &search.found.plan.rungs;
        let (first, last) = (rungs[0], rungs[rungs.len() - 1]);
        let [short, whole] = [first, last].map(|rung| search.planned(&search.found.trials[1], rung, 1001).unwrap());
        assert!(short.config.training().updates < whole.config.training().updates);
        assert_eq!(whole.config.training().updates, 20);
        assert_eq!(short.config.optimizer().learning_rate, whole.config.optimizer().learning_rate);
        assert!(short.config.schedules_of_its_length().is_empty());
    }

    #[test]
    fn values_that_are_never_possible_are_refused() {
        let space = Space::of(&crate::preset("cartpole").unwrap()).unwrap();
        let impossible = Request { overrides: vec!["policy.hidden=0".parse().unwrap()], ..request() };
        let error = draw(&impossible, &space, 2, None).unwrap_err().to_string();
        assert!(error.contains("were all refused") && error.contains("hidden"), "{error}");
    }

    #[test]
    fn keys_that_a_search_gives_itself_or_that_do_nothing_were_searched() {
        let folder = tempfile::tempdir().unwrap();
        for key in ["seed", "training.updates", "rollout.noise_correlation"] {
            let path = folder.path().join("space.toml");
            std::fs::write(
                &path,
                format!("[{key}]\nchoices = [{}]\n", if key.contains("noise") { "0.5" } else { "7" }),
            )
            .unwrap();
            let space = Some(Space::read(&path).unwrap());
            let search = Search::new(Request { space, ..request() }, folder.path(), Jobs::new(1, 1).unwrap(), &());
            let error = search.map(drop).unwrap_err().to_string();
            assert!(error.contains("were all refused") && error.contains(key), "{key}: {error}");
        }
    }
}
