//! Discrete actions: softmax over logits.
//!
//! Closures that are dispatched to an instruction set move a captured reference. One that could be called again would
//! be reached through a bridge, which is compiled as a function of its own, for the baseline.

use pulp::Arch;
use stpn_core::kernels::Real;
use stpn_random::Stream;

use super::exponential::{exp_all, largest, sum};
use super::{ActionRef, Terms};

/// Softmax over n logits.
#[derive(Clone, Debug, PartialEq)]
pub struct Categorical {
    /// Number of choices.
    pub n: usize,
}

impl Categorical {
    pub(super) fn len(&self) -> usize {
        self.n
    }

    /// Appends e^(z − max z) to `weights` and returns (max z, their sum).
    #[inline(always)]
    fn weights<T: Real>(logits: &[T], weights: &mut Vec<f64>) -> (f64, f64) {
        let (start, max) = (weights.len(), largest(logits.len(), |i| logits[i].wide()));
        weights.extend(logits.iter().map(|logit| logit.wide() - max));
        let weights = &mut weights[start..];
        exp_all(weights);
        (max, sum(weights.len(), |i| weights[i]))
    }

    /// Choice and log-probability.
    pub(super) fn act(&self, logits: &[f32], stream: Option<&mut Stream>, scratch: &mut Vec<f64>) -> (usize, f64) {
        scratch.clear();
        let weights = &mut *scratch;
        let (max, total) = Arch::new().dispatch(
            #[inline(always)]
            || {
                let weights = weights;
                Self::weights(logits, weights)
            },
        );
        let choice = match stream {
            Some(stream) => {
                let mut left = stream.unit() * total;
                // Rounding may leave a residue after the last choice, which then takes it.
                let reached = |weight: &f64| {
                    left -= weight;
                    left < 0.0
                };
                scratch.iter().position(reached).unwrap_or(logits.len() - 1)
            }
            None => (0..logits.len()).fold(0, |best, i| if logits[i] > logits[best] { i } else { best }),
        };
        (choice, f64::from(logits[choice]) - (max + total.ln()))
    }

    pub(super) fn terms<T: Real>(
        &self,
        logits: &[T],
        action: ActionRef<'_>,
        behaviour: Option<&[f32]>,
        scratch: &mut Vec<f64>,
    ) -> Terms {
        scratch.clear();
        self.append_terms(logits, choice(action), behaviour, scratch)
    }

    /// [`Categorical::terms`] of a `chosen` one, whose scratch is appended.
    pub(super) fn append_terms<T: Real>(
        &self,
        logits: &[T],
        chosen: usize,
        behaviour: Option<&[f32]>,
        scratch: &mut Vec<f64>,
    ) -> Terms {
        Arch::new().dispatch(
            #[inline(always)]
            || {
                let scratch = scratch;
                let (n, start) = (logits.len(), scratch.len());
                let (max, total) = Self::weights(logits, scratch);
                let normalizer = max + total.ln();
                let p = &mut scratch[start..];
                p.iter_mut().for_each(|weight| *weight /= total);
                let mut terms = Terms {
                    log_prob: logits[chosen].wide() - normalizer,
                    entropy: -sum(n, |i| p[i] * (logits[i].wide() - normalizer)),
                    concentration: sum(n, |i| p[i] * p[i]),
                    kl: 0.0,
                };
                if let Some(behaviour) = behaviour {
                    let max = largest(n, |i| f64::from(behaviour[i]));
                    scratch.extend(behaviour.iter().map(|&logit| f64::from(logit) - max));
                    let old = &mut scratch[start + n..];
                    exp_all(old);
                    let total = sum(n, |i| old[i]);
                    old.iter_mut().for_each(|weight| *weight /= total);
                    let behaviour_normalizer = max + total.ln();
                    let log_prob = |i: usize| logits[i].wide() - normalizer;
                    terms.kl = sum(n, |i| old[i] * (f64::from(behaviour[i]) - behaviour_normalizer - log_prob(i)));
                }
                // Probabilities `[n]`, then those of the behaviour; then what the gradient needs of the sums.
                scratch.extend([terms.entropy, terms.concentration, normalizer]);
                terms
            },
        )
    }

    pub(super) fn gradient<T: Real>(
        &self,
        logits: &[T],
        action: ActionRef<'_>,
        behaviour: Option<&[f32]>,
        derivatives: &Terms,
        scratch: &[f64],
        gradient: &mut [T],
    ) {
        self.part_gradient(logits, choice(action), behaviour.is_some(), derivatives, scratch, gradient);
    }

    /// How much [`Categorical::append_terms`] appends.
    pub(super) fn scratch_len(&self, behaviour: bool) -> usize {
        self.n * (1 + usize::from(behaviour)) + 3
    }

    /// The concentration, in what [`Categorical::append_terms`] appended.
    pub(super) fn concentration(scratch: &[f64]) -> f64 {
        scratch[scratch.len() - 2]
    }

    /// [`Categorical::gradient`] from what [`Categorical::append_terms`] appended.
    pub(super) fn part_gradient<T: Real>(
        &self,
        logits: &[T],
        chosen: usize,
        behaviour: bool,
        derivatives: &Terms,
        scratch: &[f64],
        gradient: &mut [T],
    ) {
        let (probabilities, rest) = scratch.split_at(self.n);
        let [.., entropy, concentration, normalizer] = *rest else { unreachable!("terms() left the sums at the end") };
        // Without a behaviour the divergence has no part.
        let old = if behaviour { rest } else { probabilities };
        Arch::new().dispatch(
            #[inline(always)]
            || {
                let gradient = gradient;
                let values = probabilities.iter().zip(&old[..self.n]).zip(logits);
                for (i, (gradient, ((&p, &old), logit))) in gradient.iter_mut().zip(values).enumerate() {
                    let mut sum = derivatives.log_prob * (if i == chosen { 1.0 } else { 0.0 } - p);
                    sum += derivatives.concentration * 2.0 * p * (p - concentration);
                    let log_p = if p > 0.0 { logit.wide() - normalizer } else { 0.0 };
                    sum -= derivatives.entropy * p * (log_p + entropy);
                    *gradient = T::of(sum + derivatives.kl * (p - old));
                }
            },
        );
    }
}

fn choice(action: ActionRef<'_>) -> usize {
    match action {
        ActionRef::Discrete(choice) => choice,
        _ => unreachable!("a categorical distribution has discrete actions"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stpn_random::Purpose;

    #[test]
    fn sampled_frequencies_follow_the_softmax() {
        let logits = [0.5f32, -1.0, 2.0, 0.0];
        let total: f64 = logits.iter().map(|&l| f64::from(l).exp()).sum();
        let mut stream = Stream::new(1, Purpose::Test, 0);
        let (n, mut scratch) = (100_000, Vec::new());
        let mut counts = [0usize; 4];
        for _ in 0..n {
            let (choice, log_prob) = Categorical { n: 4 }.act(&logits, Some(&mut stream), &mut scratch);
            counts[choice] += 1;
            assert!((log_prob - (f64::from(logits[choice]) - total.ln())).abs() < 1e-12);
        }
        for (count, logit) in counts.iter().zip(logits) {
            let expected = f64::from(logit).exp() / total;
            let deviation = (*count as f64 / n as f64 - expected).abs();
            assert!(deviation < 4.0 * (expected * (1.0 - expected) / n as f64).sqrt(), "{counts:?}");
        }
    }

    #[test]
    fn the_mode_is_the_largest_logit() {
        assert_eq!(Categorical { n: 3 }.act(&[0.3, -0.7, 1.9], None, &mut Vec::new()).0, 2);
    }
}
