//! Settings of PPO.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::algorithms::coefficients::{check_coefficients, check_discounts};
use crate::optimizer::Schedule;
use crate::{Error, Result};

/// Settings of PPO.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PpoConfig {
    /// Discount factor γ.
    #[schemars(extend("x-sb3" = "gamma", "x-cleanrl" = "gamma"))]
    pub gamma: f64,
    /// λ of generalised advantage estimation.
    #[schemars(extend("x-sb3" = "gae_lambda", "x-cleanrl" = "gae_lambda"))]
    pub gae_lambda: f64,
    /// Passes over a rollout.
    #[schemars(range(min = 1), extend("x-sb3" = "n_epochs", "x-cleanrl" = "update_epochs"))]
    pub epochs: usize,
    /// Steps in a minibatch, rounded to whole sequences of `rollout.sequence_length`.
    #[schemars(range(min = 1), extend("x-sb3" = "batch_size", "x-cleanrl" = "minibatch_size"))]
    pub minibatch_size: usize,
    /// ε of the clipped objective: a number, or `{ initial, last }`, which ends with the run unless it has a
    /// `horizon` in environment steps.
    #[schemars(extend("x-sb3" = "clip_range", "x-cleanrl" = "clip_coef"))]
    pub clip: Schedule,
    /// Factor of the squared error (R − V)², as in Stable-Baselines3. CleanRL has ½(R − V)²: its coefficient c is c/2
    /// here.
    #[schemars(extend("x-sb3" = "vf_coef", "x-cleanrl" = "vf_coef"))]
    pub value_coefficient: f64,
    /// Clip values to ±this around the value of the policy that acted, and take the larger error; not set = no
    /// clipping. CleanRL has a switch, and takes `clip` for both.
    #[schemars(extend("x-sb3" = "clip_range_vf", "x-cleanrl" = "clip_vloss"))]
    pub value_clip: Option<f64>,
    /// Clamp each squared error at this; a larger error then has no gradient. Not set = off.
    /// The published InvertedPendulum runs have 10, their framework's default.
    pub value_error_clamp: Option<f64>,
    /// Factor of the entropy bonus: a number, or `{ initial, last }`, which ends with the run unless it has a
    /// `horizon` in environment steps.
    #[schemars(extend("x-sb3" = "ent_coef", "x-cleanrl" = "ent_coef"))]
    pub entropy_coefficient: Schedule,
    /// Penalty on the KL divergence from the policy that acted, its coefficient adapted; not set = none.
    pub kl_penalty: Option<KlPenalty>,
    /// No further epoch after one whose mean estimated KL divergence exceeds this; not set = all epochs.
    #[schemars(extend("x-sb3" = "target_kl", "x-cleanrl" = "target_kl"))]
    pub target_kl: Option<f64>,
    /// Which set of advantages is standardised to mean 0 and deviation 1.
    #[schemars(extend("x-sb3" = "normalize_advantage", "x-cleanrl" = "norm_adv"))]
    pub normalize_advantages: NormalizeAdvantages,
    /// Recompute the recurrent states at the starts of sequences with the present parameters before every epoch but
    /// the first; otherwise they stay those of the policy that acted.
    pub recompute_states: bool,
    /// Estimate values with the present parameters, and advantages and returns from them, before every epoch but the
    /// first; otherwise they stay those of the policy that acted. Tianshou has `recompute_advantage`.
    pub recompute_advantages: bool,
    /// Clip rewards to their sign before learning; reported returns stay raw.
    pub clip_rewards: bool,
}

impl Default for PpoConfig {
    /// Settings with which the built-in environments learn (docs/results/defaults.md).
    fn default() -> Self {
        Self {
            gamma: 0.99,
            gae_lambda: 0.95,
            epochs: 10,
            minibatch_size: 256,
            clip: Schedule::Constant(0.2),
            value_coefficient: 0.5,
            value_clip: None,
            value_error_clamp: None,
            entropy_coefficient: Schedule::Constant(0.001),
            kl_penalty: None,
            target_kl: None,
            normalize_advantages: NormalizeAdvantages::Minibatch,
            recompute_states: false,
            recompute_advantages: false,
            clip_rewards: false,
        }
    }
}

/// Over what advantages are standardised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NormalizeAdvantages {
    /// Not at all.
    None,
    /// Over a whole rollout (the published runs).
    Batch,
    /// Over each minibatch (Stable-Baselines3, CleanRL).
    Minibatch,
}

/// A penalty whose coefficient follows the divergence (Schulman et al. 2017, §4).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KlPenalty {
    /// Coefficient at the start of training.
    pub coefficient: f64,
    /// Divergence aimed at.
    pub target: f64,
}

impl Default for KlPenalty {
    /// The published settings.
    fn default() -> Self {
        Self { coefficient: 0.2, target: 0.01 }
    }
}

impl KlPenalty {
    /// The coefficient after an update whose last epoch had this mean divergence: ×1.5 if it was more than twice the
    /// target, ×½ if it was less than half.
    pub fn adapted(&self, coefficient: f64, kl: f64) -> f64 {
        if kl > 2.0 * self.target {
            coefficient * 1.5
        } else if kl < 0.5 * self.target {
            coefficient * 0.5
        } else {
            coefficient
        }
    }
}

impl PpoConfig {
    /// Into how many minibatches so many steps are divided, as even as whole sequences allow.
    pub fn minibatches(&self, steps: usize) -> usize {
        ((steps + self.minibatch_size / 2) / self.minibatch_size).max(1)
    }

    /// Refuses impossible values.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key and what is allowed.
    pub fn check(&self) -> Result<()> {
        check_discounts(self.gamma, self.gae_lambda)?;
        for (key, value) in [("algorithm.epochs", self.epochs), ("algorithm.minibatch_size", self.minibatch_size)] {
            if value == 0 {
                return Err(Error::config(key, "must be at least 1"));
            }
        }
        self.clip.check_positive("algorithm.clip")?;
        self.entropy_coefficient.check_not_negative("algorithm.entropy_coefficient")?;
        check_coefficients(&[("algorithm.value_coefficient", self.value_coefficient)])?;
        let positive = [
            ("algorithm.value_clip", self.value_clip),
            ("algorithm.value_error_clamp", self.value_error_clamp),
            ("algorithm.target_kl", self.target_kl),
            ("algorithm.kl_penalty.coefficient", self.kl_penalty.map(|penalty| penalty.coefficient)),
            ("algorithm.kl_penalty.target", self.kl_penalty.map(|penalty| penalty.target)),
        ];
        for (key, value) in positive {
            if let Some(value) = value.filter(|value| !(value.is_finite() && *value > 0.0)) {
                return Err(Error::config(key, format!("must be positive and finite, got {value}")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coefficient_follows_the_divergence() {
        let penalty = KlPenalty { coefficient: 0.2, target: 0.01 };
        assert!((penalty.adapted(0.2, 0.021) - 0.3).abs() < 1e-12);
        assert!((penalty.adapted(0.2, 0.004) - 0.1).abs() < 1e-12);
        assert_eq!(penalty.adapted(0.2, 0.01), 0.2);
    }

    #[test]
    fn impossible_settings_are_refused_by_name() {
        let refused = |config: PpoConfig| config.check().expect_err("impossible").to_string();
        assert!(refused(PpoConfig { epochs: 0, ..Default::default() }).contains("algorithm.epochs"));
        assert!(refused(PpoConfig { gamma: 1.5, ..Default::default() }).contains("algorithm.gamma"));
        assert!(refused(PpoConfig { target_kl: Some(0.0), ..Default::default() }).contains("algorithm.target_kl"));
        let clip = Schedule::Constant(0.0);
        assert!(refused(PpoConfig { clip, ..Default::default() }).contains("algorithm.clip"));
    }
}
