//! Successive halving (Jamieson and Talwalkar 2016): all trials are trained for a while, and the best third goes on.

use serde::{Deserialize, Serialize};

/// One in so many trials goes on.
const KEPT: usize = 3;

/// Most rungs: the first has a ninth of the whole length, since a shorter one shows little of what comes later.
const RUNGS: u32 = 3;

/// How many trials are trained how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halving {
    /// In order.
    pub rungs: Vec<Rung>,
}

/// Trials that are trained for the same length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rung {
    /// How many.
    pub trials: usize,
    /// Environment steps, or epochs of a supervised task, from the start.
    pub length: u64,
}

impl Halving {
    /// For so many trials, of which those of the last rung are trained for the whole length.
    pub fn new(trials: usize, length: u64) -> Self {
        let halvings = trials.max(1).ilog(KEPT).min(RUNGS - 1);
        let rung = |done: u32| Rung {
            trials: trials.div_ceil(KEPT.pow(done)),
            length: length.div_ceil(KEPT.pow(halvings - done) as u64),
        };
        Self { rungs: (0..=halvings).map(rung).collect() }
    }

    /// Steps or epochs that all trials together are trained for, with one seed: each goes on from where it was.
    pub fn cost(&self) -> u64 {
        let before = [0].into_iter().chain(self.rungs.iter().map(|rung| rung.length));
        self.rungs.iter().zip(before).map(|(rung, before)| rung.trials as u64 * (rung.length - before)).sum()
    }

    /// The most trials, at most so many, that cost no more than this.
    pub fn affordable(most: usize, length: u64, cost: f64) -> usize {
        (1..=most).rev().find(|&trials| Self::new(trials, length).cost() as f64 <= cost).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_of_the_trials_goes_on_for_three_times_as_long() {
        let pairs = |trials, length| -> Vec<(usize, u64)> {
            Halving::new(trials, length).rungs.iter().map(|rung| (rung.trials, rung.length)).collect()
        };
        assert_eq!(pairs(27, 900), [(27, 100), (9, 300), (3, 900)]);
        assert_eq!(pairs(9, 900), [(9, 100), (3, 300), (1, 900)]);
        assert_eq!(pairs(100, 900), [(100, 100), (34, 300), (12, 900)]);
        assert_eq!(pairs(4, 10), [(4, 4), (2, 10)]);
        assert_eq!(pairs(1, 10), [(1, 10)]);
        assert_eq!(pairs(27, 1), [(27, 1), (9, 1), (3, 1)]);
    }

    #[test]
    fn trials_are_as_many_as_can_be_paid_for() {
        let plan = Halving::new(27, 900);
        assert_eq!(plan.cost(), 27 * 100 + 9 * 200 + 3 * 600);
        assert_eq!(Halving::affordable(27, 900, plan.cost() as f64), 27);
        let fewer = Halving::affordable(27, 900, plan.cost() as f64 - 1.0);
        assert!(fewer < 27 && Halving::new(fewer, 900).cost() < plan.cost());
        assert_eq!(Halving::affordable(27, 900, 899.0), 0);
    }
}
