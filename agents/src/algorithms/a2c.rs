//! Synchronous advantage actor–critic (Mnih et al. 2016) over recurrent policies.
//!
//! One gradient step per rollout: the loss of every training sequence from its exact initial state, by full
//! back-propagation through the sequence.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::batch::{SequenceBatch, SequenceColumns, SequenceId};
use super::coefficients::{check_coefficients, check_discounts};
use super::experience::{Experience, Moment, advantage_moments, explained_variance, standard};
use super::objective::{Derivatives, Losses, Objective, Sample, gradient, of_device};
use crate::collective::Exchange;
use crate::learner::Learner;
use crate::metrics::Metrics;
use crate::optimizer::{Clock, Schedule};
use crate::policy::accelerator::{DeviceAdvantages, DeviceLoss, DeviceObjective, Kept};
use crate::policy::distribution::Terms;
use crate::rollout::Fragment;
use crate::statistics::Moments;
use crate::{Error, Result};

/// How the losses of single steps are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reduction {
    /// Mean over steps and environments: the maze's published setting.
    Mean,
    /// Sum over steps and environments: Pong's published setting.
    Sum,
}

/// Settings of A2C.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct A2cConfig {
    /// Discount factor γ.
    #[schemars(extend("x-sb3" = "gamma", "x-cleanrl" = "gamma"))]
    pub gamma: f64,
    /// λ of generalised advantage estimation; 1 = n-step or Monte-Carlo returns.
    #[schemars(extend("x-sb3" = "gae_lambda", "x-cleanrl" = "gae_lambda"))]
    pub gae_lambda: f64,
    /// Factor of the squared error (R − V)², as in Stable-Baselines3. CleanRL has ½(R − V)²: its coefficient c is c/2
    /// here.
    #[schemars(extend("x-sb3" = "vf_coef", "x-cleanrl" = "vf_coef"))]
    pub value_coefficient: f64,
    /// Factor of the entropy bonus: a number, or `{ initial, last }`, which ends with the run unless it has a
    /// `horizon` in environment steps.
    #[schemars(extend("x-sb3" = "ent_coef", "x-cleanrl" = "ent_coef"))]
    pub entropy_coefficient: Schedule,
    /// Factor of the concentration penalty Σ_a π(a)², discrete actions only.
    pub concentration_coefficient: f64,
    /// Mean or sum over steps and environments.
    pub reduction: Reduction,
    /// Clip rewards to their sign before learning; reported returns stay raw.
    pub clip_rewards: bool,
    /// Standardise the advantages of each rollout to mean 0 and deviation 1.
    #[schemars(extend("x-sb3" = "normalize_advantage", "x-cleanrl" = "norm_adv"))]
    pub normalize_advantages: bool,
}

impl Default for A2cConfig {
    /// The usual settings of the field, entropy aside.
    fn default() -> Self {
        Self {
            gamma: 0.99,
            gae_lambda: 0.95,
            value_coefficient: 0.25,
            entropy_coefficient: Schedule::Constant(0.001),
            concentration_coefficient: 0.0,
            reduction: Reduction::Mean,
            clip_rewards: false,
            normalize_advantages: false,
        }
    }
}

impl A2cConfig {
    /// Refuses impossible values.
    ///
    /// # Errors
    /// [`crate::Error::Config`] naming the key and what is allowed.
    pub fn check(&self) -> Result<()> {
        check_discounts(self.gamma, self.gae_lambda)?;
        self.entropy_coefficient.check_not_negative("algorithm.entropy_coefficient")?;
        check_coefficients(&[
            ("algorithm.value_coefficient", self.value_coefficient),
            ("algorithm.concentration_coefficient", self.concentration_coefficient),
        ])
    }
}

/// One gradient step from a rollout. Returns the mean losses it came from. If the device that collected the rollout has
/// something `left` of it, the gradient needs no other forward pass.
///
/// # Errors
/// Fails if a tensor operation does, or numbers stop being finite.
pub fn update(
    config: &A2cConfig,
    learner: &mut Learner,
    (experience, left): (&Experience<'_>, Option<&Kept>),
    exchange: &Exchange,
    learning_rate: f64,
    at: Moment,
) -> Result<Metrics> {
    let Experience { fragments, advantages } = experience;
    // One block is one segment of one worker: whole rows of its fragment.
    let mut blocks: Vec<Vec<SequenceId>> = fragments
        .iter()
        .enumerate()
        .flat_map(|(worker, fragment)| {
            (0..fragment.shape.segments()).map(move |segment| {
                (0..fragment.shape.batch).map(|environment| SequenceId { worker, segment, environment }).collect()
            })
        })
        .collect();
    if advantages.there.is_some() {
        blocks = vec![blocks.concat()];
    }
    let moments = match config.normalize_advantages {
        true => Some(exchange.total(&advantage_moments(&advantages.here))),
        false => None,
    };
    let objective = A2cObjective::new(config, at.clock, moments);
    let scale = match config.reduction {
        Reduction::Mean => 1.0 / (exchange.size() * experience.steps()) as f64,
        Reduction::Sum => 1.0,
    };
    let ranks = (exchange, &exchange.owners(blocks.len())[..]);
    let (gradient, losses) = match (&advantages.there, &blocks[..]) {
        (Some(there), [all]) => {
            let gradient = exchange.stop().go_on().and_then(|()| match left {
                Some(left) => gradient_of_left(&objective, learner, (left, there), scale),
                None => gradient_there(&objective, learner, (fragments, all, there), scale),
            });
            of_device(Some(gradient), ranks, learner)?
        }
        _ => {
            let gather = |ids: &Vec<SequenceId>| SequenceBatch::gather(fragments, Some(&advantages.here), ids);
            gradient(&objective, &learner.prepare()?, &blocks, ranks, gather, scale)?
        }
    };
    let norm = learner.step_on_ranks(gradient, learning_rate, at.update, exchange.collective())?;

    let mut metrics = losses.metrics();
    metrics.set("losses/total_loss", losses.total * scale);
    metrics.set("losses/concentration", losses.concentration / losses.steps);
    metrics.set("losses/explained_variance", explained_variance(experience, exchange));
    metrics.set("losses/grad_norm", norm);
    Ok(metrics)
}

/// Gradient and losses of sequences, which the policy's device computes, with the advantages that it has.
fn gradient_there(
    objective: &A2cObjective,
    learner: &Learner,
    (fragments, ids, advantages): (&[&Fragment], &[SequenceId], &Kept),
    scale: f64,
) -> Result<(Kept, Losses)> {
    let (batch, columns) = (SequenceBatch::gather(fragments, None, ids), SequenceColumns::new(fragments).of(ids));
    let (loss, counts) = (objective.on_device(scale), batch.counts());
    let advantages = DeviceAdvantages { kept: advantages, columns: &columns };
    let steps = (&batch.for_device(&counts), advantages);
    learner.prepare()?.minimize_on_device(&batch.inputs(), &batch.state, &loss, steps)
}

/// Those of a rollout, which is one training sequence, of what a device has left of it.
fn gradient_of_left(
    objective: &A2cObjective,
    learner: &Learner,
    (steps, advantages): (&Kept, &Kept),
    scale: f64,
) -> Result<(Kept, Losses)> {
    let device = learner.policy().rollouts().map_err(|reason| Error::config("training.device", reason))?;
    device.a2c_gradient(steps, advantages, &objective.on_device(scale))
}

/// −log π(a|s)·A + c_v (R − V)² − c_e H(π) + c_c Σ_a π(a)².
pub(crate) struct A2cObjective {
    value: f64,
    entropy: f64,
    concentration: f64,
    /// Mean and inverse deviation by which advantages are standardised.
    standard: (f64, f64),
}

impl A2cObjective {
    /// The objective at a time of the run; standardises advantages of these moments.
    pub(crate) fn new(config: &A2cConfig, clock: Clock, advantages: Option<Moments>) -> Self {
        Self {
            value: config.value_coefficient,
            entropy: config.entropy_coefficient.at(clock),
            concentration: config.concentration_coefficient,
            standard: standard(advantages),
        }
    }
}

impl Objective for A2cObjective {
    fn on_device(&self, scale: f64) -> DeviceLoss {
        let Self { value, entropy, concentration, standard } = *self;
        DeviceLoss { objective: DeviceObjective::A2c { value, entropy, concentration }, standard, scale }
    }

    fn step(&self, sample: &Sample, terms: &Terms, value: f64, losses: &mut Losses) -> Derivatives {
        let advantage = (sample.advantage - self.standard.0) * self.standard.1;
        let error = value - sample.target;
        let policy = -terms.log_prob * advantage;
        losses.steps += 1.0;
        losses.policy += policy;
        losses.value += error * error;
        losses.entropy += terms.entropy;
        losses.concentration += terms.concentration;
        losses.total += policy + self.value * error * error - self.entropy * terms.entropy
            + self.concentration * terms.concentration;
        Derivatives {
            terms: Terms { log_prob: -advantage, entropy: -self.entropy, concentration: self.concentration, kl: 0.0 },
            value: 2.0 * self.value * error,
        }
    }
}
