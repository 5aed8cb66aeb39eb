//! How long the runs of an experiment are.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::comparison::jobs::Jobs;
use crate::comparison::{Plan, trial};
use crate::{Result, files};

/// How long runs are to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wanted {
    /// As published.
    Published,
    /// So many updates.
    Updates(u64),
    /// What an experiment can do in so many minutes.
    Minutes(f64),
}

/// How long the runs of an experiment are, as `plan.json` holds it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Length {
    /// Updates at the published settings.
    pub published_updates: u64,
    /// Updates of every run here.
    pub updates: u64,
    /// The budget in minutes that this follows from.
    pub budget_minutes: Option<f64>,
    /// Seconds of an update of each cell, measured beforehand.
    pub seconds_per_update: BTreeMap<String, f64>,
}

/// How long the runs are: as published, as asked, or as many updates, equal for all cells, as take the share of the
/// budget. A plan made before is only ever lengthened, so that its runs can be continued.
///
/// # Errors
/// Fails if a trial fails or the plan cannot be written.
pub fn length(plan: &Plan, path: &Path, wanted: Wanted, jobs: Jobs, seeds: u64) -> Result<Length> {
    let published_updates = plan.runs.first().map_or(1, |run| run.config.training().updates);
    let earlier: Length =
        fs::read_to_string(path).ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let mut length = Length { published_updates, budget_minutes: None, ..earlier.clone() };
    let updates = match wanted {
        Wanted::Published => published_updates,
        Wanted::Updates(updates) => updates,
        Wanted::Minutes(minutes) => {
            length.budget_minutes = Some(minutes);
            for run in plan.runs.iter().filter(|run| run.seed == 1) {
                if let Entry::Vacant(entry) = length.seconds_per_update.entry(run.cell.to_string()) {
                    entry.insert(trial::seconds_per_update(&run.request, jobs.threads)?);
                }
            }
            let cells = plan.runs.iter().filter(|run| run.seed == 1).map(|run| run.cell.to_string());
            let per_update: f64 = cells.filter_map(|cell| length.seconds_per_update.get(&cell)).sum();
            let affordable = minutes * 60.0 * jobs.jobs as f64 / (per_update * seeds as f64);
            (affordable as u64).clamp(1, published_updates)
        }
    };
    length.updates = updates.max(earlier.updates);
    files::write(path, files::json(&length)?)?;
    Ok(length)
}

impl Length {
    /// What was shortened and how.
    pub fn statement(&self) -> String {
        let Self { published_updates, updates, budget_minutes, .. } = self;
        if updates == published_updates {
            return format!("At the published length of {updates} updates.");
        }
        if updates > published_updates {
            return format!("**Longer**: {updates} updates in place of {published_updates}.");
        }
        let budget = budget_minutes.map_or(String::new(), |minutes| format!(" for a budget of {minutes:.1} minutes"));
        format!("**Shortened**: {updates} updates in place of {published_updates}{budget}, the same for every cell.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortened_experiment_says_so() {
        let whole = Length { published_updates: 200, updates: 200, ..Length::default() };
        assert!(!whole.statement().contains("Shortened"));
        let long = Length { updates: 201, ..whole.clone() };
        assert!(long.statement().contains("**Longer**: 201 updates in place of 200"), "{}", long.statement());
        let short = Length { updates: 7, budget_minutes: Some(2.5), ..whole };
        let statement = short.statement();
        assert!(statement.contains("7 updates in place of 200") && statement.contains("2.5 minutes"), "{statement}");
    }
}
