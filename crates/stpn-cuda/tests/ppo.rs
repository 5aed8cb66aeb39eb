//! The loss of PPO and its gradient in the outputs of the heads.
#![allow(clippy::unwrap_used, reason = "a failing unwrap fails the test")]

mod support;

use stpn_cuda::shim::{self, Machine, Order};
use stpn_cuda::{PpoLoss, PpoSteps, PpoSums};
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
    choices: usize,
    outputs: Vec<f64>,
    actions: Vec<u32>,
    advantages: Vec<f64>,
    returns: Vec<f64>,
    log_probs: Vec<f64>,
    values: Vec<f64>,
    logits: Vec<f64>,
    counts: Vec<u8>,
}

/// Log-probabilities of all choices.
fn log_softmax(logits: &[f64]) -> Vec<f64> {
    let total: f64 = logits.iter().map(|logit| logit.exp()).sum();
    logits.iter().map(|logit| logit - total.ln()).collect()
}

fn values(sums: &PpoSums) -> [f64; 10] {
    let PpoSums { steps, total, policy, value, entropy, concentration, kl, old_approx_kl, approx_kl, clipped } = *sums;
    [steps, total, policy, value, entropy, concentration, kl, old_approx_kl, approx_kl, clipped]
}

impl Case {
    fn new(choices: usize) -> Self {
        let mut numbers = Numbers::new(100 + choices as u64);
        let (logits, actions) = (numbers.vec(STEPS * choices, 3.0), (0..STEPS).map(|n| (n * 7 % choices) as u32));
        let actions: Vec<u32> = actions.collect();
        let rows = || logits.chunks(choices).zip(&actions);
        let log_probs = rows().map(|(logits, action)| log_softmax(logits)[*action as usize]).collect();
        let values = numbers.vec(STEPS, 2.0);
        // The policy has moved, some ratios beyond the clip range.
        let mut outputs = Vec::new();
        for (logits, value) in logits.chunks(choices).zip(&values) {
            outputs.extend(logits.iter().map(|logit| logit + 0.4 * numbers.next()));
            outputs.push(value + numbers.next());
        }
        let counts = (0..STEPS).map(|n| u8::from(n % 7 != 4)).collect();
        let (advantages, returns) = (numbers.vec(STEPS, 2.0), numbers.vec(STEPS, 2.0));
        Self { choices, outputs, actions, advantages, returns, log_probs, values, logits, counts }
    }

    fn run(&self, loss: &PpoLoss, machine: Machine) -> (Vec<f64>, PpoSums, i64) {
        let Self { choices, actions, advantages, returns, log_probs, values, .. } = self;
        let logits = loss.kl.map(|_| &self.logits[..]);
        let counts = Some(&self.counts[..]);
        let steps = PpoSteps { choices: *choices, actions, advantages, returns, log_probs, values, logits, counts };
        let (grad, sums, problems) = shim::ppo_loss(loss, machine, &self.outputs, steps);
        (grad, sums, problems.count)
    }

    /// The loss of step `n` from its outputs, by its definition; its parts are added to `sums`.
    fn loss(&self, loss: &PpoLoss, n: usize, outputs: &[f64], sums: &mut PpoSums) -> f64 {
        let (log_p, value) = (log_softmax(&outputs[..self.choices]), outputs[self.choices]);
        let old = log_softmax(&self.logits[n * self.choices..][..self.choices]);
        let advantage = (self.advantages[n] - loss.mean) * loss.inverse_deviation;
        let log_ratio = log_p[self.actions[n] as usize] - self.log_probs[n];
        let ratio = log_ratio.exp();
        let policy = -(ratio * advantage).min(ratio.clamp(1.0 - loss.clip, 1.0 + loss.clip) * advantage);
        let mut error = (value - self.returns[n]).powi(2);
        if let Some(clip) = loss.value_clip {
            let near = self.values[n] + (value - self.values[n]).clamp(-clip, clip);
            error = error.max((near - self.returns[n]).powi(2));
        }
        error = error.min(loss.value_error_clamp.unwrap_or(f64::INFINITY));
        let entropy = -log_p.iter().map(|log_p| log_p.exp() * log_p).sum::<f64>();
        let divergence: f64 = old.iter().zip(&log_p).map(|(old, log_p)| old.exp() * (old - log_p)).sum();
        let kl = if loss.kl.is_some() { divergence } else { 0.0 };
        let total = policy + loss.value * error - loss.entropy * entropy + loss.kl.unwrap_or(0.0) * kl;
        sums.steps += 1.0;
        sums.total += total;
        sums.policy += policy;
        sums.value += error;
        sums.entropy += entropy;
        sums.concentration += log_p.iter().map(|log_p| (2.0 * log_p).exp()).sum::<f64>();
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

#[test]
fn the_gradient_is_that_of_the_loss_by_finite_differences() {
    for (choices, loss) in [1, 2, 4, 18].into_iter().flat_map(|choices| losses().map(|loss| (choices, loss))) {
        let case = Case::new(choices);
        let (grad, sums, problems) = case.run(&loss, Machine::default());
        assert_eq!(problems, 0);
        let (mut wanted, mut total, width) = (Vec::new(), PpoSums::default(), choices + 1);
        for n in 0..STEPS {
            if case.counts[n] == 0 {
                assert!(grad[n * width..(n + 1) * width].iter().all(|grad| *grad == 0.0));
                wanted.extend(vec![0.0; width]);
                continue;
            }
            let outputs = &case.outputs[n * width..][..width];
            case.loss(&loss, n, outputs, &mut total);
            for output in 0..width {
                let at = |by: f64| {
                    let mut moved = outputs.to_vec();
                    moved[output] += by;
                    case.loss(&loss, n, &moved, &mut PpoSums::default())
                };
                wanted.push((at(1e-5) - at(-1e-5)) / 2e-5 * loss.scale);
            }
        }
        assert!(distance(&grad, &wanted) < 1e-8, "{choices} {loss:?}: {:e}", distance(&grad, &wanted));
        for (got, want) in values(&sums).into_iter().zip(values(&total)) {
            assert!((got - want).abs() < 1e-10 * want.abs().max(1.0), "{loss:?}: {sums:?} {total:?}");
        }
        if choices > 1 {
            let share = sums.clipped / sums.steps;
            assert!((0.05..0.95).contains(&share), "{share} of the ratios are clipped");
        }
    }
}

#[test]
fn no_bit_of_the_loss_depends_on_an_order_and_no_barrier_can_be_spared() {
    let (case, loss) = (Case::new(4), losses()[3]);
    let in_order = case.run(&loss, Machine::default());
    for order in [Order::Reversed, Order::Shuffled] {
        assert_eq!(case.run(&loss, Machine { order, ..Machine::default() }), in_order, "{order:?}");
    }
    for site in [60, 61, 62] {
        let (.., problems) = case.run(&loss, Machine { without_barrier: Some(site), ..Machine::default() });
        assert!(problems > 0, "without barrier {site} there is a race");
    }
}

#[test]
fn the_loss_does_not_hide_a_nan() {
    let (mut case, loss) = (Case::new(4), losses()[3]);
    case.outputs[3 * 5 + 2] = f64::NAN;
    case.outputs[5 * 5 + 4] = f64::NAN;
    let (grad, sums, _) = case.run(&loss, Machine::default());
    assert!(grad[3 * 5..3 * 5 + 4].iter().all(|value| value.is_nan()) && sums.policy.is_nan());
    assert!(sums.value.is_nan() && sums.total.is_nan());
    assert!(grad[..3 * 5].iter().all(|value| value.is_finite()));
}

#[test]
fn steps_that_do_not_fit_are_refused() {
    let ones = [1.0; 2];
    let steps = PpoSteps {
        choices: 3,
        actions: &[0, 2],
        advantages: &ones,
        returns: &ones,
        log_probs: &ones,
        values: &ones,
        logits: None,
        counts: None,
    };
    let with_kl = PpoLoss { kl: Some(0.1), ..PLAIN };
    for (loss, wrong, outputs) in [
        (PLAIN, PpoSteps { actions: &[0, 3], ..steps }, 8),
        (PLAIN, PpoSteps { values: &ones[1..], ..steps }, 8),
        (PLAIN, PpoSteps { counts: Some(&[1]), ..steps }, 8),
        (PLAIN, PpoSteps { logits: Some(&[0.0; 6]), ..steps }, 8),
        (with_kl, steps, 8),
        (with_kl, PpoSteps { logits: Some(&[0.0; 5]), ..steps }, 8),
        (PLAIN, steps, 6),
    ] {
        let run = || shim::ppo_loss(&loss, Machine::default(), &vec![0.0; outputs], wrong);
        assert!(std::panic::catch_unwind(run).is_err(), "{wrong:?}");
    }
}
