//! The picture of a suite: performance profiles.

use super::results::SuiteResults;
use crate::comparison::aggregate::Estimate;
use crate::comparison::statistics::SHARE;
use crate::report::chart::{Chart, Line};

/// Steps between 0 and 1 at which a profile is told.
const STEPS: u32 = 50;

/// A cell with its profile: share of runs above each threshold.
pub(super) type Profile = (String, Vec<(f64, Estimate)>);

/// Profiles of final returns, from [−1, 1] to [0, 1]; of no runs none.
pub(super) fn profiles(results: &SuiteResults) -> Vec<Profile> {
    let thresholds: Vec<f64> = (0..=STEPS).map(|step| f64::from(step) / f64::from(STEPS)).collect();
    let profile = |cell: &str| {
        let scores = results.scores(cell, |run| Some(normalized(run.result)));
        let shares = scores.profile(&thresholds)?;
        Some((cell.to_string(), thresholds.iter().copied().zip(shares).collect()))
    };
    results.cells().filter_map(profile).collect()
}

/// A return as a share of the range [−1, 1]. The worst games of battleship end below it, and sums of rewards that make 1
/// may lie above it by a rounding.
fn normalized(value: f64) -> f64 {
    f64::midpoint(value, 1.0).clamp(0.0, 1.0)
}

/// The profiles, a line a cell; none of no runs.
pub(super) fn picture(profiles: &[Profile]) -> Option<String> {
    let line = |(i, (cell, shares)): (usize, &Profile)| Line {
        name: cell.clone(),
        style: i,
        points: shares.iter().map(|(at, share)| (*at, share.value)).collect(),
        band: shares.iter().map(|(at, Estimate { interval: [low, high], .. })| (*at, *low, *high)).collect(),
        ..Line::default()
    };
    let chart = Chart {
        x_label: "final return r as a share of its range, (r + 1) / 2".into(),
        y_label: "runs above it (share)".into(),
        possible_x: SHARE,
        possible_y: SHARE,
        lines: profiles.iter().enumerate().map(line).collect(),
        ..Chart::default()
    };
    (!profiles.is_empty()).then(|| chart.svg())
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::made_up;
    use super::*;

    #[test]
    fn a_return_of_one_lay_above_one_by_a_rounding() {
        let results = made_up(&[&[("stpn", [1.0 + 4.0 * f64::EPSILON, 1.0])]]);
        assert_eq!(profiles(&results)[0].1[STEPS as usize].1.value, 0.0);
    }

    #[test]
    fn profiles_fall_from_all_runs_to_none() {
        let results = made_up(&[&[("stpn", [0.0, 0.5]), ("lstm", [-1.0, 1.0])]]);
        let profiles = profiles(&results);
        let at = |cell: usize, step: usize| profiles[cell].1[step].1.value;
        assert_eq!([at(0, 0), at(0, 24), at(0, 25), at(0, 37), at(0, 38)], [1.0, 1.0, 0.5, 0.5, 0.0]);
        assert_eq!([at(1, 0), at(1, 49), at(1, 50)], [0.5, 0.5, 0.0], "above it, not at it");
        let svg = picture(&profiles).unwrap();
        assert!(svg.contains(">stpn<") && svg.contains(">lstm<"), "{svg}");
        assert_eq!(picture(&[]), None);
    }
}
