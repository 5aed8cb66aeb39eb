//! The loss of PPO and its gradient in the outputs of the heads.
#![allow(clippy::unwrap_used, reason = "a failing unwrap fails the test")]

mod support;

use stpn_cuda::shim::{self, Machine, Order};
use stpn_cuda::{Actions, Distribution, OutputGradients, Outputs, PpoLoss, PpoSteps, PpoSums};
use support::policy::{PolicyCase, distributions, flat};
use support::{Numbers, distance};

const PLAIN: PpoLoss = PpoLoss {
    clip: 0.2,
    value: 0.3,
    value_clip: None,
    value_error_clamp: None,
    entropy: 0.05,
    kl: None,
    mean: 0.2,
    inverse_deviation: 1.7,
    scale: 0.25,
};

/// Several blocks, the last not full.
const STEPS: usize = 540;

struct Case {
    policy: PolicyCase,
    advantages: Vec<f64>,
    returns: Vec<f64>,
    log_probs: Vec<f64>,
    counts: Vec<u8>,
}

fn values(sums: &PpoSums) -> [f64; 10] {
    let PpoSums { steps, total, policy, value, entropy, concentration, kl, old_approx_kl, approx_kl, clipped } = *sums;
    [steps, total, policy, value, entropy, concentration, kl, old_approx_kl, approx_kl, clipped]
}

impl Case {
    fn new(distribution: &Distribution, separate: bool) -> Self {
        let policy = PolicyCase::new(distribution, separate, STEPS);
        let mut numbers = Numbers::new(100);
        let log_probs = (0..STEPS).map(|n| policy.terms(n, policy.old_row(n)).log_prob).collect();
        let counts = (0..STEPS).map(|n| u8::from(n % 7 != 4)).collect();
        let (advantages, returns) = (numbers.vec(STEPS, 2.0), numbers.vec(STEPS, 2.0));
        Self { policy, advantages, returns, log_probs, counts }
    }

    fn choice(choices: usize) -> Self {
        Self::new(&Distribution::choice(choices), false)
    }

    /// Of every family, with a shared critic and with one of its own.
    fn all() -> impl Iterator<Item = Self> {
        distributions().into_iter().flat_map(|family| [false, true].map(|separate| Self::new(&family, separate)))
    }

    fn run(&self, loss: &PpoLoss, machine: Machine) -> (OutputGradients<Vec<f64>>, PpoSums, i64) {
        let Self { policy, advantages, returns, log_probs, counts } = self;
        let steps = PpoSteps {
            policy: &policy.distribution,
            actions: policy.actions(),
            log_probs,
            values: &policy.old_values,
            distributions: loss.kl.map(|_| &policy.behaviour[..]),
            counts: Some(counts),
        };
        let (grads, sums, problems) = shim::ppo_loss(loss, machine, &policy.outputs(), steps, [advantages, returns]);
        assert!(problems.count == 0 || machine.without_barrier.is_some(), "{}", problems.first);
        (grads, sums, problems.count)
    }

    /// The loss of step `n` from its parameters and value, by its definition; its parts are added to `sums`.
    fn loss(&self, loss: &PpoLoss, n: usize, row: &[f64], sums: &mut PpoSums) -> f64 {
        let (terms, value, old_value) = (self.policy.terms(n, row), row[row.len() - 1], self.policy.old_values[n]);
        let advantage = (self.advantages[n] - loss.mean) * loss.inverse_deviation;
        let log_ratio = terms.log_prob - self.log_probs[n];
        let ratio = log_ratio.exp();
        let policy = -(ratio * advantage).min(ratio.clamp(1.0 - loss.clip, 1.0 + loss.clip) * advantage);
        let mut error = (value - self.returns[n]).powi(2);
        if let Some(clip) = loss.value_clip {
            let near = old_value + (value - old_value).clamp(-clip, clip);
            error = error.max((near - self.returns[n]).powi(2));
        }
        error = error.min(loss.value_error_clamp.unwrap_or(f64::INFINITY));
        let kl = if loss.kl.is_some() { terms.kl } else { 0.0 };
        let total = policy + loss.value * error - loss.entropy * terms.entropy + loss.kl.unwrap_or(0.0) * kl;
        sums.steps += 1.0;
        sums.total += total;
        sums.policy += policy;
        sums.value += error;
        sums.entropy += terms.entropy;
        sums.concentration += terms.concentration;
        sums.kl += kl;
        sums.old_approx_kl -= log_ratio;
        sums.approx_kl += ratio - 1.0 - log_ratio;
        sums.clipped += f64::from(u8::from((ratio - 1.0).abs() > loss.clip));
        total
    }
}

fn losses() -> [PpoLoss; 4] {
    [
        PLAIN,
        PpoLoss { value_clip: Some(0.3), ..PLAIN },
        PpoLoss { value_error_clamp: Some(2.5), kl: Some(0.4), entropy: 0.0, ..PLAIN },
        PpoLoss { value_clip: Some(0.3), value_error_clamp: Some(2.5), kl: Some(0.1), clip: 0.05, ..PLAIN },
    ]
}

/// Gradient and sums against the definition.
fn check(case: &Case, loss: &PpoLoss) {
    let (grads, sums, _) = case.run(loss, Machine::default());
    let of_step = |n: usize, row: &[f64]| case.loss(loss, n, row, &mut PpoSums::default());
    let wanted = case.policy.differences(&case.counts, loss.scale, of_step);
    let (family, apart) = (&case.policy.distribution, distance(&flat(&grads), &flat(&wanted)));
    assert!(apart < 1e-8, "{family:?} {loss:?}: {apart:e}");
    let free = |grads: &OutputGradients<Vec<f64>>| grads.free.clone().unwrap_or_default();
    assert!(distance(&free(&grads), &free(&wanted)) < 1e-8, "{family:?} {loss:?}");
    let width = grads.policy.len() / STEPS;
    for (row, _) in grads.policy.chunks(width).zip(&case.counts).filter(|(_, count)| **count == 0) {
        assert!(row.iter().all(|grad| *grad == 0.0));
    }
    let mut total = PpoSums::default();
    for n in (0..STEPS).filter(|&n| case.counts[n] == 1) {
        case.loss(loss, n, &case.policy.row(n), &mut total);
    }
    for (got, want) in values(&sums).into_iter().zip(values(&total)) {
        assert!((got - want).abs() < 1e-10 * want.abs().max(1.0), "{family:?} {loss:?}: {sums:?} {total:?}");
    }
    if family.parameters() > 1 {
        let share = sums.clipped / sums.steps;
        assert!((0.05..0.95).contains(&share), "{family:?}: {share} of the ratios are clipped");
    }
}

#[test]
fn the_gradient_is_that_of_the_loss_by_finite_differences() {
    for (choices, loss) in [1, 2, 18].into_iter().flat_map(|choices| losses().map(|loss| (choices, loss))) {
        check(&Case::choice(choices), &loss);
    }
    for case in Case::all() {
        losses().iter().for_each(|loss| check(&case, loss));
    }
}

#[test]
fn no_bit_of_the_loss_depends_on_an_order_and_no_barrier_can_be_spared() {
    let loss = losses()[3];
    for case in Case::all() {
        let in_order = case.run(&loss, Machine::default());
        for order in [Order::Reversed, Order::Shuffled] {
            assert_eq!(case.run(&loss, Machine { order, ..Machine::default() }), in_order, "{order:?}");
        }
        for site in [60, 61, 62] {
            let (.., problems) = case.run(&loss, Machine { without_barrier: Some(site), ..Machine::default() });
            assert!(problems > 0, "without barrier {site} there is a race");
        }
    }
}

#[test]
fn the_loss_does_not_hide_a_nan() {
    let loss = losses()[3];
    for mut case in Case::all() {
        let width = case.policy.policy.len() / STEPS;
        case.policy.policy[3 * width] = f64::NAN;
        match &mut case.policy.values {
            Some(values) => values[5] = f64::NAN,
            None => case.policy.policy[6 * width - 1] = f64::NAN,
        }
        let (grads, sums, _) = case.run(&loss, Machine::default());
        assert!(grads.policy[3 * width].is_nan() && sums.policy.is_nan(), "{:?}", case.policy.distribution);
        assert!(sums.value.is_nan() && sums.total.is_nan());
        assert!(grads.policy[..3 * width].iter().all(|value| value.is_finite()));
    }
}

#[test]
fn steps_that_do_not_fit_are_refused() {
    let (ones, three) = ([1.0; 2], Distribution::choice(3));
    let steps = PpoSteps {
        policy: &three,
        actions: Actions::Choices(&[0, 2]),
        log_probs: &ones,
        values: &ones,
        distributions: None,
        counts: None,
    };
    let with_kl = PpoLoss { kl: Some(0.1), ..PLAIN };
    for (loss, wrong, targets, outputs) in [
        (PLAIN, steps, [&ones[1..], &ones], 8),
        (PLAIN, steps, [&ones[..], &[]], 8),
        (PLAIN, PpoSteps { actions: Actions::Choices(&[0, 3]), ..steps }, [&ones[..]; 2], 8),
        (PLAIN, PpoSteps { values: &ones[1..], ..steps }, [&ones[..]; 2], 8),
        (PLAIN, PpoSteps { counts: Some(&[1]), ..steps }, [&ones[..]; 2], 8),
        (PLAIN, PpoSteps { distributions: Some(&[0.0; 6]), ..steps }, [&ones[..]; 2], 8),
        (with_kl, steps, [&ones[..]; 2], 8),
        (with_kl, PpoSteps { distributions: Some(&[0.0; 5]), ..steps }, [&ones[..]; 2], 8),
        (PLAIN, steps, [&ones[..]; 2], 6),
    ] {
        let outputs = vec![0.0; outputs];
        let shared = Outputs { policy: &outputs[..], values: None, free: None };
        let run = || shim::ppo_loss(&loss, Machine::default(), &shared, wrong, targets);
        assert!(std::panic::catch_unwind(run).is_err(), "{wrong:?}");
    }
}
