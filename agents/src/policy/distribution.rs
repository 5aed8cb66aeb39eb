//! Distributions over actions: sampling on slices during a rollout, log-probabilities on tensors in training.

use candle_core::{D, DType, Tensor};
use stpn_envs::Space;
use stpn_random::Stream;

use crate::{Error, Result};

/// Actions of N environment-steps.
#[derive(Clone, Debug, PartialEq)]
pub enum ActionBuffer {
    /// `[N]` choices.
    Discrete(Vec<u32>),
}

impl ActionBuffer {
    /// The actions `start..start + len` in the form environments take.
    pub fn slice(&self, start: usize, len: usize) -> stpn_envs::vector::Actions<'_> {
        match self {
            Self::Discrete(choices) => stpn_envs::vector::Actions::Discrete(&choices[start..start + len]),
        }
    }

    /// A copy of the actions in `range`.
    pub fn range(&self, range: std::ops::Range<usize>) -> Self {
        match self {
            Self::Discrete(choices) => Self::Discrete(choices[range].to_vec()),
        }
    }
}

/// The family of distributions that fits an action space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// Softmax over n logits.
    Categorical {
        /// Number of choices.
        n: usize,
    },
}

impl Distribution {
    /// The distribution for an action space.
    ///
    /// # Errors
    /// [`Error::Config`] for a space that no distribution covers.
    pub fn for_space(space: &Space) -> Result<Self> {
        match space {
            Space::Discrete { n } => Ok(Self::Categorical { n: *n }),
            other => Err(Error::config("env", format!("no policy for the action space {other}"))),
        }
    }

    /// How many numbers parametrise one action: the policy head's output size.
    pub fn len(self) -> usize {
        match self {
            Self::Categorical { n } => n,
        }
    }

    /// True for a space without choices.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Room for `count` actions.
    pub fn buffer(self, count: usize) -> ActionBuffer {
        match self {
            Self::Categorical { .. } => ActionBuffer::Discrete(vec![0; count]),
        }
    }

    /// Draws an action from head outputs `[len]` (its mode where `stream` is `None`), writes it at `index` and returns
    /// its log-probability.
    pub fn act(self, outputs: &[f32], stream: Option<&mut Stream>, actions: &mut ActionBuffer, index: usize) -> f32 {
        match (self, actions) {
            (Self::Categorical { .. }, ActionBuffer::Discrete(choices)) => {
                let (choice, log_prob) = categorical(outputs, stream);
                choices[index] = choice as u32;
                log_prob
            }
        }
    }

    /// Log-probability `[N]` of `actions` under head outputs `[N, len]`, differentiable in the outputs.
    ///
    /// # Errors
    /// Fails on shapes that do not fit.
    pub fn evaluate(self, outputs: &Tensor, actions: &ActionBuffer) -> Result<Evaluated> {
        match (self, actions) {
            (Self::Categorical { .. }, ActionBuffer::Discrete(choices)) => {
                // candle_nn's fused log-softmax has no backward; this composition has.
                let shifted = outputs.broadcast_sub(&outputs.max_keepdim(D::Minus1)?.detach())?;
                let log_probs = shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)?;
                let probs = log_probs.exp()?;
                let chosen = Tensor::new(choices.as_slice(), outputs.device())?.unsqueeze(1)?;
                Ok(Evaluated {
                    log_prob: log_probs.gather(&chosen, 1)?.squeeze(1)?,
                    entropy: (&probs * &log_probs)?.sum(D::Minus1)?.neg()?,
                    concentration: Some(probs.sqr()?.sum(D::Minus1)?),
                })
            }
        }
    }
}

/// What a loss needs to know of N actions.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// Log-probability of each action, `[N]`.
    pub log_prob: Tensor,
    /// Entropy of each distribution in nats, `[N]`.
    pub entropy: Tensor,
    /// Σ_a π(a)², `[N]`, for discrete actions: the maze's penalty in place of an entropy bonus.
    pub concentration: Option<Tensor>,
}

/// Choice and log-probability under softmax of `logits`.
fn categorical(logits: &[f32], stream: Option<&mut Stream>) -> (usize, f32) {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f32 = logits.iter().map(|logit| (logit - max).exp()).sum();
    let choice = match stream {
        Some(stream) => {
            let mut left = stream.unit() as f32 * total;
            // Rounding may leave a residue after the last choice, which then takes it.
            logits
                .iter()
                .position(|logit| {
                    left -= (logit - max).exp();
                    left < 0.0
                })
                .unwrap_or(logits.len() - 1)
        }
        None => (0..logits.len()).fold(0, |best, i| if logits[i] > logits[best] { i } else { best }),
    };
    (choice, logits[choice] - max - total.ln())
}

/// A tensor `[N]` of `values` in the dtype and on the device of `like`.
pub(crate) fn column(values: &[f32], like: &Tensor) -> Result<Tensor> {
    let tensor = Tensor::new(values, like.device())?;
    Ok(if like.dtype() == DType::F32 { tensor } else { tensor.to_dtype(like.dtype())? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use stpn_random::Purpose;

    #[test]
    fn sampled_frequencies_follow_the_softmax() {
        let logits = [0.5f32, -1.0, 2.0, 0.0];
        let total: f32 = logits.iter().map(|l| l.exp()).sum();
        let mut stream = Stream::new(1, Purpose::Test, 0);
        let n = 100_000;
        let mut counts = [0usize; 4];
        for _ in 0..n {
            let (choice, log_prob) = categorical(&logits, Some(&mut stream));
            counts[choice] += 1;
            assert!((log_prob - (logits[choice] - total.ln())).abs() < 1e-6);
        }
        for (count, logit) in counts.iter().zip(logits) {
            let expected = f64::from(logit.exp() / total);
            let deviation = (*count as f64 / n as f64 - expected).abs();
            assert!(deviation < 4.0 * (expected * (1.0 - expected) / n as f64).sqrt(), "{counts:?}");
        }
    }

    #[test]
    fn tensors_and_slices_agree_and_entropy_is_the_definition() -> Result<()> {
        let logits = [0.3f32, -0.7, 1.9];
        let distribution = Distribution::Categorical { n: 3 };
        let mut actions = distribution.buffer(1);
        let log_prob = distribution.act(&logits, None, &mut actions, 0);
        assert_eq!(actions, ActionBuffer::Discrete(vec![2]));
        let evaluated = distribution.evaluate(&Tensor::new(&[logits], &Device::Cpu)?, &actions)?;
        let total: f32 = logits.iter().map(|l| l.exp()).sum();
        let probs: Vec<f32> = logits.iter().map(|l| l.exp() / total).collect();
        let entropy: f32 = -probs.iter().map(|p| p * p.ln()).sum::<f32>();
        assert!((evaluated.log_prob.to_vec1::<f32>()?[0] - log_prob).abs() < 1e-6);
        assert!((evaluated.entropy.to_vec1::<f32>()?[0] - entropy).abs() < 1e-6);
        let concentration = evaluated.concentration.expect("discrete").to_vec1::<f32>()?[0];
        assert!((concentration - probs.iter().map(|p| p * p).sum::<f32>()).abs() < 1e-6);
        Ok(())
    }
}
