//! The clipped objective.

use super::PpoConfig;
use crate::algorithms::experience::standard;
use crate::algorithms::objective::{Derivatives, Losses, Objective, Sample};
use crate::optimizer::Clock;
use crate::policy::accelerator::{DeviceLoss, DeviceObjective};
use crate::policy::distribution::Terms;
use crate::statistics::Moments;

/// −min(r A, clip(r, 1 ± ε) A) + c_v (R − V)² − c_e H(π) + c_k KL(π_old ‖ π), with r = π(a|s) / π_old(a|s).
pub(crate) struct PpoObjective {
    clip: f64,
    value: f64,
    value_clip: Option<f64>,
    value_error_clamp: Option<f64>,
    entropy: f64,
    kl: Option<f64>,
    /// Mean and inverse deviation by which advantages are standardised.
    standard: (f64, f64),
}

impl PpoObjective {
    /// The objective at a time of the run; standardises advantages of these moments.
    pub(crate) fn new(config: &PpoConfig, clock: Clock, kl_coefficient: f64, advantages: Option<Moments>) -> Self {
        Self {
            clip: config.clip.at(clock),
            value: config.value_coefficient,
            value_clip: config.value_clip,
            value_error_clamp: config.value_error_clamp,
            entropy: config.entropy_coefficient.at(clock),
            kl: config.kl_penalty.map(|_| kl_coefficient),
            standard: standard(advantages),
        }
    }

    /// The squared error of a value and its derivative.
    fn value_loss(&self, value: f64, sample: &Sample) -> (f64, f64) {
        let error = value - sample.target;
        let (mut loss, mut derivative) = (error * error, 2.0 * error);
        if let Some(clip) = self.value_clip {
            let moved = (value - sample.value).clamp(-clip, clip);
            let clipped = sample.value + moved - sample.target;
            if clipped * clipped > loss {
                let inside = (value - sample.value).abs() < clip;
                (loss, derivative) = (clipped * clipped, if inside { 2.0 * clipped } else { 0.0 });
            }
        }
        match self.value_error_clamp {
            Some(clamp) if loss > clamp => (clamp, 0.0),
            _ => (loss, derivative),
        }
    }
}

impl Objective for PpoObjective {
    fn on_device(&self, scale: f64) -> DeviceLoss {
        let Self { clip, value, value_clip, value_error_clamp, entropy, kl, standard } = *self;
        let objective = DeviceObjective::Ppo { clip, value, value_clip, value_error_clamp, entropy, kl };
        DeviceLoss { objective, standard, scale }
    }

    fn needs_kl(&self) -> bool {
        self.kl.is_some()
    }

    fn step(&self, sample: &Sample, terms: &Terms, value: f64, losses: &mut Losses) -> Derivatives {
        let advantage = (sample.advantage - self.standard.0) * self.standard.1;
        let log_ratio = terms.log_prob - sample.log_prob;
        let ratio = log_ratio.exp();
        let (free, clipped) = (ratio * advantage, ratio.clamp(1.0 - self.clip, 1.0 + self.clip) * advantage);
        // Where both are equal the ratio lies inside the range, and the derivative is that of the free one.
        let (policy, by_log_prob) = if free <= clipped { (-free, -free) } else { (-clipped, 0.0) };
        let (error, by_value) = self.value_loss(value, sample);
        let kl = self.kl.unwrap_or(0.0);
        losses.steps += 1.0;
        losses.policy += policy;
        losses.value += error;
        losses.entropy += terms.entropy;
        losses.concentration += terms.concentration;
        losses.kl += terms.kl;
        losses.old_approx_kl -= log_ratio;
        losses.approx_kl += (ratio - 1.0) - log_ratio;
        losses.clipped += f64::from(u8::from((ratio - 1.0).abs() > self.clip));
        losses.total += policy + self.value * error - self.entropy * terms.entropy + kl * terms.kl;
        Derivatives {
            terms: Terms { log_prob: by_log_prob, entropy: -self.entropy, concentration: 0.0, kl },
            value: self.value * by_value,
        }
    }
}
