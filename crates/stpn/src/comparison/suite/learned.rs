//! What became of λ and γ on a task.

use serde::{Deserialize, Serialize};

use crate::comparison::aggregate::percentile;
use crate::report::plasticity::Rates;

/// Quantiles that are told: 10, 50 and 90 %.
pub(super) const QUANTILES: [f64; 3] = [0.1, 0.5, 0.9];

/// Quantiles of the trained decays and rates of a cell, over the synapses of all its seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Learned {
    /// Of the time constants τ = −1/ln λ in steps: 0 if λ ≤ 0, none if λ ≥ 1 and the synapse never forgets.
    pub time_constants: [Option<f64>; 3],
    /// Of γ.
    pub gamma: [f64; 3],
    /// Share of the synapses with λ outside (0, 1).
    pub outside: f64,
}

impl Learned {
    /// Of the runs of a cell; none if it has no λ and γ.
    pub fn of(runs: &[Rates]) -> Option<Self> {
        let sorted = |values: fn(&Rates) -> &[f32]| {
            let mut all: Vec<f64> = runs.iter().flat_map(values).map(|value| f64::from(*value)).collect();
            all.sort_by(f64::total_cmp);
            all
        };
        let (lambda, gamma) = (sorted(|run| &run.lambda), sorted(|run| &run.gamma));
        if lambda.is_empty() || gamma.is_empty() {
            return None;
        }
        let outside = lambda.iter().filter(|value| !(**value > 0.0 && **value < 1.0)).count();
        Some(Self {
            // τ rises with λ: its quantiles are those of λ.
            time_constants: QUANTILES.map(|share| time_constant(percentile(&lambda, share))),
            gamma: QUANTILES.map(|share| percentile(&gamma, share)),
            outside: outside as f64 / lambda.len() as f64,
        })
    }
}

fn time_constant(lambda: f64) -> Option<f64> {
    match lambda {
        _ if lambda >= 1.0 => None,
        _ if lambda > 0.0 => Some(-1.0 / lambda.ln()),
        _ => Some(0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_constants_are_those_of_the_quantiles_of_lambda() {
        // −1/ln λ of these is 1, 2, … 11 steps.
        let lambda: Vec<f32> = (1..=11).map(|steps: u8| (-1.0 / f32::from(steps)).exp()).collect();
        let gamma: Vec<f32> = (-5..=5).map(|value: i8| f32::from(value)).collect();
        let halves = |values: &[f32]| [values[..4].to_vec(), values[4..].to_vec()];
        let ([l0, l1], [g0, g1]) = (halves(&lambda), halves(&gamma));
        // Seeds in whatever order.
        let runs = [(l1, g0), (l0, g1)].map(|(lambda, gamma)| Rates { lambda, gamma, columns: 1 });
        let learned = Learned::of(&runs).unwrap();
        for (steps, expected) in learned.time_constants.into_iter().zip([2.0, 6.0, 10.0]) {
            assert!((steps.unwrap() - expected).abs() < 1e-3, "{learned:?}");
        }
        assert_eq!((learned.gamma, learned.outside), ([-4.0, 0.0, 4.0], 0.0));
    }

    #[test]
    fn decays_without_a_time_constant_stay_in_their_order() {
        let lambda = vec![-0.5, 0.0, 0.5, 1.0, 1.5];
        let learned = Learned::of(&[Rates { gamma: lambda.clone(), lambda, columns: 1 }]).unwrap();
        let [short, middle, long] = learned.time_constants;
        assert_eq!((short, long, learned.outside), (Some(0.0), None, 0.8));
        assert!((middle.unwrap() - 1.0 / 2f64.ln()).abs() < 1e-12);
        assert_eq!(serde_json::from_str::<Learned>(&serde_json::to_string(&learned).unwrap()).unwrap(), learned);
        assert_eq!(Learned::of(&[]), None);
    }
}
