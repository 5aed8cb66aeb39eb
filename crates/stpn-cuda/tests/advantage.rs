//! Generalised advantages against their definition, and bit for bit against the operations of the CPU's.
#![allow(clippy::unwrap_used, reason = "a failing unwrap fails the test")]

mod support;

use stpn_cuda::shim::{self, Machine, Order};
use stpn_cuda::{AdvantageSteps, Extent};
use support::Numbers;

/// Several blocks, the last not full.
const EXTENT: Extent = Extent { steps: 23, batch: 300 };

struct Case {
    values: Vec<f32>,
    rewards: Vec<f32>,
    last_values: Vec<f32>,
    terminated: Vec<u8>,
    truncated: Vec<u8>,
    final_values: Vec<f32>,
}

impl Case {
    fn new() -> Self {
        let mut numbers = Numbers::new(89);
        let units = EXTENT.steps * EXTENT.batch;
        // Some steps are both: then nothing follows.
        let mut ends = || (0..units).map(|_| u8::from(numbers.next() < -0.8)).collect();
        let (terminated, truncated) = (ends(), ends());
        let mut draw = |len: usize| -> Vec<f32> { numbers.vec(len, 2.0).iter().map(|value| *value as f32).collect() };
        Self {
            values: draw(units),
            rewards: draw(units),
            last_values: draw(EXTENT.batch),
            terminated,
            truncated,
            final_values: draw(units),
        }
    }

    fn steps(&self, gamma: f64, lambda: f64) -> AdvantageSteps<'_, f32> {
        let Self { rewards, last_values, terminated, truncated, final_values, .. } = self;
        AdvantageSteps { gamma, lambda, rewards, last_values, terminated, truncated, final_values }
    }

    /// Values as the last of five outputs, `[B, T, 5]`.
    fn outputs(&self) -> Vec<f32> {
        let Extent { steps, batch } = EXTENT;
        let of = |at: usize| [7.0, 8.0, 9.0, 10.0, self.values[at % steps * batch + at / steps]];
        (0..steps * batch).flat_map(of).collect()
    }

    /// δ of step `n`, and whether the sum goes on after it.
    fn delta(&self, n: usize, gamma: f64) -> (f64, bool) {
        let after = n + EXTENT.batch;
        let (next, goes_on) = match (self.terminated[n], self.truncated[n]) {
            (1, _) => (0.0, false),
            (_, 1) => (self.final_values[n], false),
            _ if after < self.values.len() => (self.values[after], true),
            _ => (self.last_values[n % EXTENT.batch], false),
        };
        (f64::from(self.rewards[n]) + gamma * f64::from(next) - f64::from(self.values[n]), goes_on)
    }
}

#[test]
fn advantages_are_those_of_the_definition() {
    let case = Case::new();
    for (gamma, lambda) in [(0.99, 0.95), (0.9, 1.0), (1.0, 0.0)] {
        let ([advantages, returns], problems) =
            shim::advantages(Machine::default(), EXTENT, &case.values, &case.steps(gamma, lambda));
        assert_eq!(problems.count, 0, "{}", problems.first);
        for n in 0..advantages.len() {
            let (mut total, mut factor) = (0.0, 1.0);
            for at in (n..).step_by(EXTENT.batch) {
                let (delta, goes_on) = case.delta(at, gamma);
                total += factor * delta;
                factor *= gamma * lambda;
                if !goes_on {
                    break;
                }
            }
            assert!((f64::from(advantages[n]) - total).abs() < 1e-5, "step {n}: {} {total}", advantages[n]);
            assert!((f64::from(returns[n]) - total - f64::from(case.values[n])).abs() < 1e-5, "step {n}");
        }
    }
}

#[test]
fn advantages_have_the_bits_of_the_cpu_wherever_values_lie_and_in_any_order() {
    let (case, (gamma, lambda)) = (Case::new(), (0.97, 0.9));
    let steps = case.steps(gamma, lambda);
    let Extent { steps: len, batch } = EXTENT;
    let (mut advantages, mut returns) = (vec![0f32; len * batch], vec![0f32; len * batch]);
    for env in 0..batch {
        let (mut carried, mut next) = (0.0, f64::from(case.last_values[env]));
        for n in (0..len).rev().map(|t| t * batch + env) {
            if case.terminated[n] == 1 {
                (carried, next) = (0.0, 0.0);
            } else if case.truncated[n] == 1 {
                (carried, next) = (0.0, f64::from(case.final_values[n]));
            }
            let value = f64::from(case.values[n]);
            carried = f64::from(case.rewards[n]) + gamma * next - value + gamma * lambda * carried;
            (advantages[n], returns[n], next) = (carried as f32, (carried + value) as f32, value);
        }
    }
    let wanted = [advantages, returns];
    for order in [Order::InOrder, Order::Reversed, Order::Shuffled] {
        let machine = Machine { order, ..Machine::default() };
        assert_eq!(shim::advantages(machine, EXTENT, &case.values, &steps).0, wanted, "{order:?}");
    }
    let (of_outputs, problems) = shim::advantages_of_outputs(Machine::default(), EXTENT, &case.outputs(), &steps);
    assert_eq!((problems.count, of_outputs), (0, wanted), "{}", problems.first);
}

#[test]
fn a_nan_stays_in_its_environment() {
    let mut case = Case::new();
    (case.terminated, case.truncated) = (vec![0; case.values.len()], vec![0; case.values.len()]);
    case.rewards[5 * EXTENT.batch + 2] = f32::NAN;
    let ([advantages, _], _) = shim::advantages(Machine::default(), EXTENT, &case.values, &case.steps(0.9, 0.9));
    for (n, advantage) in advantages.iter().enumerate() {
        let reached = n % EXTENT.batch == 2 && n / EXTENT.batch <= 5;
        assert_eq!(advantage.is_nan(), reached, "step {n}");
    }
}

#[test]
fn arrays_of_other_lengths_are_refused() {
    let case = Case::new();
    let steps = case.steps(0.9, 0.9);
    for (wrong, extent) in [
        (AdvantageSteps { rewards: &case.rewards[1..], ..steps }, EXTENT),
        (AdvantageSteps { last_values: &[], ..steps }, EXTENT),
        (AdvantageSteps { truncated: &[], ..steps }, EXTENT),
        (steps, Extent { steps: 0, ..EXTENT }),
    ] {
        let run = || shim::advantages(Machine::default(), extent, &case.values[..extent.steps * extent.batch], &wrong);
        assert!(std::panic::catch_unwind(run).is_err(), "{extent:?}");
    }
}
