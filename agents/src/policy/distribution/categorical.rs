//! Discrete actions: softmax over logits.

use stpn_core::kernels::Real;
use stpn_random::Stream;

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

    /// Fills `weights` with e^(z − max z) and returns (max z, Σ weights).
    fn weights<T: Real>(logits: &[T], weights: &mut Vec<f64>) -> (f64, f64) {
        let max = logits.iter().fold(f64::NEG_INFINITY, |max, logit| max.max(logit.wide()));
        weights.clear();
        weights.extend(logits.iter().map(|logit| (logit.wide() - max).exp()));
        (max, weights.iter().sum())
    }

    /// Choice and log-probability.
    pub(super) fn act(&self, logits: &[f32], stream: Option<&mut Stream>, scratch: &mut Vec<f64>) -> (usize, f64) {
        let (max, total) = Self::weights(logits, scratch);
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
        let (max, total) = Self::weights(logits, scratch);
        let normalizer = max + total.ln();
        let mut terms = Terms { log_prob: logits[choice(action)].wide() - normalizer, ..Terms::default() };
        for (weight, logit) in scratch.iter_mut().zip(logits) {
            *weight /= total;
            terms.entropy -= *weight * (logit.wide() - normalizer);
            terms.concentration += *weight * *weight;
        }
        if let Some(behaviour) = behaviour {
            let max = behaviour.iter().fold(f64::NEG_INFINITY, |max, &logit| max.max(f64::from(logit)));
            let total: f64 = behaviour.iter().map(|&logit| (f64::from(logit) - max).exp()).sum();
            let behaviour_normalizer = max + total.ln();
            for (logit, &old) in logits.iter().zip(behaviour) {
                let old = f64::from(old) - behaviour_normalizer;
                let probability = old.exp();
                terms.kl += probability * (old - (logit.wide() - normalizer));
                scratch.push(probability);
            }
        }
        // Probabilities `[n]`, then those of the behaviour; then what the gradient needs of the sums.
        scratch.extend([terms.entropy, terms.concentration]);
        terms
    }

    pub(super) fn gradient<T: Real>(
        &self,
        action: ActionRef<'_>,
        behaviour: Option<&[f32]>,
        derivatives: &Terms,
        scratch: &[f64],
        gradient: &mut [T],
    ) {
        let (probabilities, rest) = scratch.split_at(self.n);
        let [.., entropy, concentration] = *rest else { unreachable!("terms() left the sums at the end") };
        let chosen = choice(action);
        for (i, (gradient, &p)) in gradient.iter_mut().zip(probabilities).enumerate() {
            let mut sum = derivatives.log_prob * (f64::from(u8::from(i == chosen)) - p);
            sum += derivatives.concentration * 2.0 * p * (p - concentration);
            if derivatives.entropy != 0.0 && p > 0.0 {
                sum -= derivatives.entropy * p * (p.ln() + entropy);
            }
            if behaviour.is_some() {
                sum += derivatives.kl * (p - rest[i]);
            }
            *gradient = T::of(sum);
        }
    }
}

fn choice(action: ActionRef<'_>) -> usize {
    match action {
        ActionRef::Discrete(choice) => choice,
        ActionRef::Continuous(_) => unreachable!("a categorical distribution has discrete actions"),
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
