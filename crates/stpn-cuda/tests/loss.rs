//! The loss and its gradient in the outputs of the heads.
#![allow(clippy::unwrap_used, reason = "a failing unwrap fails the test")]

mod support;

use stpn_cuda::shim::{self, LossSteps, Machine, Order};
use stpn_cuda::{A2cLoss, A2cSteps, A2cSums, Extent};
use support::{Numbers, distance};

const LOSS: A2cLoss =
    A2cLoss { value: 0.3, entropy: 0.05, concentration: 0.07, mean: 0.2, inverse_deviation: 1.7, scale: 0.25 };

/// Several blocks, the last not full.
const EXTENT: Extent = Extent { steps: 60, batch: 9 };

struct Case {
    choices: usize,
    outputs: Vec<f64>,
    actions: Vec<u32>,
    advantages: Vec<f64>,
    returns: Vec<f64>,
}

impl Case {
    fn new(choices: usize) -> Self {
        let mut numbers = Numbers::new(choices as u64);
        let units = EXTENT.steps * EXTENT.batch;
        Self {
            choices,
            outputs: numbers.vec(units * (choices + 1), 3.0),
            actions: (0..units).map(|at| (at * 7 % choices) as u32).collect(),
            advantages: numbers.vec(units, 2.0),
            returns: numbers.vec(units, 2.0),
        }
    }

    fn run(&self, machine: Machine) -> (Vec<f64>, A2cSums, i64) {
        let Self { outputs, actions, advantages, returns, .. } = self;
        let steps = LossSteps { extent: EXTENT, outputs, actions, advantages, returns };
        let (grad, sums, problems) = shim::a2c_loss(&LOSS, machine, steps);
        (grad, sums, problems.count)
    }

    /// The loss of the step that is number `n` in time-major order, from its outputs; its parts are added to `sums`.
    fn loss(&self, n: usize, outputs: &[f64], sums: &mut A2cSums) -> f64 {
        let (logits, value) = (&outputs[..self.choices], outputs[self.choices]);
        let total: f64 = logits.iter().map(|logit| logit.exp()).sum();
        let p: Vec<f64> = logits.iter().map(|logit| logit.exp() / total).collect();
        let action = self.actions[self.there(n)] as usize;
        let policy = -p[action].ln() * (self.advantages[n] - LOSS.mean) * LOSS.inverse_deviation;
        let error = (self.returns[n] - value).powi(2);
        let entropy = -p.iter().map(|p| p * p.ln()).sum::<f64>();
        let concentration: f64 = p.iter().map(|p| p * p).sum();
        sums.policy += policy;
        sums.value += error;
        sums.entropy += entropy;
        sums.concentration += concentration;
        policy + LOSS.value * error - LOSS.entropy * entropy + LOSS.concentration * concentration
    }

    /// Where that step lies among outputs and actions.
    fn there(&self, n: usize) -> usize {
        n % EXTENT.batch * EXTENT.steps + n / EXTENT.batch
    }
}

#[test]
fn the_gradient_is_that_of_the_loss_by_finite_differences() {
    for choices in [1, 2, 4, 18] {
        let case = Case::new(choices);
        let (grad, sums, problems) = case.run(Machine::default());
        assert_eq!(problems, 0);
        let (mut wanted, mut total, width) = (Vec::new(), A2cSums::default(), choices + 1);
        for n in 0..EXTENT.steps * EXTENT.batch {
            let outputs = &case.outputs[case.there(n) * width..][..width];
            case.loss(n, outputs, &mut total);
            for output in 0..width {
                let at = |by: f64| {
                    let mut moved = outputs.to_vec();
                    moved[output] += by;
                    case.loss(n, &moved, &mut A2cSums::default())
                };
                wanted.push((at(1e-5) - at(-1e-5)) / 2e-5 * LOSS.scale);
            }
        }
        assert!(distance(&grad, &wanted) < 1e-9, "{choices}: {:e}", distance(&grad, &wanted));
        let values = |sums: A2cSums| [sums.policy, sums.value, sums.entropy, sums.concentration];
        assert!(distance(&values(sums), &values(total)) < 1e-12);
    }
}

#[test]
fn no_bit_of_the_loss_depends_on_an_order_and_no_barrier_can_be_spared() {
    let case = Case::new(4);
    let in_order = case.run(Machine::default());
    for order in [Order::Reversed, Order::Shuffled] {
        assert_eq!(case.run(Machine { order, ..Machine::default() }), in_order, "{order:?}");
    }
    for site in [60, 61, 62] {
        let (.., problems) = case.run(Machine { without_barrier: Some(site), ..Machine::default() });
        assert!(problems > 0, "without barrier {site} there is a race");
    }
}

#[test]
fn the_loss_does_not_hide_a_nan() {
    let mut case = Case::new(4);
    let third = case.there(3);
    case.outputs[third * 5 + 2] = f64::NAN;
    let (grad, sums, _) = case.run(Machine::default());
    assert!(grad[3 * 5..3 * 5 + 4].iter().all(|value| value.is_nan()) && sums.policy.is_nan());
    assert!(grad[..3 * 5].iter().all(|value| value.is_finite()));
}

#[test]
fn steps_in_one_order_have_the_same_loss_and_padding_has_none() {
    let case = Case::new(4);
    let (grad, sums, _) = case.run(Machine::default());
    let units = EXTENT.steps * EXTENT.batch;
    let outputs: Vec<f64> = (0..units).flat_map(|n| &case.outputs[case.there(n) * 5..][..5]).copied().collect();
    let actions: Vec<u32> = (0..units).map(|n| case.actions[case.there(n)]).collect();
    let (advantages, returns) = (&case.advantages, &case.returns);
    let steps = A2cSteps { choices: 4, actions: &actions, advantages, returns, counts: None };
    let (same_grad, same_sums, problems) = shim::a2c_loss_of_steps(&LOSS, Machine::default(), &outputs, steps);
    assert_eq!((problems.count, &same_grad, same_sums), (0, &grad, sums));

    let counts: Vec<u8> = (0..units).map(|n| u8::from(n % 5 != 3)).collect();
    let steps = A2cSteps { counts: Some(&counts), ..steps };
    let (padded_grad, padded_sums, problems) = shim::a2c_loss_of_steps(&LOSS, Machine::default(), &outputs, steps);
    assert_eq!(problems.count, 0, "{}", problems.first);
    let mut total = A2cSums::default();
    for (n, count) in counts.iter().enumerate() {
        let row = n * 5..(n + 1) * 5;
        if *count == 0 {
            assert_eq!(padded_grad[row], [0.0; 5]);
        } else {
            assert_eq!(padded_grad[row.clone()], grad[row.clone()]);
            case.loss(n, &outputs[row], &mut total);
        }
    }
    let values = |sums: A2cSums| [sums.policy, sums.value, sums.entropy, sums.concentration];
    assert!(distance(&values(padded_sums), &values(total)) < 1e-12);
}

#[test]
fn steps_that_do_not_fit_are_refused() {
    let steps = A2cSteps { choices: 3, actions: &[0, 2], advantages: &[1.0; 2], returns: &[1.0; 2], counts: None };
    for (wrong, outputs) in [
        (A2cSteps { actions: &[0, 3], ..steps }, 8),
        (A2cSteps { actions: &[], advantages: &[], returns: &[], ..steps }, 0),
        (A2cSteps { advantages: &[1.0], ..steps }, 8),
        (A2cSteps { counts: Some(&[1]), ..steps }, 8),
        (A2cSteps { choices: 0, ..steps }, 2),
        (steps, 7),
    ] {
        let run = || shim::a2c_loss_of_steps(&LOSS, Machine::default(), &vec![0.0; outputs], wrong);
        assert!(std::panic::catch_unwind(run).is_err(), "{wrong:?}");
    }
}
