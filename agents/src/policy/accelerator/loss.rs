//! Losses of steps, as a device computes them.

use crate::policy::distribution::ActionBuffer;

/// What is minimised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeviceLoss {
    /// The loss of one step.
    pub objective: DeviceObjective,
    /// Mean and inverse deviation by which advantages are standardised.
    pub standard: (f64, f64),
    /// Factor of the gradient.
    pub scale: f64,
}

/// The loss of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DeviceObjective {
    /// −log π(a|s)·A + c_v (R − V)² − c_e H(π) + c_c Σ_a π(a)², the last of discrete actions alone.
    A2c {
        /// c_v
        value: f64,
        /// c_e
        entropy: f64,
        /// c_c
        concentration: f64,
    },
    /// −min(r A, clip(r, 1 ± ε) A) + c_v (R − V)² − c_e H(π) + c_k KL(π_old ‖ π), with r = π(a|s) / π_old(a|s).
    Ppo {
        /// ε
        clip: f64,
        /// c_v
        value: f64,
        /// How far a value may move from that of the policy that acted, if that is limited.
        value_clip: Option<f64>,
        /// The largest squared error of a value, if that is limited.
        value_error_clamp: Option<f64>,
        /// c_e
        entropy: f64,
        /// c_k, if the divergence counts.
        kl: Option<f64>,
    },
}

/// What a rollout knows of the steps of sequences beside their advantages, `[L, B]` each.
#[derive(Clone, Copy, Debug)]
pub struct DeviceSteps<'a> {
    /// As they were drawn.
    pub actions: &'a ActionBuffer,
    /// 0 for padding behind a shorter sequence.
    pub counts: &'a [u8],
}

/// What PPO compares a policy with: the one that acted at these steps, `[L, B]`.
#[derive(Clone, Copy, Debug)]
pub struct DeviceBehaviour<'a> {
    /// Log-probabilities of the actions.
    pub log_probs: &'a [f32],
    /// Values.
    pub values: &'a [f32],
    /// `[L, B, P]` parameters of the distributions, if the divergence from them counts.
    pub distributions: Option<&'a [f32]>,
}

/// Losses summed over steps, without their coefficients. The sums of two sets of steps, in this process or another, are
/// those of their union.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Losses {
    /// Steps.
    pub steps: f64,
    /// What is minimised, before it is scaled.
    pub total: f64,
    /// Policy loss.
    pub policy: f64,
    /// Squared errors of values.
    pub value: f64,
    /// Entropy.
    pub entropy: f64,
    /// Σ_a π(a)²
    pub concentration: f64,
    /// KL divergence from the distributions that acted, where it counts.
    pub kl: f64,
    /// −ln r of the probability ratios r, the plain estimate of the divergence.
    pub old_approx_kl: f64,
    /// (r − 1) − ln r, an estimate of that divergence of less variance (Schulman 2020).
    pub approx_kl: f64,
    /// Steps whose ratio lies outside the clip range.
    pub clipped: f64,
}
