//! The picture of a suite: performance profiles.

use super::results::SuiteResults;
use crate::comparison::aggregate::Scores;
use crate::comparison::profiles::Profiles;

/// What a profile's scores are.
pub(super) const SCORE: &str = "final return r as a share of its range, (r + 1) / 2";

/// Profiles of final returns, from [−1, 1] to [0, 1].
pub(super) fn profiles(results: &SuiteResults) -> Profiles {
    let scores = |cell: &str| -> Scores { results.scores(cell, |run| Some(normalized(run.result))) };
    Profiles::of(results.cells().map(|cell| (cell, scores(cell))))
}

/// A return as a share of the range [−1, 1]. The worst games of battleship end below it, and sums of rewards that make 1
/// may lie above it by a rounding.
fn normalized(value: f64) -> f64 {
    f64::midpoint(value, 1.0).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::made_up;
    use super::*;

    #[test]
    fn a_return_of_one_lay_above_one_by_a_rounding() {
        let results = made_up(&[&[("stpn", [1.0 + 4.0 * f64::EPSILON, 1.0])]]);
        assert_eq!(profiles(&results).at(0, 50), 0.0);
    }

    #[test]
    fn returns_from_minus_one_to_one_are_shares() {
        let results = made_up(&[&[("stpn", [0.0, 0.5]), ("lstm", [-1.0, 1.0])]]);
        let profiles = profiles(&results);
        assert_eq!([0, 24, 25, 37, 38].map(|step| profiles.at(0, step)), [1.0, 1.0, 0.5, 0.5, 0.0]);
        assert_eq!([0, 49, 50].map(|step| profiles.at(1, step)), [0.5, 0.5, 0.0]);
    }
}
