//! The loss and its gradient in the outputs of the heads.
#![allow(clippy::unwrap_used, reason = "a failing unwrap fails the test")]

mod support;

use stpn_cuda::shim::{self, LossSteps, Machine, Order};
use stpn_cuda::{A2cLoss, A2cSteps, A2cSums, Actions, Distribution, Extent, OutputGradients, Outputs};
use support::policy::{PolicyCase, distributions, flat};
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
    let (policy, shared) = (&Distribution::choice(4), &Outputs { policy: &outputs[..], values: None, free: None });
    let actions = Actions::Choices(&actions);
    let (steps, targets) = (A2cSteps { policy, actions, counts: None }, [&advantages[..], returns]);
    let (same, same_sums, problems) = shim::a2c_loss_of_steps(&LOSS, Machine::default(), shared, steps, targets);
    assert_eq!((problems.count, &same.policy, same_sums), (0, &grad, sums));

    let counts: Vec<u8> = (0..units).map(|n| u8::from(n % 5 != 3)).collect();
    let steps = A2cSteps { counts: Some(&counts), ..steps };
    let (padded, padded_sums, problems) = shim::a2c_loss_of_steps(&LOSS, Machine::default(), shared, steps, targets);
    let padded_grad = padded.policy;
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

/// Steps of any policy.
struct Any {
    policy: PolicyCase,
    advantages: Vec<f64>,
    returns: Vec<f64>,
    counts: Vec<u8>,
}

impl Any {
    fn new(distribution: &Distribution, separate: bool) -> Self {
        let (mut numbers, steps) = (Numbers::new(61), 540);
        Self {
            policy: PolicyCase::new(distribution, separate, steps),
            advantages: numbers.vec(steps, 2.0),
            returns: numbers.vec(steps, 2.0),
            counts: (0..steps).map(|n| u8::from(n % 7 != 4)).collect(),
        }
    }

    /// Of every family, with a shared critic and with one of its own.
    fn all() -> impl Iterator<Item = Self> {
        distributions().into_iter().flat_map(|family| [false, true].map(|separate| Self::new(&family, separate)))
    }

    fn run(&self, machine: Machine) -> (OutputGradients<Vec<f64>>, A2cSums, i64) {
        let Self { policy, advantages, returns, counts } = self;
        let (family, actions) = (&policy.distribution, policy.actions());
        let steps = A2cSteps { policy: family, actions, counts: Some(counts) };
        let (outputs, targets) = (policy.outputs(), [&advantages[..], returns]);
        let (grads, sums, problems) = shim::a2c_loss_of_steps(&LOSS, machine, &outputs, steps, targets);
        assert!(problems.count == 0 || machine.without_barrier.is_some(), "{}", problems.first);
        (grads, sums, problems.count)
    }

    /// The loss of step `n`, by its definition; its parts are added to `sums`.
    fn loss(&self, n: usize, row: &[f64], sums: &mut A2cSums) -> f64 {
        let (terms, value) = (self.policy.terms(n, row), row[row.len() - 1]);
        let policy = -terms.log_prob * (self.advantages[n] - LOSS.mean) * LOSS.inverse_deviation;
        let error = (self.returns[n] - value).powi(2);
        sums.policy += policy;
        sums.value += error;
        sums.entropy += terms.entropy;
        sums.concentration += terms.concentration;
        policy + LOSS.value * error - LOSS.entropy * terms.entropy + LOSS.concentration * terms.concentration
    }
}

#[test]
fn every_distribution_has_the_gradient_of_the_loss_by_finite_differences() {
    for case in Any::all() {
        let (grads, sums, _) = case.run(Machine::default());
        let loss = |n: usize, row: &[f64]| case.loss(n, row, &mut A2cSums::default());
        let wanted = case.policy.differences(&case.counts, LOSS.scale, loss);
        let apart = distance(&flat(&grads), &flat(&wanted));
        assert!(apart < 1e-8, "{:?}: {apart:e}", case.policy.distribution);
        let free = |grads: &OutputGradients<Vec<f64>>| grads.free.clone().unwrap_or_default();
        assert!(distance(&free(&grads), &free(&wanted)) < 1e-8, "{:?}", case.policy.distribution);
        let mut total = A2cSums::default();
        for n in (0..case.counts.len()).filter(|&n| case.counts[n] == 1) {
            case.loss(n, &case.policy.row(n), &mut total);
        }
        let values = |sums: A2cSums| [sums.policy, sums.value, sums.entropy, sums.concentration];
        assert!(distance(&values(sums), &values(total)) < 1e-12, "{:?}", case.policy.distribution);
    }
}

#[test]
fn no_bit_of_any_distribution_depends_on_an_order_and_no_barrier_can_be_spared() {
    for case in Any::all() {
        let in_order = case.run(Machine::default());
        for order in [Order::Reversed, Order::Shuffled] {
            assert_eq!(case.run(Machine { order, ..Machine::default() }), in_order, "{order:?}");
        }
        let (.., problems) = case.run(Machine { without_barrier: Some(61), ..Machine::default() });
        assert!(problems > 0, "there is a race");
    }
}

#[test]
fn no_distribution_hides_a_nan() {
    for mut case in Any::all() {
        let width = case.policy.policy.len() / case.policy.steps;
        case.policy.policy[3 * width] = f64::NAN;
        let (grads, sums, _) = case.run(Machine::default());
        assert!(grads.policy[3 * width].is_nan() && sums.policy.is_nan(), "{:?}", case.policy.distribution);
        assert!(grads.policy[..3 * width].iter().all(|value| value.is_finite()));
        let Some(free) = &mut case.policy.free else { continue };
        free[1] = f64::NAN;
        assert!(case.run(Machine::default()).0.free.unwrap()[1].is_nan());
    }
}

#[test]
fn steps_that_do_not_fit_are_refused() {
    let (three, none, two) = (Distribution::choice(3), Distribution::choice(0), Distribution::Bernoulli(2));
    let steps = A2cSteps { policy: &three, actions: Actions::Choices(&[0, 2]), counts: None };
    let two_each = [&[1.0; 2][..]; 2];
    let shared = |len: usize| (vec![0.0; len], None, None);
    let gaussian = distributions().pop().unwrap();
    let draws = A2cSteps { policy: &gaussian, actions: Actions::Draws(&[0.0; 4]), ..steps };
    let fits = (vec![0.0; 6], None, Some(vec![0.0; 2]));
    for (wrong, targets, (policy, values, free)) in [
        (A2cSteps { actions: Actions::Choices(&[0, 3]), ..steps }, two_each, shared(8)),
        (A2cSteps { actions: Actions::Choices(&[]), ..steps }, [&[][..]; 2], shared(0)),
        (A2cSteps { actions: Actions::Draws(&[0.0; 2]), ..steps }, two_each, shared(8)),
        (steps, [&[1.0][..], &[1.0; 2]], shared(8)),
        (steps, [&[1.0; 2][..], &[1.0]], shared(8)),
        (A2cSteps { counts: Some(&[1]), ..steps }, two_each, shared(8)),
        (A2cSteps { policy: &none, ..steps }, two_each, shared(2)),
        (A2cSteps { policy: &two, actions: Actions::Choices(&[0, 1, 2, 0]), ..steps }, two_each, shared(6)),
        (A2cSteps { policy: &two, actions: Actions::Choices(&[0, 1, 1]), ..steps }, two_each, shared(6)),
        (steps, two_each, shared(7)),
        (steps, two_each, (vec![0.0; 8], Some(vec![0.0; 2]), None)),
        (steps, two_each, (vec![0.0; 6], Some(vec![0.0; 1]), None)),
        (steps, two_each, (vec![0.0; 8], None, Some(vec![0.0; 1]))),
        (draws, two_each, shared(6)),
        (A2cSteps { actions: Actions::Draws(&[0.0; 3]), ..draws }, two_each, fits.clone()),
    ] {
        let outputs = Outputs { policy: &policy[..], values: values.as_deref(), free: free.as_deref() };
        let run = || shim::a2c_loss_of_steps(&LOSS, Machine::default(), &outputs, wrong, targets);
        assert!(std::panic::catch_unwind(run).is_err(), "{wrong:?}");
    }
    let outputs = Outputs { policy: &fits.0[..], values: None, free: fits.2.as_deref() };
    let (.., problems) = shim::a2c_loss_of_steps(&LOSS, Machine::default(), &outputs, draws, two_each);
    assert_eq!(problems.count, 0, "{}", problems.first);
}
