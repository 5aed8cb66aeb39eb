//! The distributions in candle operations: the reference for the gradients written by hand.

use candle_core::{D, Tensor};

use super::{ActionBuffer, Distribution};
use crate::Result;

/// Log-probability, entropy, concentration and KL divergence, `[N]` each.
pub(crate) struct Composed {
    pub log_prob: Tensor,
    pub entropy: Tensor,
    pub concentration: Option<Tensor>,
    pub kl: Tensor,
}

/// The terms of categorical `actions` under logits `[N, n]`, differentiable in the logits; `behaviour` `[N, n]`.
pub(crate) fn categorical(logits: &Tensor, choices: &[u32], behaviour: &Tensor) -> Result<Composed> {
    // candle_nn's fused log-softmax has no backward; this composition has.
    let log_softmax = |logits: &Tensor| -> Result<Tensor> {
        let shifted = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?.detach())?;
        Ok(shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)?)
    };
    let (log_probs, old) = (log_softmax(logits)?, log_softmax(behaviour)?);
    let probs = log_probs.exp()?;
    let chosen = Tensor::new(choices, logits.device())?.unsqueeze(1)?;
    Ok(Composed {
        log_prob: log_probs.gather(&chosen, 1)?.squeeze(1)?,
        entropy: (&probs * &log_probs)?.sum(D::Minus1)?.neg()?,
        concentration: Some(probs.sqr()?.sum(D::Minus1)?),
        kl: (old.exp()? * (&old - &log_probs)?)?.sum(D::Minus1)?,
    })
}

/// Those of independent choices among `counts` each, `[N, A]`.
pub(crate) fn multi_categorical(
    counts: &[usize],
    logits: &Tensor,
    choices: &[u32],
    behaviour: &Tensor,
) -> Result<Composed> {
    let mut all: Option<Composed> = None;
    let mut start = 0;
    for (at, &count) in counts.iter().enumerate() {
        let column: Vec<u32> = choices.iter().skip(at).step_by(counts.len()).copied().collect();
        let part = categorical(&logits.narrow(1, start, count)?, &column, &behaviour.narrow(1, start, count)?)?;
        start += count;
        all = Some(match all {
            None => part,
            Some(before) => Composed {
                log_prob: (before.log_prob + part.log_prob)?,
                entropy: (before.entropy + part.entropy)?,
                concentration: match (before.concentration, part.concentration) {
                    (Some(before), Some(part)) => Some((before * part)?),
                    _ => None,
                },
                kl: (before.kl + part.kl)?,
            },
        });
    }
    Ok(all.expect("a space has at least one choice"))
}

/// Those of switches `[N, n]`: choices between off, of logit 0, and on.
pub(crate) fn bernoulli(logits: &Tensor, switches: &[u32], behaviour: &Tensor) -> Result<Composed> {
    let (rows, n) = logits.dims2()?;
    let pairs = |logits: &Tensor| -> Result<Tensor> {
        let logits = logits.reshape((rows, n, 1))?;
        Ok(Tensor::cat(&[&logits.zeros_like()?, &logits], 2)?.reshape((rows, 2 * n))?)
    };
    multi_categorical(&vec![2; n], &pairs(logits)?, switches, &pairs(behaviour)?)
}

/// The terms of Gaussian `actions` whose standard deviations are softplus, without squashing.
pub(crate) fn softplus_gaussian(parameters: &Tensor, actions: &ActionBuffer, behaviour: &Tensor) -> Result<Composed> {
    let ActionBuffer::Continuous(draws) = actions else { panic!("Gaussian actions are continuous") };
    let (n, width) = parameters.dims2()?;
    let dims = width / 2;
    let u = Tensor::from_slice(draws, (n, dims), parameters.device())?.to_dtype(parameters.dtype())?;
    let split = |parameters: &Tensor| -> Result<(Tensor, Tensor)> {
        let std = ((parameters.narrow(1, dims, dims)?.exp()? + 1.0)?.log()? + 1e-4)?;
        Ok((parameters.narrow(1, 0, dims)?, std))
    };
    let ((mean, std), (old_mean, old_std)) = (split(parameters)?, split(behaviour)?);
    let half_log = 0.5 * (2.0 * std::f64::consts::PI).ln();
    let z = ((u - &mean)? / &std)?;
    let distance = (old_std.sqr()? + (old_mean - &mean)?.sqr()?)?;
    Ok(Composed {
        log_prob: (((z.sqr()? * -0.5)? - std.log()?)? - half_log)?.sum(D::Minus1)?,
        entropy: (std.log()? + (half_log + 0.5))?.sum(D::Minus1)?,
        concentration: None,
        kl: (((std.log()? - old_std.log()?)? + (distance / (std.sqr()? * 2.0)?)?)? - 0.5)?.sum(D::Minus1)?,
    })
}

/// The terms under any family's default options.
pub(crate) fn terms(
    distribution: &Distribution,
    parameters: &Tensor,
    actions: &ActionBuffer,
    behaviour: &Tensor,
) -> Result<Composed> {
    match distribution {
        Distribution::Categorical(_) => categorical(parameters, discrete(actions), behaviour),
        Distribution::MultiCategorical(inner) => {
            multi_categorical(&inner.counts(), parameters, discrete(actions), behaviour)
        }
        Distribution::Bernoulli(_) => bernoulli(parameters, discrete(actions), behaviour),
        Distribution::Gaussian(_) => softplus_gaussian(parameters, actions, behaviour),
    }
}

fn discrete(actions: &ActionBuffer) -> &[u32] {
    match actions {
        ActionBuffer::Discrete(choices) | ActionBuffer::Choices(choices) => choices,
        ActionBuffer::Continuous(_) => panic!("choices expected"),
    }
}
