//! Switches: each on with a probability of its own, the logistic function of its logit.

use stpn_core::kernels::Real;
use stpn_random::Stream;

use super::exponential::softplus;
use super::{ActionRef, Terms};

/// Independent switches, one logit each.
#[derive(Clone, Debug, PartialEq)]
pub struct Bernoulli {
    /// Number of switches.
    pub n: usize,
}

/// Probability of a switch to be on.
fn probability(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

/// Σ π² over on and off.
fn concentration(p: f64) -> f64 {
    p * p + (1.0 - p) * (1.0 - p)
}

/// Log-probability of a switch's position.
fn log_prob(logit: f64, on: bool) -> f64 {
    // ln p = −softplus(−l), ln (1 − p) = −softplus(l).
    -softplus(if on { -logit } else { logit })
}

impl Bernoulli {
    pub(super) fn len(&self) -> usize {
        self.n
    }

    pub(super) fn act(&self, logits: &[f32], mut stream: Option<&mut Stream>, action: &mut [u32]) -> f64 {
        let mut sum = 0.0;
        for (action, &logit) in action.iter_mut().zip(logits) {
            let logit = f64::from(logit);
            let on = match &mut stream {
                Some(stream) => stream.unit() < probability(logit),
                None => logit > 0.0,
            };
            *action = u32::from(on);
            sum += log_prob(logit, on);
        }
        sum
    }

    pub(super) fn act_uniformly(&self, stream: &mut Stream, action: &mut [u32]) {
        action.iter_mut().for_each(|action| *action = stream.below(2) as u32);
    }

    /// The switches are independent, so that the probability of all is the product, and so is Σ_a π(a)².
    pub(super) fn terms<T: Real>(
        &self,
        logits: &[T],
        action: ActionRef<'_>,
        behaviour: Option<&[f32]>,
        _: &mut Vec<f64>,
    ) -> Terms {
        let mut terms = Terms { concentration: 1.0, ..Terms::default() };
        for (at, (logit, &on)) in logits.iter().zip(switches(action)).enumerate() {
            let logit = logit.wide();
            let p = probability(logit);
            terms.log_prob += log_prob(logit, on == 1);
            terms.entropy += softplus(logit) - logit * p;
            terms.concentration *= concentration(p);
            if let Some(behaviour) = behaviour {
                let old = f64::from(behaviour[at]);
                terms.kl += probability(old) * (old - logit) + softplus(logit) - softplus(old);
            }
        }
        terms
    }

    pub(super) fn gradient<T: Real>(
        &self,
        logits: &[T],
        action: ActionRef<'_>,
        behaviour: Option<&[f32]>,
        derivatives: &Terms,
        gradient: &mut [T],
    ) {
        let whole = || logits.iter().map(|logit| concentration(probability(logit.wide()))).product();
        let whole: f64 = if derivatives.concentration == 0.0 { 0.0 } else { whole() };
        for (at, (logit, &on)) in logits.iter().zip(switches(action)).enumerate() {
            let logit = logit.wide();
            let p = probability(logit);
            let slope = p * (1.0 - p);
            let mut sum = derivatives.log_prob * (f64::from(on) - p);
            sum -= derivatives.entropy * logit * slope;
            // Never below ½, so that the others' product is a quotient.
            sum += derivatives.concentration * whole / concentration(p) * (4.0 * p - 2.0) * slope;
            if let Some(behaviour) = behaviour {
                sum += derivatives.kl * (p - probability(f64::from(behaviour[at])));
            }
            gradient[at] = T::of(sum);
        }
    }
}

fn switches(action: ActionRef<'_>) -> &[u32] {
    match action {
        ActionRef::Choices(switches) => switches,
        _ => unreachable!("this distribution has switches"),
    }
}
