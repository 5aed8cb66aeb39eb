//! What a search has found.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::halving::Halving;
use super::request::Request;
use super::space::Space;
use crate::machine::Provenance;
use crate::progress::thousands;
use crate::{Result, files, table};

/// A search as `search.json` holds it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Found {
    /// What was asked for.
    pub request: Request,
    /// What is searched.
    pub space: Space,
    /// How many trials are trained how long.
    pub plan: Halving,
    /// The trials by number.
    pub trials: Vec<TrialResult>,
    /// Where and with which program it was begun.
    pub provenance: String,
}

/// A trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialResult {
    /// Its number, from 0.
    pub number: usize,
    /// Values of the searched keys; none of trial 0, which has the experiment's own.
    pub settings: BTreeMap<String, String>,
    /// The score of each rung that it took part in, the mean over seeds; none if a run of it failed.
    pub scores: Vec<Option<f64>>,
}

impl TrialResult {
    /// One that was not trained yet.
    pub(super) fn new(number: usize, settings: BTreeMap<String, String>) -> Self {
        Self { number, settings, scores: Vec::new() }
    }

    /// Whether it has no score of that rung yet.
    pub(super) fn open(&self, rung: usize) -> bool {
        self.scores.len() <= rung
    }

    /// Its last score.
    pub fn last(&self) -> Option<f64> {
        self.scores.last().copied().flatten()
    }
}

impl Found {
    /// Of a search that begins.
    pub(super) fn new(request: Request, space: Space, plan: Halving, trials: Vec<TrialResult>) -> Self {
        Self { request, space, plan, trials, provenance: Provenance::here().line() }
    }

    /// Trials from the best to the worst: those of later rungs first, equal ones by number.
    pub fn ranked(&self) -> Vec<&TrialResult> {
        let mut ranked: Vec<&TrialResult> = self.trials.iter().collect();
        let key = |trial: &TrialResult| (trial.scores.len(), trial.last().unwrap_or(f64::NEG_INFINITY));
        ranked.sort_by(|one, other| {
            let ((rungs, score), (others, other_score)) = (key(one), key(other));
            others.cmp(&rungs).then(other_score.total_cmp(&score))
        });
        ranked
    }

    /// The trials that take part in a rung, once those before are done: the best of the rung before.
    pub(super) fn going_on(&self, rung: usize) -> impl Iterator<Item = usize> {
        let mut trials: Vec<usize> = (0..self.trials.len()).collect();
        if rung > 0 {
            let score = |at: usize| self.trials[at].scores.get(rung - 1).copied().flatten();
            trials.retain(|&at| score(at).is_some());
            trials.sort_by(|&one, &other| {
                let score = |at| score(at).unwrap_or(f64::NEG_INFINITY);
                score(other).total_cmp(&score(one))
            });
            trials.truncate(self.plan.rungs[rung].trials);
        }
        trials.into_iter()
    }

    /// The best trial of the last rung; none before the search has ended.
    pub fn best(&self) -> Option<&TrialResult> {
        let whole = |trial: &&TrialResult| trial.scores.len() == self.plan.rungs.len();
        self.ranked().into_iter().find(|trial| whole(trial) && trial.last().is_some())
    }

    /// Header and rows of the table: every trial with its settings and scores, from the best to the worst.
    fn rows(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let keys: Vec<&str> = self.space.keys().collect();
        let lengths = self.plan.rungs.iter().map(|rung| format!("after {}", thousands(rung.length)));
        let header = ["trial".to_string()].into_iter().chain(lengths).chain(keys.iter().map(ToString::to_string));
        let rows = self.ranked().into_iter().map(|trial| {
            let scores = (0..self.plan.rungs.len()).map(|rung| match trial.scores.get(rung) {
                Some(Some(score)) => format!("{score:.3}"),
                Some(None) => "failed".into(),
                None => String::new(),
            });
            let settings = keys.iter().map(|key| match trial.settings.get(*key) {
                Some(value) => value.clone(),
                None => "as it is".into(),
            });
            [trial.number.to_string()].into_iter().chain(scores).chain(settings).collect()
        });
        (header.collect(), rows.collect())
    }

    /// The best trials as lines of text: number, scores and settings.
    pub fn text(&self, most: usize) -> String {
        let scores = 1 + self.plan.rungs.len();
        let (header, rows) = self.rows();
        let header: Vec<&str> = header[..scores].iter().map(String::as_str).chain(["settings"]).collect();
        let rows: Vec<Vec<String>> = (rows.into_iter().zip(self.ranked()).take(most))
            .map(|(row, trial)| {
                let settings = trial.settings.iter().map(|(key, value)| {
                    let short = key.split_once('.').map_or(key.as_str(), |(_, rest)| rest);
                    format!("{short} {value}")
                });
                let settings = settings.collect::<Vec<_>>().join(", ");
                let settings = if settings.is_empty() { "the experiment's own".into() } else { settings };
                row[..scores].iter().cloned().chain([settings]).collect()
            })
            .collect();
        table::text(&header, &rows, &(0..scores).collect::<Vec<_>>())
    }

    /// Writes `search.json` and `search.md`.
    pub(super) fn write(&self, directory: &Path, file: &str) -> Result<()> {
        files::write(&directory.join(file), files::json(self)?)?;
        let Request { experiment, seeds, seed, .. } = &self.request;
        let (header, rows) = self.rows();
        let mut text =
            format!("# Search: {experiment}\n\n| {} |\n|{}\n", header.join(" | "), "---|".repeat(header.len()));
        for row in rows {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "| {} |", row.join(" | "));
        }
        let scores = "Scores are mean returns on fresh episodes after so many environment steps, or validation accuracies \
                      after so many epochs";
        let _ = writeln!(
            text,
            "\n{scores}: the mean over {seeds} run(s), with seeds from 1001 on. The best third of a column is in the next. \
             The search has seed {seed}. {}.",
            self.provenance
        );
        files::write(&directory.join("search.md"), text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(scores: &[&[Option<f64>]]) -> Found {
        let trials = scores.iter().enumerate().map(|(number, scores)| TrialResult {
            number,
            settings: BTreeMap::new(),
            scores: scores.to_vec(),
        });
        let request = Request {
            experiment: "cartpole".into(),
            cell: None,
            overrides: Vec::new(),
            updates: None,
            trials: scores.len(),
            minutes: None,
            seed: 1,
            seeds: 1,
            episodes: 1,
            space: None,
        };
        Found::new(request, Space::default(), Halving::new(scores.len(), 900), trials.collect())
    }

    #[test]
    fn the_best_go_on_and_failed_ones_do_not() {
        let some = |score: f64| Some(score);
        let found = found(&[
            &[some(1.0)],
            &[None],
            &[some(3.0), some(2.0)],
            &[some(2.0)],
            &[some(5.0), some(9.0), some(8.0)],
            &[some(4.0), some(1.0)],
            &[some(-1.0)],
            &[None],
            &[some(0.0)],
        ]);
        assert_eq!(found.going_on(0).collect::<Vec<_>>(), (0..9).collect::<Vec<_>>());
        assert_eq!(found.going_on(1).collect::<Vec<_>>(), [4, 5, 2]);
        assert_eq!(found.going_on(2).collect::<Vec<_>>(), [4]);
        assert_eq!(found.best().unwrap().number, 4);
        let order: Vec<usize> = found.ranked().iter().map(|trial| trial.number).collect();
        assert_eq!(order, [4, 2, 5, 3, 0, 8, 6, 1, 7]);
    }

    #[test]
    fn nothing_is_the_best_before_the_end() {
        assert!(found(&[&[Some(1.0)], &[Some(2.0)], &[Some(3.0)]]).best().is_none());
        assert!(found(&[&[None, None], &[Some(2.0)], &[]]).best().is_none());
    }
}
