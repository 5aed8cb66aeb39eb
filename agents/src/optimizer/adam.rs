//! Adam (Kingma and Ba 2015) on a flat buffer, its whole state visible so that it can be saved.

use pulp::Arch;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::flat::PART;
use super::schedule::Linear;
use super::{Schedule, or_none};
use crate::{Error, Result};

/// Settings of the optimiser.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdamConfig {
    /// Learning rate: a number, or `{ initial, last }`, which ends with the run unless it has a `horizon`.
    #[schemars(extend("x-sb3" = "learning_rate", "x-cleanrl" = "learning_rate"))]
    pub learning_rate: Schedule,
    /// Factor on the learning rate of the decays λ and rates γ of plastic synapses. Published: 1.
    pub plasticity_rate: f64,
    /// Largest decay λ of plastic synapses: after every step, each λ is put back between 0 and this; `"none"` = no
    /// limit, as published. With 1, fast weights that are not normalised cannot grow exponentially.
    #[serde(with = "or_none")]
    #[schemars(schema_with = "or_none::schema")]
    pub max_decay: Option<f64>,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    #[schemars(extend("x-sb3" = "eps", "x-cleanrl" = "eps"))]
    pub epsilon: f64,
    /// Largest global norm of a gradient, which is scaled down to it; `"none"` = no limit.
    #[serde(with = "or_none")]
    #[schemars(schema_with = "or_none::schema", extend("x-sb3" = "max_grad_norm", "x-cleanrl" = "max_grad_norm"))]
    pub max_grad_norm: Option<f64>,
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self {
            learning_rate: Schedule::Linear(Linear { initial: 3e-3, last: 1e-5, horizon: None }),
            plasticity_rate: 1.0,
            max_decay: None,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-5,
            max_grad_norm: Some(0.5),
        }
    }
}

impl AdamConfig {
    /// Refuses impossible values.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key and what is allowed.
    pub fn check(&self) -> Result<()> {
        self.learning_rate.check_positive("optimizer.learning_rate")?;
        for (key, value) in [("optimizer.beta1", self.beta1), ("optimizer.beta2", self.beta2)] {
            if !(0.0..1.0).contains(&value) {
                return Err(Error::config(key, format!("must lie in [0, 1), got {value}")));
            }
        }
        if !(self.plasticity_rate.is_finite() && self.plasticity_rate >= 0.0) {
            let problem = format!("must be finite and not negative, got {}", self.plasticity_rate);
            return Err(Error::config("optimizer.plasticity_rate", problem));
        }
        if let Some(max) = self.max_decay.filter(|max| !(max.is_finite() && *max > 0.0)) {
            return Err(Error::config("optimizer.max_decay", format!("must be positive, got {max}")));
        }
        if !(self.epsilon.is_finite() && self.epsilon > 0.0) {
            return Err(Error::config("optimizer.epsilon", format!("must be positive, got {}", self.epsilon)));
        }
        if let Some(max) = self.max_grad_norm.filter(|max| max.is_nan() || *max <= 0.0) {
            return Err(Error::config("optimizer.max_grad_norm", format!("must be positive, got {max}")));
        }
        Ok(())
    }
}

/// The optimiser's state.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Adam {
    /// Running mean of gradients, flat.
    pub first_moment: Vec<f32>,
    /// Running mean of squared gradients, flat.
    pub second_moment: Vec<f32>,
    /// Steps taken.
    pub step: u64,
}

impl Adam {
    /// The state before the first step of `len` parameters.
    pub fn new(len: usize) -> Self {
        Self { first_moment: vec![0.0; len], second_moment: vec![0.0; len], step: 0 }
    }

    /// One step, in one pass over parameters, gradients and moments.
    pub fn step(&mut self, config: &AdamConfig, learning_rate: f64, parameters: &mut [f32], gradients: &[f32]) {
        self.step += 1;
        // Step counts beyond i32 leave both corrections at 1.
        let step = i32::try_from(self.step).unwrap_or(i32::MAX);
        let correction1 = 1.0 - config.beta1.powi(step);
        let correction2 = 1.0 - config.beta2.powi(step);
        let (beta1, beta2) = (config.beta1 as f32, config.beta2 as f32);
        let rate = (learning_rate / correction1) as f32;
        let root_correction = (1.0 / correction2.sqrt()) as f32;
        let epsilon = config.epsilon as f32;
        let moments = self.first_moment.par_chunks_mut(PART).zip(self.second_moment.par_chunks_mut(PART));
        let parts = parameters.par_chunks_mut(PART).zip(gradients.par_chunks(PART)).zip(moments);
        parts.for_each(|((parameters, gradients), (first_moment, second_moment))| {
            let moments = first_moment.iter_mut().zip(second_moment);
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    for ((parameter, &gradient), (m, v)) in parameters.iter_mut().zip(gradients).zip(moments) {
                        *m = beta1 * *m + (1.0 - beta1) * gradient;
                        *v = beta2 * *v + (1.0 - beta2) * gradient * gradient;
                        *parameter -= rate * *m / (v.sqrt() * root_correction + epsilon);
                    }
                },
            );
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::flat::clip_norm;
    use super::*;

    /// Three steps by the paper's algorithm box, in f64.
    #[test]
    fn agrees_with_the_definition() {
        let config = AdamConfig { epsilon: 1e-4, ..Default::default() };
        let gradients = [[0.1f32, -2.0], [0.3, 0.5], [-0.2, 0.0]];
        let mut parameters = vec![1.0f32, -1.0];
        let mut adam = Adam::new(2);
        let (mut m, mut v, mut expected) = ([0f64; 2], [0f64; 2], [1f64, -1.0]);
        for (t, gradient) in gradients.iter().enumerate() {
            adam.step(&config, 0.01, &mut parameters, gradient);
            for i in 0..2 {
                let g = f64::from(gradient[i]);
                m[i] = 0.9 * m[i] + 0.1 * g;
                v[i] = 0.999 * v[i] + 0.001 * g * g;
                let (m_hat, v_hat) =
                    (m[i] / (1.0 - 0.9f64.powi(t as i32 + 1)), v[i] / (1.0 - 0.999f64.powi(t as i32 + 1)));
                expected[i] -= 0.01 * m_hat / (v_hat.sqrt() + 1e-4);
                assert!((f64::from(parameters[i]) - expected[i]).abs() < 1e-6);
            }
        }
        assert_eq!(adam.step, 3);
    }

    /// Checksum of the parameters after four steps; the kernels for CUDA give the same
    /// (`crates/stpn-cuda/tests/general.rs`).
    const BITS: u64 = 0x607d_5aaa_b56b_2e00;

    #[test]
    fn four_clipped_steps_have_the_recorded_bits() {
        let mut state = 1u32;
        let mut draw = || -> Vec<f32> {
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1u32 << 23) as f32 - 1.0
            };
            (0..1000).map(|_| next()).collect()
        };
        let (mut parameters, gradients) = (draw(), [(); 4].map(|()| draw()));
        let (config, mut adam) = (AdamConfig::default(), Adam::new(1000));
        for mut gradient in gradients {
            clip_norm(&mut gradient, config.max_grad_norm);
            adam.step(&config, 0.01, &mut parameters, &gradient);
        }
        let bits = parameters
            .iter()
            .fold(0, |sum: u64, value| sum.wrapping_mul(0x100_0000_01b3).wrapping_add(u64::from(value.to_bits())));
        assert_eq!(bits, BITS, "{bits:#x}");
    }

    #[test]
    fn impossible_settings_are_refused_by_name() {
        let refused = |config: AdamConfig| config.check().expect_err("impossible").to_string();
        assert!(refused(AdamConfig { beta1: 1.0, ..Default::default() }).contains("optimizer.beta1"));
        assert!(refused(AdamConfig { max_grad_norm: Some(0.0), ..Default::default() }).contains("max_grad_norm"));
        let learning_rate = Schedule::Constant(-1.0);
        assert!(refused(AdamConfig { learning_rate, ..Default::default() }).contains("learning_rate"));
    }
}
