//! The whole report on a set of runs, from their directories.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use stpn_agents::{Agent, RunConfig};

use super::curves::{self, FINAL, Outcome};
use super::episode;
use super::figure::Figure;
use super::grouping::{Experiment, experiments};
use super::page::{Section, html};
use super::plasticity::{self, Rates};
use super::runs::RunData;
use crate::baselines::Baselines;
use crate::comparison::across::{Across, OnTask, SCORE};
use crate::comparison::statistics::METHOD;
use crate::machine::Provenance;
use crate::progress::thousands;
use crate::{Error, Result};

/// Episodes that the random policy's level is measured by.
const RANDOM_EPISODES: usize = 500;

/// Names of references.
const RANDOM: &str = "random policy";
const ORACLE: &str = "oracle";

/// A report that can be written as a page, or figure by figure.
pub struct Report {
    /// The page's title: the runs.
    pub title: String,
    /// Where it was made.
    pub lead: String,
    /// Figures, tables and configurations, in order.
    pub sections: Vec<Section>,
    /// What is to be said of runs that are not drawn, or not in full.
    pub remarks: Vec<Remark>,
}

/// What is to be said of a run.
#[derive(Debug)]
pub struct Remark {
    /// Its directory.
    pub directory: PathBuf,
    /// What is to be said.
    pub text: String,
    /// The error behind it, if there is one.
    pub error: Option<Error>,
}

impl Report {
    /// Of the runs in these directories. Runs in one environment are drawn together, those that differ in the seed alone
    /// as one series; of every series one run is looked into, in the episode of `episode_seed`.
    ///
    /// # Errors
    /// Fails, with the first reason, if none of the runs can be drawn.
    pub fn of(directories: &[PathBuf], episode_seed: u64) -> Result<Self> {
        let (runs, mut remarks) = read(directories)?;
        let experiments = experiments(&runs);
        let (mut sections, mut tasks) = (Vec::new(), Vec::new());
        for experiment in &experiments {
            let levels = levels(experiment)?;
            tasks.extend(on_task(experiment, &levels));
            let mut figures = vec![curves::learning_curves(experiment, &levels)];
            figures.extend(curves::energy(experiment));
            sections.push(Section::Figures { title: experiment.title.clone(), figures });
            sections.push(results(experiment)?);
        }
        sections.extend(Across::of(&tasks).as_ref().and_then(over_tasks).into_iter().flatten());
        let groups = experiments.iter().flat_map(|experiment| &experiment.groups);
        let detailed = groups.filter_map(|group| group.runs.iter().find(|run| run.checkpoint.is_some()));
        for run in detailed {
            match inside(run, episode_seed) {
                Ok(more) => sections.extend(more),
                Err(error) => remarks.push(Remark::of(&run.directory, "not looked into", error)),
            }
        }
        sections.extend(remarked(&remarks));
        for run in &runs {
            let title = format!("Configuration of {}", run.name());
            sections.push(Section::Text { title, text: run.table.to_string() });
        }
        tell_apart(&mut sections);
        let names: Vec<String> = runs.iter().map(RunData::name).collect();
        let title = format!("stpn report: {}", names.join(", "));
        Ok(Self { title, lead: format!("Drawn on {}.", Provenance::here().line()), sections, remarks })
    }

    /// One self-contained page.
    pub fn html(&self) -> String {
        html(&self.title, &self.lead, &self.sections)
    }

    /// All figures, in order; their identifiers differ.
    pub fn figures(&self) -> impl Iterator<Item = &Figure> {
        self.sections.iter().flat_map(|section| match section {
            Section::Figures { figures, .. } => figures.as_slice(),
            _ => &[],
        })
    }
}

impl Remark {
    fn of(directory: &Path, what: &str, error: Error) -> Self {
        Self { directory: directory.to_path_buf(), text: format!("{what}: {error}"), error: Some(error) }
    }
}

/// The runs that can be drawn, and what is to be said of directories that cannot or only in part.
fn read(directories: &[PathBuf]) -> Result<(Vec<RunData>, Vec<Remark>)> {
    let (mut runs, mut remarks): (Vec<RunData>, Vec<Remark>) = (Vec::new(), Vec::new());
    // A folder of runs has other files beside them.
    let files = directories.iter().filter(|path| path.is_file()).count();
    let directories = directories.iter().filter(|path| files == directories.len() || !path.is_file());
    for directory in directories {
        match RunData::read(directory) {
            Ok(mut run) => {
                let drawn = match run.checkpoint {
                    Some(_) => "drawn from an older checkpoint",
                    None => "drawn from its metrics alone",
                };
                remarks.extend(run.problem.take().map(|problem| Remark {
                    directory: directory.clone(),
                    text: format!("{drawn}: {}", problem.text),
                    error: problem.error,
                }));
                runs.push(run);
            }
            Err(error) => remarks.push(Remark::of(directory, "passed over", error)),
        }
    }
    remarks.extend(drop_repeats(&mut runs));
    if runs.is_empty()
        && let Some(error) = remarks.iter_mut().find_map(|remark| remark.error.take())
    {
        return Err(error);
    }
    Ok((runs, remarks))
}

/// Leaves of runs that are alike, the seed included, only the longest: repeating a run makes no second sample of it.
fn drop_repeats(runs: &mut Vec<RunData>) -> Vec<Remark> {
    let mut remarks = Vec::new();
    let mut kept: Vec<RunData> = Vec::new();
    for run in runs.drain(..) {
        let alike = |other: &&mut RunData| {
            (&other.experiment, other.seed, &other.settings) == (&run.experiment, run.seed, &run.settings)
        };
        let Some(before) = kept.iter_mut().find(alike) else {
            kept.push(run);
            continue;
        };
        let longer = run.lines.len() > before.lines.len();
        let repeat = if longer { std::mem::replace(before, run) } else { run };
        let text = format!("passed over: the same as {}, seed and all", before.directory.display());
        remarks.push(Remark { directory: repeat.directory, text, error: None });
    }
    *runs = kept;
    remarks
}

fn remarked(remarks: &[Remark]) -> Option<Section> {
    let row = |remark: &Remark| vec![remark.directory.display().to_string(), remark.text.clone()];
    (!remarks.is_empty()).then(|| Section::Table {
        title: "Not drawn, or not in full".into(),
        caption: String::new(),
        header: ["run", "why"].map(String::from).to_vec(),
        rows: remarks.iter().map(row).collect(),
    })
}

/// What a run's network has learned, and one of its episodes; nothing without a checkpoint.
fn inside(run: &RunData, episode_seed: u64) -> Result<Vec<Section>> {
    let named = |mut figure: Figure| {
        figure.id = format!("{}-{}", run.name(), figure.id);
        figure
    };
    let mut sections = Vec::new();
    let Some(checkpoint) = &run.checkpoint else { return Ok(sections) };
    if let Some(rates) = Rates::of(run)? {
        let figures = plasticity::rates(&rates)?.into_iter().map(named).collect();
        sections
            .push(Section::Figures { title: format!("What plasticity learned: {}", named_with_seed(run)), figures });
    }
    let RunConfig::Agent(config) = &checkpoint.config else { return Ok(sections) };
    let agent = Agent::of_checkpoint(checkpoint)?;
    let recording = episode::record(&config.env, &agent.subject(), episode_seed, false)?;
    let mut figures = match &recording.path {
        Some(path) => path.figures(),
        None => Vec::new(),
    };
    figures.extend(recording.strip.figure()?);
    figures.extend(plasticity::fast_weights(&recording)?);
    if !figures.is_empty() {
        let of = format!("episode {episode_seed}, return {:.1}", recording.total_reward);
        let title = format!("One episode of {} ({of})", named_with_seed(run));
        sections.push(Section::Figures { title, figures: figures.into_iter().map(named).collect() });
    }
    Ok(sections)
}

/// A run's folder and seed.
fn named_with_seed(run: &RunData) -> String {
    format!("{}, {} of seed {}", run.name(), run.cell, run.seed)
}

/// Figures of runs whose directories have one name would overwrite each other.
fn tell_apart(sections: &mut [Section]) {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for section in sections {
        let Section::Figures { figures, .. } = section else { continue };
        for figure in figures {
            let count = seen.entry(figure.id.clone()).or_default();
            *count += 1;
            if *count > 1 {
                figure.id = format!("{}-{count}", figure.id);
            }
        }
    }
}

/// The random policy and the oracle, if the environment is in this build and has one.
fn levels(experiment: &Experiment<'_>) -> Result<Vec<(String, f64)>> {
    let mut runs = experiment.groups.iter().flat_map(|group| &group.runs);
    let Some(RunConfig::Agent(config)) = runs.find_map(|run| run.config.as_ref()) else { return Ok(Vec::new()) };
    let references = Baselines::measure(config, RANDOM_EPISODES)?;
    let mut levels = vec![(RANDOM.to_string(), references.random)];
    levels.extend(references.oracle.map(|oracle| (ORACLE.to_string(), oracle)));
    Ok(levels)
}

/// An experiment's results as those of one of several tasks; none if all that is known of it is a loss.
fn on_task(experiment: &Experiment<'_>, levels: &[(String, f64)]) -> Option<OnTask> {
    let level = |wanted: &str| levels.iter().find(|(name, _)| name == wanted).map(|(_, level)| *level);
    let first = experiment.groups.iter().find_map(|group| group.runs.first())?;
    let result = first.result().0;
    (!result.starts_with("losses/")).then(|| OnTask {
        task: experiment.title.clone(),
        random: level(RANDOM),
        oracle: level(ORACLE),
        possible: first.possible(result),
        methods: experiment.groups.iter().map(|group| (group.name.clone(), curves::results(group))).collect(),
    })
}

/// What is said over all tasks, where series of one name are on each of them.
fn over_tasks(across: &Across) -> Option<[Section; 2]> {
    let figure = Figure {
        id: "profiles".into(),
        title: "Performance profiles".into(),
        caption:
            "Share of runs whose score lies above a threshold, over all tasks. Shaded: 95 % interval of each share \
                  by itself. Below the table is what a score is."
                .into(),
        series: across.methods().map(String::from).collect(),
        svg: across.profiles().picture(SCORE)?,
    };
    let (header, rows) = across.rows();
    Some([
        Section::Figures { title: "Over all tasks".into(), figures: vec![figure] },
        Section::Table { title: "Aggregates over all tasks".into(), caption: across.caption(), header, rows },
    ])
}

/// The table of an experiment's final results.
fn results(experiment: &Experiment<'_>) -> Result<Section> {
    let first = experiment.groups.iter().find_map(|group| group.runs.first());
    let result = first.map_or("", |run| run.result().1);
    let header = ["series", "units", "parameters", "seeds", "updates", result, "energy"].map(String::from).to_vec();
    let mut rows = Vec::new();
    for group in &experiment.groups {
        let Some(run) = group.runs.first() else { continue };
        let outcome = Outcome::of(group);
        let with_network = group.runs.iter().find(|run| run.checkpoint.is_some());
        let parameters = with_network.map(|run| run.parameters()).transpose()?;
        let parameters = parameters.map(|all| all.iter().map(|parameter| parameter.values.len()).sum::<usize>());
        let mut updates: Vec<u64> = group.runs.iter().map(|run| run.updates()).collect();
        updates.dedup();
        rows.push(vec![
            group.name.clone(),
            run.hidden.to_string(),
            parameters.map_or("–".into(), |count| thousands(count as u64)),
            group.runs.iter().map(|run| run.seed.to_string()).collect::<Vec<_>>().join(", "),
            updates.into_iter().map(thousands).collect::<Vec<_>>().join(", "),
            curves::shown(outcome.result),
            curves::shown(outcome.energy),
        ]);
    }
    Ok(Section::Table {
        title: "Results".into(),
        caption: format!(
            "Means over the last {FINAL} updates (of returns: over their episodes) and over seeds {METHOD}. If \
             seeds have come unequally far, all are taken at the update of the one that is least far."
        ),
        header,
        rows,
    })
}
