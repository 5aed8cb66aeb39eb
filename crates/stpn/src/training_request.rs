//! A training as it is asked for: an experiment, and what is changed in it.

use std::path::Path;

use stpn_agents::config::ComputeDevice;
use stpn_agents::config::normal::normal;
use stpn_agents::{RunConfig, keys};
use stpn_core::cells::CellName;
use toml::{Table, Value};

use crate::error::Place;
use crate::presets::{Preset, Sizes};
use crate::{Error, Override, Result, algorithm, cell, overrides, paths, presets};

/// An experiment with what is changed in it; what is not given stays as the experiment has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrainingRequest {
    /// A preset or the path of a TOML file.
    pub experiment: String,
    /// The game of the preset `atari`, the environment of the preset `gym`, or the task of the preset `popgym`.
    pub environment: Option<String>,
    /// How hard the task of the preset `popgym` is.
    pub level: Option<String>,
    /// The function that makes an environment of Gymnasium, in place of a registered name.
    pub env_make: Option<String>,
    /// Modules that register environments of Gymnasium.
    pub env_import: Vec<String>,
    /// What an environment of Gymnasium is made with.
    pub env_kwargs: Option<serde_json::Map<String, serde_json::Value>>,
    /// The learning algorithm, with the experiment's discounts.
    pub algorithm: Option<String>,
    /// The recurrent layer; in the size of the published comparison, or matched in parameters, unless that is given.
    pub cell: Option<CellName>,
    /// Units of the recurrent layer.
    pub hidden: Option<usize>,
    /// Seed of every random stream.
    pub seed: Option<u64>,
    /// Updates to train for.
    pub updates: Option<u64>,
    /// Environment steps to train for, over all ranks, rounded up to whole updates.
    pub steps: Option<u64>,
    /// Worker threads.
    pub threads: Option<usize>,
    /// Which device computes the network.
    pub device: Option<ComputeDevice>,
    /// Which path sequences take.
    pub kernel: Option<String>,
    /// Keys of the configuration.
    pub overrides: Vec<Override>,
}

impl TrainingRequest {
    /// The resolved configuration of a run on so many ranks: preset or file, then algorithm and cell, then keys, then
    /// the rest.
    ///
    /// # Errors
    /// Fails if there is no such experiment or something asked for does not fit it.
    pub fn configure(&self, ranks: usize) -> Result<RunConfig> {
        let (table, preset) = presets::load(&self.experiment)?;
        self.configured(table, preset, ranks)
    }

    /// [`TrainingRequest::configure`], on one rank, of a configuration that stands in place of the experiment. Paths in
    /// it are read from the current folder.
    ///
    /// # Errors
    /// [`Error::Unfit`] if an experiment is named too; else as [`TrainingRequest::configure`].
    pub fn configure_table(&self, mut table: Table) -> Result<RunConfig> {
        if !self.experiment.is_empty() {
            let problem = "a configuration is in its place: give one of them";
            return Err(Error::Unfit(format!("{}: {problem}", self.experiment)));
        }
        normal(&mut table);
        paths::make_absolute(&mut table, Path::new(""))?;
        self.configured(table, None, 1)
    }

    fn configured(&self, mut table: Table, preset: Option<&'static Preset>, ranks: usize) -> Result<RunConfig> {
        let which = ["env.id", "env.make", "env.name"].iter().any(|key| overrides::sets(&self.overrides, key));
        if self.experiment == "gym" && self.environment.is_none() && self.env_make.is_none() && !which {
            let problem =
                "gym: which environment? Name one of Gymnasium, e.g. `LunarLander-v3` (env.id), or a function";
            return Err(Error::Unfit(format!("{problem} that makes one (env.make)")));
        }
        name_code(&mut table, self.env_make.as_deref(), &self.env_import);
        if let Some(environment) = &self.environment {
            let key = match self.experiment.as_str() {
                "atari" => "game",
                "gym" => "id",
                "popgym" => "task",
                _ => {
                    let problem = "only the preset `atari` takes a game, `gym` an environment and `popgym` a task";
                    return Err(Error::Unfit(format!("{environment}: {problem}")));
                }
            };
            overrides::section(&mut table, "env").insert(key.into(), Value::String(environment.clone()));
        }
        if let Some(level) = &self.level {
            if self.experiment != "popgym" {
                return Err(Error::Unfit(format!("level {level}: only the preset `popgym` has levels")));
            }
            overrides::section(&mut table, "env").insert("level".into(), Value::String(level.clone()));
        }
        if let Some(kwargs) = &self.env_kwargs {
            if let Some((key, _)) = kwargs.iter().find(|(_, value)| value.is_null()) {
                let problem = "null; a configuration cannot have it: leave the argument out";
                return Err(stpn_agents::Error::config(format!("env.kwargs.{key}"), problem).into());
            }
            let kwargs =
                Value::try_from(kwargs).map_err(|error| stpn_agents::Error::config("env.kwargs", error.to_string()))?;
            overrides::section(&mut table, "env").insert("kwargs".into(), kwargs);
        }
        let reference = table.clone();
        let mut remarks = Vec::new();
        if let Some(name) = &self.algorithm {
            algorithm::replace(&mut table, name)?;
        }
        if let Some(name) = self.cell {
            let dropped = cell::replace(&mut table, name, preset)?;
            if !dropped.is_empty() {
                let (file, dropped) = (&self.experiment, dropped.join(", "));
                remarks
                    .push(format!("{name}: the cell of {file} is of another kind; its options are dropped: {dropped}"));
            }
        }
        remarks.extend(overrides::apply_all(&mut table, &self.overrides)?);
        let discounted = |change: &Override| ["algorithm", "algorithm.gamma"].contains(&change.key());
        if self.experiment == "popgym" && !self.overrides.iter().any(discounted) {
            presets::discount(&mut table);
        }
        paths::make_absolute(&mut table, Path::new(""))?;
        self.refuse_twice(&table)?;
        if let Some(seed) = self.seed {
            let seed = i64::try_from(seed)
                .map_err(|_| stpn_agents::Error::config("seed", format!("must be at most {}", i64::MAX)))?;
            table.insert("seed".into(), Value::Integer(seed));
        }
        if let Some(kernel) = &self.kernel {
            overrides::section(&mut table, "policy").insert("kernel".into(), Value::String(kernel.clone()));
        }
        let mut config = RunConfig::from_table(table).map_err(|error| self.placed(error))?;
        if let Some(hidden) = self.hidden {
            *config.hidden_mut() = hidden;
        } else if let (Some(name), false) = (self.cell, overrides::sets(&self.overrides, "policy.hidden")) {
            *config.hidden_mut() = match preset.and_then(|preset| preset.published_size(name)) {
                Some(size) => size,
                None => matched(&reference, &config)?,
            };
        }
        if let Some(updates) = self.updates {
            config.training_mut().updates = updates;
        }
        if let Some(steps) = self.steps {
            let RunConfig::Agent(config) = &mut config else {
                let problem = "a supervised task counts updates, which are epochs, and no environment steps";
                return Err(stpn_agents::Error::config("training.updates", problem).into());
            };
            let per_update = ranks as u64 * config.rollout.environments as u64 * config.rollout.steps as u64;
            config.training.updates = steps.div_ceil(per_update);
        }
        if let Some(threads) = self.threads {
            config.training_mut().threads = threads;
        }
        if let Some(device) = self.device {
            config.training_mut().device = device;
        }
        config.check()?;
        config.training().device.check()?;
        overrides::warn(&remarks);
        Ok(config)
    }

    /// Refuses what is asked for by itself and, otherwise, by a key that is changed: `table` is as the keys leave it.
    fn refuse_twice(&self, table: &Table) -> Result<()> {
        let given = [
            ("seed", self.seed.is_some()),
            ("policy.hidden", self.hidden.is_some()),
            ("policy.kernel", self.kernel.is_some()),
            ("training.updates", self.updates.is_some() || self.steps.is_some()),
            ("training.threads", self.threads.is_some()),
            ("training.device", self.device.is_some()),
        ];
        let set = |key: &str| overrides::sets(&self.overrides, key);
        if let Some((key, _)) = given.iter().find(|(key, given)| *given && set(key)) {
            let problem = "is given by itself, and once more among the keys to change: give it once";
            return Err(Error::Unfit(format!("{key}: {problem}")));
        }
        // A section may be named again as what it is.
        let is = |key: &str| keys::get(table, key).and_then(Value::as_str).map(str::to_string);
        let mut asked = Table::new();
        if let Some(name) = self.cell {
            let cell = Value::try_from(name.config()).map_err(Error::text)?;
            keys::set(&mut asked, "policy.cell", cell);
        }
        if let Some(name) = &self.algorithm {
            keys::set(&mut asked, "algorithm.name", Value::String(name.clone()));
        }
        for key in ["policy.cell.name", "algorithm.name"] {
            let (asked, there) = (keys::get(&asked, key).and_then(Value::as_str), is(key));
            if asked.is_some() && asked != there.as_deref() {
                let (asked, there) = (asked.unwrap_or_default(), there.unwrap_or_default());
                let problem = format!("{asked} is asked for, and the keys to change make it {there}: give one of them");
                return Err(Error::Unfit(format!("{key}: {problem}")));
            }
        }
        Ok(())
    }

    /// An error in the configuration, with the place where what it refuses was asked for.
    fn placed(&self, error: stpn_agents::Error) -> Error {
        match (&error, &self.kernel) {
            (stpn_agents::Error::Config { key, .. }, Some(kernel)) if key == "policy.kernel" => {
                Error::Placed { place: Place::Kernel(kernel.clone()), error: Box::new(error) }
            }
            _ => presets::placed(error, &self.experiment, &self.overrides),
        }
    }
}

/// Writes to a configuration what makes an environment of Gymnasium; a function takes the place of a registered name.
pub fn name_code(table: &mut Table, make: Option<&str>, import: &[String]) {
    if let Some(make) = make {
        let env = overrides::section(table, "env");
        env.remove("id");
        env.insert("make".into(), Value::String(make.into()));
    }
    if !import.is_empty() {
        let modules = import.iter().cloned().map(Value::String).collect();
        overrides::section(table, "env").insert("import".into(), Value::Array(modules));
    }
}

/// The size of the configured cell that matches the experiment's own network in parameters.
fn matched(reference: &Table, config: &RunConfig) -> Result<usize> {
    let reference = RunConfig::from_table(reference.clone())?;
    let target = Sizes::new(&reference)?.configured()?.parameters;
    Sizes::new(config)?.matched(config.cell(), target)
}

#[cfg(test)]
mod tests {
    use stpn_envs::EnvConfig;
    use stpn_envs::popgym::{Level, PopgymConfig, Task};

    use super::*;

    #[test]
    fn a_task_of_popgym_has_a_level() {
        let asked = |experiment: &str, task: Option<&str>, level: &str| TrainingRequest {
            experiment: experiment.into(),
            environment: task.map(Into::into),
            level: Some(level.into()),
            ..TrainingRequest::default()
        };
        let config = asked("popgym", Some("count-recall"), "hard").configure(1).unwrap();
        let expected = PopgymConfig::published(Task::CountRecall, Level::Hard);
        assert_eq!(config.agent().unwrap().env, EnvConfig::Popgym(expected));
        let refused = |asked: TrainingRequest| asked.configure(1).unwrap_err().to_string();
        assert!(refused(asked("popgym", Some("count-recall"), "expert")).contains("expert"));
        assert!(refused(asked("popgym", Some("labyrinth"), "easy")).contains("labyrinth-escape"));
        assert!(refused(asked("maze", None, "hard")).contains("only the preset `popgym`"));
    }

    #[test]
    fn predictions_of_popgym_have_no_discount_unless_one_is_given() {
        let gamma = |task: Option<&str>, algorithm: Option<&str>, changes: &[&str]| {
            let request = TrainingRequest {
                experiment: "popgym".into(),
                environment: task.map(Into::into),
                algorithm: algorithm.map(Into::into),
                overrides: changes.iter().map(|text| text.parse().unwrap()).collect(),
                ..TrainingRequest::default()
            };
            request.configure(1).unwrap().agent().unwrap().algorithm.gamma()
        };
        assert_eq!(gamma(None, None, &[]), 0.0, "repeat-previous");
        assert_eq!(gamma(Some("higher-lower"), Some("a2c"), &[]), 0.0);
        assert_eq!(gamma(Some("battleship"), None, &[]), 0.95);
        assert_eq!(gamma(Some("battleship"), None, &["env.task=autoencode"]), 0.0);
        assert_eq!(gamma(Some("autoencode"), None, &["algorithm.gamma=0.9"]), 0.9);
        assert_eq!(gamma(None, None, &["env.name=cartpole"]), 0.95);
    }

    #[test]
    fn gym_without_an_environment_trained_on_cartpole() {
        let request = TrainingRequest { experiment: "gym".into(), ..TrainingRequest::default() };
        let error = request.configure(1).unwrap_err().to_string();
        assert!(error.contains("which environment?"), "{error}");
    }

    #[test]
    fn changes_of_a_table_were_not_those_of_a_file() {
        let table = || -> Table { presets::get("cartpole").unwrap().table().unwrap() };
        let changed = |updates, change: &str| {
            let overrides = vec![change.parse().unwrap()];
            TrainingRequest { updates, overrides, ..TrainingRequest::default() }.configure_table(table())
        };
        let config = changed(Some(4), "optimizer.max_grad_norm=none").unwrap();
        assert_eq!((config.training().updates, config.agent().unwrap().optimizer.max_grad_norm), (4, None));
        let twice = changed(Some(4), "training.updates=5").unwrap_err().to_string();
        assert!(twice.contains("training.updates") && twice.contains("give it once"), "{twice}");
        // An error says what was given, and no name of a file.
        let mut wrong = table();
        wrong.insert("size".into(), Value::Integer(3));
        let error = TrainingRequest::default().configure_table(wrong).unwrap_err().to_string();
        assert!(error.contains("size") && !error.starts_with(':'), "{error}");
        let named = TrainingRequest { experiment: "maze".into(), ..TrainingRequest::default() };
        assert!(named.configure_table(table()).unwrap_err().to_string().contains("give one of them"));
    }

    #[test]
    fn sizes_of_an_encoder_that_was_not_named_were_called_a_missing_name() {
        let overrides = vec![Override::new("policy.encoder.sizes", vec![64, 64]).unwrap()];
        let request = TrainingRequest { experiment: "cartpole".into(), overrides, ..TrainingRequest::default() };
        let error = request.configure(1).unwrap_err().to_string();
        assert!(error.contains("mlp") && !error.contains("is missing"), "{error}");
    }

    #[test]
    fn rows_of_a_comparison_were_of_another_cell_than_they_said() {
        let asked = |request: TrainingRequest, change: &str| {
            let overrides = vec![change.parse().unwrap()];
            TrainingRequest { experiment: "cartpole".into(), overrides, ..request }.configure(1)
        };
        let cell = |name| TrainingRequest { cell: Some(name), ..TrainingRequest::default() };
        let others: [(TrainingRequest, &str, &str); 8] = [
            (cell(CellName::Lstm), "policy.cell=gru", "policy.cell.name"),
            (cell(CellName::Lstm), "policy.cell.name=gru", "policy.cell.name"),
            (cell(CellName::Stpnf), "policy={ cell = 'rnn' }", "policy.cell.name"),
            (
                TrainingRequest { algorithm: Some("a2c".into()), ..Default::default() },
                "algorithm=ppo",
                "algorithm.name",
            ),
            (TrainingRequest { seed: Some(1), ..Default::default() }, "seed=2", "seed"),
            (TrainingRequest { hidden: Some(8), ..Default::default() }, "policy.hidden=9", "policy.hidden"),
            (TrainingRequest { updates: Some(1), ..Default::default() }, "training.updates=3", "training.updates"),
            (TrainingRequest { steps: Some(1), ..Default::default() }, "training.updates=3", "training.updates"),
        ];
        for (request, change, key) in others {
            let error = asked(request, change).unwrap_err().to_string();
            assert!(error.contains(key) && error.contains("give"), "{change}: {error}");
        }
        for change in ["policy.cell=lstm", "policy.cell.layer_norm=true"] {
            assert_eq!(asked(cell(CellName::Lstm), change).unwrap().cell().label(), "lstm", "{change}");
        }
    }

    fn configured(experiment: &str, steps: u64, ranks: usize) -> RunConfig {
        TrainingRequest { experiment: experiment.into(), steps: Some(steps), ..TrainingRequest::default() }
            .configure(ranks)
            .unwrap()
    }

    #[test]
    fn steps_were_counted_for_each_rank() {
        // 8 environments × 128 steps an update, on each rank.
        for (ranks, updates) in [(1, 20), (2, 10), (3, 7)] {
            assert_eq!(configured("cartpole", 20_480, ranks).training().updates, updates, "{ranks} ranks");
        }
    }

    #[test]
    fn a_size_set_with_its_section_was_matched_away() {
        for setting in ["policy={ cell = { name = 'lstm' }, hidden = 7 }", "policy.hidden=7"] {
            let request = TrainingRequest {
                experiment: "cartpole".into(),
                cell: Some(CellName::Lstm),
                overrides: vec![setting.parse().unwrap()],
                ..TrainingRequest::default()
            };
            assert_eq!(*request.configure(1).unwrap().hidden(), 7, "{setting}");
        }
    }

    #[test]
    fn presets_anneal_over_whatever_length_is_asked_for() {
        for (experiment, scheduled) in [("cartpole", true), ("cartpole-masked", true), ("maze", false)] {
            let expected: &[&str] = if scheduled { &["optimizer.learning_rate"] } else { &[] };
            assert_eq!(configured(experiment, 1_000_000, 1).schedules_of_its_length(), expected, "{experiment}");
        }
    }
}
