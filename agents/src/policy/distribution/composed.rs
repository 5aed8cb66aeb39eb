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
pub(crate) fn categorical(logits: &Tensor, actions: &ActionBuffer, behaviour: &Tensor) -> Result<Composed> {
    let ActionBuffer::Discrete(choices) = actions else { panic!("categorical actions are discrete") };
    // candle_nn's fused log-softmax has no backward; this composition has.
    let log_softmax = |logits: &Tensor| -> Result<Tensor> {
        let shifted = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?.detach())?;
        Ok(shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)?)
    };
    let (log_probs, old) = (log_softmax(logits)?, log_softmax(behaviour)?);
    let probs = log_probs.exp()?;
    let chosen = Tensor::new(choices.as_slice(), logits.device())?.unsqueeze(1)?;
    Ok(Composed {
        log_prob: log_probs.gather(&chosen, 1)?.squeeze(1)?,
        entropy: (&probs * &log_probs)?.sum(D::Minus1)?.neg()?,
        concentration: Some(probs.sqr()?.sum(D::Minus1)?),
        kl: (old.exp()? * (&old - &log_probs)?)?.sum(D::Minus1)?,
    })
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

/// The terms under either family's default options.
pub(crate) fn terms(
    distribution: &Distribution,
    parameters: &Tensor,
    actions: &ActionBuffer,
    behaviour: &Tensor,
) -> Result<Composed> {
    match distribution {
        Distribution::Categorical(_) => categorical(parameters, actions, behaviour),
        Distribution::Gaussian(_) => softplus_gaussian(parameters, actions, behaviour),
    }
}
