//! The losses as candle graphs.

use candle_core::Tensor;

use super::Case;
use crate::algorithms::a2c::A2cConfig;
use crate::algorithms::ppo::PpoConfig;
use crate::policy::Outputs;
use crate::policy::distribution::composed::{Composed, terms};

/// What both losses are made of, `[N]` each.
struct Parts {
    terms: Composed,
    values: Tensor,
    mask: Tensor,
    advantages: Tensor,
    returns: Tensor,
    log_probs: Tensor,
    old_values: Tensor,
}

fn parts(case: &Case) -> Parts {
    let batch = &case.batch;
    let Outputs { policy, values } = case.policy.forward(&batch.inputs(), &batch.state).unwrap();
    let column = |values: &[f32]| {
        Tensor::new(values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>(), policy.device()).unwrap()
    };
    let behaviour = column(&batch.distributions).reshape(policy.shape()).unwrap();
    let places: Vec<usize> = batch.places().collect();
    let mask: Vec<f32> = (0..batch.advantages.len()).map(|n| f32::from(u8::from(places.contains(&n)))).collect();
    Parts {
        terms: terms(case.policy.distribution(), &policy, &batch.actions, &behaviour).unwrap(),
        values,
        mask: column(&mask),
        advantages: column(&batch.advantages),
        returns: column(&batch.returns),
        log_probs: column(&batch.log_probs),
        old_values: column(&batch.values),
    }
}

fn masked_sum(loss: candle_core::Result<Tensor>, mask: &Tensor) -> Tensor {
    (loss.unwrap() * mask).unwrap().sum_all().unwrap()
}

pub(super) fn a2c(config: &A2cConfig, case: &Case) -> Tensor {
    let Parts { terms, values, mask, advantages, returns, .. } = parts(case);
    let loss = || {
        let policy = (terms.log_prob * advantages)?.neg()?;
        let value = ((returns - values)?.sqr()? * config.value_coefficient)?;
        let mut loss = ((policy + value)? - (terms.entropy * config.entropy_coefficient.at(super::START))?)?;
        if let Some(concentration) = terms.concentration {
            loss = (loss + (concentration * config.concentration_coefficient)?)?;
        }
        Ok(loss)
    };
    masked_sum(loss(), &mask)
}

pub(super) fn ppo(config: &PpoConfig, kl_coefficient: f64, case: &Case) -> Tensor {
    let Parts { terms, values, mask, advantages, returns, log_probs, old_values } = parts(case);
    let loss = || {
        let clip = config.clip.at(super::START);
        let ratio = (terms.log_prob - log_probs)?.exp()?;
        let policy = (&ratio * &advantages)?.minimum(&(ratio.clamp(1.0 - clip, 1.0 + clip)? * advantages)?)?.neg()?;
        let mut value = (&returns - &values)?.sqr()?;
        if let Some(clip) = config.value_clip {
            let clipped = (&old_values + (&values - &old_values)?.clamp(-clip, clip)?)?;
            value = value.maximum(&(&returns - clipped)?.sqr()?)?;
        }
        if let Some(clamp) = config.value_error_clamp {
            value = value.minimum(clamp)?;
        }
        let loss = ((policy + (value * config.value_coefficient)?)? + (terms.kl * kl_coefficient)?)?;
        loss - (terms.entropy * config.entropy_coefficient.at(super::START))?
    };
    masked_sum(loss(), &mask)
}
