//! Objectives: the loss of one step, with its derivatives; and their sum over sequences, with its gradient.

use rayon::prelude::*;

use super::batch::SequenceBatch;
use crate::Result;
use crate::collective::{Exchange, agree};
use crate::learner::{Gradient, Learner, PlacedGradient};
use crate::metrics::Metrics;
pub use crate::policy::accelerator::Losses;
use crate::policy::accelerator::{DeviceLoss, Kept};
use crate::policy::distribution::{Distribution, Terms};
use crate::policy::element::Element;
use crate::policy::inference::PreparedPolicy;
use crate::policy::training::Heads;

/// What a rollout knows of one step.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Advantage of the action.
    pub advantage: f64,
    /// Target of the value.
    pub target: f64,
    /// Log-probability of the action under the policy that took it.
    pub log_prob: f64,
    /// Value estimate of that policy.
    pub value: f64,
}

/// Derivatives of a step's loss.
#[derive(Clone, Copy, Debug, Default)]
pub struct Derivatives {
    /// In the terms of the action distribution.
    pub terms: Terms,
    /// In the value.
    pub value: f64,
}

/// The loss of one step.
pub trait Objective: Sync {
    /// Whether it needs the KL divergence from the distribution that acted.
    fn needs_kl(&self) -> bool {
        false
    }

    /// The same for a device, which multiplies the gradient by `scale`.
    fn on_device(&self, scale: f64) -> DeviceLoss;

    /// Adds the step's loss and its parts to `losses` and returns its derivatives.
    fn step(&self, sample: &Sample, terms: &Terms, value: f64, losses: &mut Losses) -> Derivatives;
}

impl Losses {
    /// The sums, in a fixed order: what processes exchange.
    fn sums(&mut self) -> [&mut f64; 10] {
        let Self { steps, total, policy, value, entropy, concentration, kl, old_approx_kl, approx_kl, clipped } = self;
        [steps, total, policy, value, entropy, concentration, kl, old_approx_kl, approx_kl, clipped]
    }

    fn rows(mut self) -> [f64; 10] {
        self.sums().map(|sum| *sum)
    }

    fn add_row(&mut self, other: &[f64; 10]) {
        self.sums().into_iter().zip(other).for_each(|(sum, other)| *sum += other);
    }

    /// Takes in the sums of other steps.
    pub fn add(&mut self, other: &Self) {
        self.add_row(&other.rows());
    }

    /// Means over steps, by CleanRL's names.
    pub fn metrics(&self) -> Metrics {
        let n = self.steps.max(1.0);
        let mut metrics = Metrics::default();
        metrics.set("losses/policy_loss", self.policy / n);
        metrics.set("losses/value_loss", self.value / n);
        metrics.set("losses/entropy", self.entropy / n);
        metrics
    }
}

/// The losses of a block of sequences; writes the gradient of their scaled sum, packed, to `gradient`.
///
/// # Errors
/// Fails if the network does.
pub fn block_gradient<T: Element>(
    objective: &dyn Objective,
    policy: &PreparedPolicy<T>,
    batch: &SequenceBatch,
    scale: f64,
    gradient: &mut [T],
) -> Result<Losses> {
    let block = BlockLoss { objective, distribution: policy.policy().distribution(), batch, scale };
    policy.differentiate(&batch.inputs(), &batch.state, gradient, |outputs, grads| block.losses(outputs, grads))
}

/// A gradient that a device computed for this rank, as the optimiser takes it. That of a process alone stays there; of
/// several ranks, it is the sum. `part` is none if this rank has no sequences; `owners` names the ranks that have some.
///
/// # Errors
/// Fails, on all ranks, where a part did.
pub fn of_device(
    part: Option<Result<(Kept, Losses)>>,
    (exchange, owners): (&Exchange, &[usize]),
    learner: &Learner,
) -> Result<(PlacedGradient, Losses)> {
    match (part, exchange.size()) {
        (Some(Ok((kept, losses))), 1) => Ok((PlacedGradient::There(kept), losses)),
        (part, _) => {
            let read = |(kept, losses)| Ok((Gradient(learner.read(&kept)?), losses));
            let parts = part.map(|part| part.and_then(read)).into_iter().collect();
            let (gradient, losses) = combined(parts, (exchange, owners), learner.layout().len())?;
            Ok((gradient.into(), losses))
        }
    }
}

/// The losses of a block of sequences, with their gradient in the outputs of the heads.
struct BlockLoss<'b> {
    objective: &'b dyn Objective,
    distribution: &'b Distribution,
    batch: &'b SequenceBatch,
    scale: f64,
}

impl BlockLoss<'_> {
    /// Of all places, one after another.
    fn losses<T: Element>(&self, outputs: &Heads<T>, grads: &mut Heads<T>) -> Losses {
        let Self { objective, distribution, batch, scale } = self;
        let len = distribution.len();
        let (mut losses, mut scratch) = (Losses::default(), Vec::new());
        for n in batch.places() {
            let row = n * len..(n + 1) * len;
            let parameters = &outputs.distributions[row.clone()];
            let action = batch.actions.get(n, batch.action_len);
            let behaviour = objective.needs_kl().then(|| &batch.distributions[row.clone()]);
            let terms = distribution.terms(parameters, action, behaviour, &mut scratch);
            let sample = Sample {
                advantage: f64::from(batch.advantages[n]),
                target: f64::from(batch.returns[n]),
                log_prob: f64::from(batch.log_probs[n]),
                value: f64::from(batch.values[n]),
            };
            let mut derivatives = objective.step(&sample, &terms, outputs.values[n].wide(), &mut losses);
            let Terms { log_prob, entropy, concentration, kl } = &mut derivatives.terms;
            [log_prob, entropy, concentration, kl].into_iter().for_each(|derivative| *derivative *= scale);
            let grad = &mut grads.distributions[row];
            distribution.gradient(parameters, action, behaviour, &derivatives.terms, &scratch, grad);
            grads.values[n] = T::of(derivatives.value * scale);
        }
        losses
    }
}

/// Gradient and losses of all ranks' blocks of sequences: blocks in parallel, their sums in a fixed order. `owners`
/// names the rank of every block, in their common order; `blocks` are this rank's.
///
/// # Errors
/// Fails, on all ranks, where the network does or the update is to be given up.
pub fn gradient<B: Send + Sync>(
    objective: &dyn Objective,
    policy: &PreparedPolicy,
    blocks: &[B],
    (exchange, owners): (&Exchange, &[usize]),
    gather: impl Fn(&B) -> SequenceBatch + Sync,
    scale: f64,
) -> Result<(PlacedGradient, Losses)> {
    let len = policy.policy().parameters().count();
    let one = |block: &B| -> Result<(Gradient, Losses)> {
        exchange.stop().go_on()?;
        let mut gradient = vec![0.0; len];
        let losses = block_gradient(objective, policy, &gather(block), scale, &mut gradient)?;
        Ok((Gradient(gradient), losses))
    };
    // A single block is not worth waking another thread for.
    let parts = match blocks {
        [block] => one(block).map(|part| vec![part]),
        blocks => blocks.par_iter().map(one).collect::<Result<Vec<_>>>(),
    };
    let (gradient, losses) = combined(parts, (exchange, owners), len)?;
    Ok((gradient.into(), losses))
}

/// Gradient and losses of all ranks' blocks in memory from those of this rank's, `parts`, in their order.
///
/// # Errors
/// Fails, on all ranks, where a part did.
fn combined(
    parts: Result<Vec<(Gradient, Losses)>>,
    (exchange, owners): (&Exchange, &[usize]),
    len: usize,
) -> Result<(Gradient, Losses)> {
    let parts = agree(exchange.collective(), parts)?;
    let (gradients, own): (Vec<Gradient>, Vec<[f64; 10]>) =
        parts.into_iter().map(|(gradient, losses)| (gradient, losses.rows())).unzip();
    let mut losses = Losses::default();
    exchange.rows(&own, owners).iter().for_each(|part| losses.add_row(part));
    Ok((exchange.gradient(gradients, owners, len), losses))
}
