//! Aggregates over tasks and seeds that a lucky seed moves little, with bootstrap intervals: Agarwal et al. 2021, *Deep
//! reinforcement learning at the edge of the statistical precipice*, whose program rliable gives the same numbers.

use serde::{Deserialize, Serialize};
use stpn_random::Stream;

/// Resamples of an interval.
pub const RESAMPLES: usize = 10_000;

/// How these intervals are made, below every table that has some.
pub const METHOD: &str = "95 % intervals by stratified bootstrap over seeds, 10,000 resamples, percentiles";

/// The parts of which the two in the middle are averaged.
const QUARTERS: usize = 4;

/// Every interval is made from the same draws.
const SEED: u64 = 0;

/// Scores of one method: of each task one per seed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores(pub Vec<Vec<f64>>);

/// A number with its 95 % bootstrap interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Of the scores themselves.
    pub value: f64,
    /// 2.5 % and 97.5 % percentiles over resamples.
    pub interval: [f64; 2],
}

impl Estimate {
    /// `value [low, high]` with that many decimals.
    pub fn display(&self, decimals: usize) -> String {
        let Self { value, interval: [low, high] } = self;
        format!("{value:.decimals$} [{low:.decimals$}, {high:.decimals$}]")
    }
}

impl Scores {
    /// True if a task is without a seed, or there is no task: nothing can then be said.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty() || self.0.iter().any(Vec::is_empty)
    }

    /// Mean of the middle half of all scores of all tasks; none of fewer than four scores, of which it would be the plain
    /// mean.
    pub fn interquartile_mean(&self) -> Option<Estimate> {
        let enough = !self.is_empty() && self.0.iter().map(Vec::len).sum::<usize>() >= QUARTERS;
        enough.then(|| {
            let resampled = |stream: &mut Stream| interquartile_mean(&self.resample(stream));
            Estimate { value: interquartile_mean(self), interval: bootstrap(resampled) }
        })
    }

    /// Probability that a seed of this method scores better than one of `other` on a task drawn at random, equal scores
    /// counted half; none if they have not the same number of tasks.
    pub fn probability_of_improvement(&self, other: &Self) -> Option<Estimate> {
        let comparable = !self.is_empty() && !other.is_empty() && self.0.len() == other.0.len();
        comparable.then(|| {
            let resampled = |stream: &mut Stream| improvement(&self.resample(stream), &other.resample(stream));
            Estimate { value: improvement(self, other), interval: bootstrap(resampled) }
        })
    }

    /// Share of all scores of all tasks that lie above each threshold, a performance profile, with the interval of each
    /// share by itself; none if there are no scores.
    pub fn profile(&self, thresholds: &[f64]) -> Option<Vec<Estimate>> {
        if self.is_empty() {
            return None;
        }
        let mut stream = Stream::from_seed(SEED);
        let mut shares = vec![Vec::with_capacity(RESAMPLES); thresholds.len()];
        for _ in 0..RESAMPLES {
            let resampled = self.resample(&mut stream);
            shares.iter_mut().zip(thresholds).for_each(|(shares, least)| shares.push(above(&resampled, *least)));
        }
        let estimate =
            |(least, shares): (&f64, Vec<f64>)| Estimate { value: above(self, *least), interval: ends(shares) };
        Some(thresholds.iter().zip(shares).map(estimate).collect())
    }

    /// As many seeds of every task, drawn with replacement among the task's own.
    fn resample(&self, stream: &mut Stream) -> Self {
        let draw = |seeds: &Vec<f64>| seeds.iter().map(|_| seeds[stream.below(seeds.len())]).collect();
        Self(self.0.iter().map(draw).collect())
    }
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    values.sum::<f64>() / count
}

/// Without ⌊n/4⌋ scores at either end.
fn interquartile_mean(scores: &Scores) -> f64 {
    let mut all: Vec<f64> = scores.0.iter().flatten().copied().collect();
    all.sort_by(f64::total_cmp);
    let cut = all.len() / QUARTERS;
    mean(all[cut..all.len() - cut].iter().copied())
}

/// Share of the scores beyond a threshold.
fn above(scores: &Scores, least: f64) -> f64 {
    let all = scores.0.iter().flatten();
    all.clone().filter(|score| **score > least).count() as f64 / all.count() as f64
}

/// The Mann–Whitney U statistic per pair of seeds, averaged over tasks.
fn improvement(better: &Scores, worse: &Scores) -> f64 {
    let won = |x: f64, y: f64| match x.partial_cmp(&y) {
        Some(std::cmp::Ordering::Greater) => 1.0,
        Some(std::cmp::Ordering::Equal) => 0.5,
        _ => 0.0,
    };
    let task = |(x, y): (&Vec<f64>, &Vec<f64>)| mean(x.iter().map(|x| mean(y.iter().map(|y| won(*x, *y)))));
    mean(better.0.iter().zip(&worse.0).map(task))
}

/// Percentiles of a statistic over resamples.
fn bootstrap(mut statistic: impl FnMut(&mut Stream) -> f64) -> [f64; 2] {
    let mut stream = Stream::from_seed(SEED);
    ends((0..RESAMPLES).map(|_| statistic(&mut stream)).collect())
}

/// The percentiles between which an interval lies.
fn ends(mut values: Vec<f64>) -> [f64; 2] {
    values.sort_by(f64::total_cmp);
    [0.025, 0.975].map(|share| percentile(&values, share))
}

/// Of sorted values, of which there are some, linear between neighbours.
pub fn percentile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// What `scripts/record_rliable.py` wrote.
    #[derive(Deserialize)]
    struct Recorded {
        scores: BTreeMap<String, Vec<Vec<f64>>>,
        iqm: BTreeMap<String, [f64; 3]>,
        improvement: BTreeMap<String, [f64; 3]>,
    }

    /// Points agree to rounding, ends of intervals to what 10,000 resamples leave open.
    fn assert_agrees(what: &str, ours: Estimate, [value, low, high]: [f64; 3]) {
        assert!((ours.value - value).abs() < 1e-12, "{what}: {} for {value}", ours.value);
        let open = 0.05 * (high - low);
        for (end, expected) in ours.interval.into_iter().zip([low, high]) {
            assert!((end - expected).abs() < open, "{what}: {end} for {expected}");
        }
    }

    #[test]
    fn aggregates_are_those_of_rliable() {
        let recorded: Recorded = serde_json::from_str(include_str!("../../tests/data/rliable.json")).unwrap();
        let scores = |name: &str| Scores(recorded.scores[name].clone());
        for (name, expected) in &recorded.iqm {
            assert_agrees(name, scores(name).interquartile_mean().unwrap(), *expected);
        }
        for (pair, expected) in &recorded.improvement {
            let (better, worse) = pair.split_once(',').unwrap();
            assert_agrees(pair, scores(better).probability_of_improvement(&scores(worse)).unwrap(), *expected);
        }
        assert_eq!((recorded.iqm.len(), recorded.improvement.len()), (3, 2));
    }

    #[test]
    fn the_plain_mean_of_three_seeds_was_called_interquartile() {
        assert_eq!(Scores(vec![vec![0.1, 0.2, 0.9]]).interquartile_mean(), None);
        let four = Scores(vec![vec![0.1, 0.2, 0.4, 0.9]]).interquartile_mean().unwrap();
        assert!((four.value - 0.3).abs() < 1e-12, "{four:?}");
        assert!(Scores(vec![vec![0.1, 0.2], vec![0.4, 0.9]]).interquartile_mean().is_some(), "of all tasks together");
    }

    #[test]
    fn a_profile_is_the_share_of_scores_above_each_threshold() {
        let scores = Scores(vec![vec![0.1, 0.4], vec![0.6, 0.6]]);
        let profile = scores.profile(&[0.0, 0.1, 0.4, 0.6]).unwrap();
        assert_eq!(profile.iter().map(|at| at.value).collect::<Vec<_>>(), [1.0, 0.75, 0.5, 0.0]);
        // Of the first task both, one or none are drawn; of the second both always.
        assert_eq!(profile[1].interval, [0.5, 1.0]);
        assert_eq!((profile[0].interval, profile[3].interval), ([1.0, 1.0], [0.0, 0.0]));
        assert_eq!(Scores::default().profile(&[0.0]), None);
    }

    #[test]
    fn an_interval_repeats_and_equal_seeds_have_none_of_width() {
        let scores = Scores(vec![vec![0.1, 0.7, 0.3, 0.9]]);
        assert_eq!(scores.interquartile_mean(), scores.interquartile_mean());
        let equal = Scores(vec![vec![0.5; 4]]).interquartile_mean().unwrap();
        assert_eq!((equal.value, equal.interval), (0.5, [0.5, 0.5]));
        assert_eq!(Scores::default().interquartile_mean(), None);
        assert_eq!(scores.probability_of_improvement(&Scores(vec![vec![1.0], vec![2.0]])), None);
    }
}
