//! Proximal policy optimisation (Schulman et al. 2017) over recurrent policies.
//!
//! Several epochs over a rollout, in minibatches of whole training sequences from their exact initial states.

mod config;
mod objective;
mod on_device;

use serde::{Deserialize, Serialize};
use stpn_random::{Purpose, Stream};

pub use config::{KlPenalty, NormalizeAdvantages, PpoConfig};
pub(crate) use objective::PpoObjective;
use on_device::PlacedRollout;

use super::batch::{SequenceBatch, SequenceId, sequences};
use super::experience::{Experience, Moment, advantage_moments, explained_variance};
use super::objective::{Losses, gradient, of_device};
use crate::Result;
use crate::actor::Subject;
use crate::advantage::Advantages;
use crate::advantage::estimator::{Estimator, RolloutAdvantages};
use crate::collective::{Exchange, agree};
use crate::learner::Learner;
use crate::metrics::{Metrics, Over};
use crate::rollout::again::recompute;
use crate::rollout::{Estimates, Fragment, Recompute, Worker};
use crate::statistics::Moments;

/// What PPO carries from update to update. Saved in every checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PpoState {
    /// Order of sequences in minibatches.
    pub stream: Stream,
    /// Present coefficient of the KL penalty.
    pub kl_coefficient: f64,
}

impl PpoState {
    /// The state at the start of a run.
    pub fn new(config: &PpoConfig, seed: u64) -> Self {
        Self {
            stream: Stream::new(seed, Purpose::Minibatches, 0),
            kl_coefficient: config.kl_penalty.map_or(0.0, |penalty| penalty.coefficient),
        }
    }
}

/// All epochs over a rollout, with the advantages `acted` of the policy that acted, which the `estimator` gave. Returns
/// the losses of the last one, as means over its steps.
///
/// # Errors
/// Fails if the network does, or numbers stop being finite.
pub fn update(
    config: &PpoConfig,
    state: &mut PpoState,
    learner: &mut Learner,
    workers: &mut [Worker],
    (acted, estimator): (&RolloutAdvantages, &Estimator<'_>),
    exchange: &Exchange,
    (learning_rate, at): (f64, Moment),
) -> Result<Metrics> {
    let mut recomputed: Option<RolloutAdvantages> = None;
    let mut placed: Option<PlacedRollout> = None;
    let again = Recompute { states: config.recompute_states, values: config.recompute_advantages };
    let (mut losses, mut norm, mut steps, mut epochs) = (Losses::default(), 0.0, 0.0, 0.0);
    for epoch in 0..config.epochs {
        if epoch > 0 && (again.states || again.values) {
            let subject = Subject { policy: &learner.prepare()?, normalization: estimator.normalization };
            let estimates = agree(exchange.collective(), recompute(workers, subject, again))?;
            if let Some(estimates) = estimates.iter().map(Option::as_ref).collect::<Option<Vec<&Estimates>>>() {
                let fragments: Vec<&Fragment> = workers.iter().map(Worker::fragment).collect();
                let policy = learner.policy();
                recomputed = Some(estimator.estimate((policy, exchange.collective()), &fragments, &estimates, None)?);
            }
            if again.states {
                placed = None;
            }
        }
        let advantages = recomputed.as_ref().unwrap_or(acted);
        let whole = exchange.total(&advantage_moments(&advantages.here));
        let fragments: Vec<&Fragment> = workers.iter().map(Worker::fragment).collect();
        if advantages.there.is_some() && placed.is_none() {
            let there = PlacedRollout::new(learner, &fragments, config.kl_penalty.is_some());
            placed = Some(agree(exchange.collective(), there)?);
        }
        let mut order = all_sequences(&fragments, exchange);
        state.stream.shuffle(&mut order);
        losses = Losses::default();
        for minibatch in minibatches(&order, &fragments, config) {
            let moments = match config.normalize_advantages {
                NormalizeAdvantages::None => None,
                NormalizeAdvantages::Batch => Some(whole),
                NormalizeAdvantages::Minibatch => Some(moments(minibatch, &fragments, &advantages.here, exchange)),
            };
            let objective = PpoObjective::new(config, at.clock, state.kl_coefficient, moments);
            let count: usize =
                minibatch.iter().map(|(_, id)| fragments[id.worker].shape.segment_steps(id.segment)).sum();
            let on_device = placed.as_ref().zip(advantages.there.as_ref());
            let size = match on_device {
                Some(_) => minibatch.len(),
                None if exchange.canonical() => 1,
                None => block_size(minibatch.len()),
            };
            let (own, scale) = (own(minibatch, exchange), 1.0 / count as f64);
            let owners = block_owners(minibatch, size, exchange);
            let ranks = (exchange, &owners[..]);
            let (gradient, part) = match on_device {
                Some((placed, there)) => {
                    let there = || {
                        exchange.stop().go_on()?;
                        placed.gradient(&objective, (learner, there), (&fragments, &own), scale)
                    };
                    let part = if own.is_empty() { None } else { Some(there()) };
                    of_device(part, ranks, learner)?
                }
                None => {
                    let blocks: Vec<&[SequenceId]> = own.chunks(size).collect();
                    let gather = |ids: &&[SequenceId]| SequenceBatch::gather(&fragments, Some(&advantages.here), ids);
                    gradient(&objective, &learner.prepare()?, &blocks, ranks, gather, scale)?
                }
            };
            norm += learner.step_on_ranks(gradient, learning_rate, at.update, exchange.collective())?;
            steps += 1.0;
            losses.add(&part);
        }
        epochs += 1.0;
        if config.target_kl.is_some_and(|target| losses.approx_kl / losses.steps > target) {
            break;
        }
    }
    let experience = Experience { fragments: workers.iter().map(Worker::fragment).collect(), advantages: acted };
    let n = losses.steps;
    let mut metrics = losses.metrics();
    metrics.set("losses/total_loss", losses.total / n);
    metrics.set("losses/old_approx_kl", losses.old_approx_kl / n);
    metrics.set("losses/approx_kl", losses.approx_kl / n);
    metrics.set("losses/clipfrac", losses.clipped / n);
    if let Some(penalty) = &config.kl_penalty {
        metrics.set("losses/kl", losses.kl / n);
        metrics.set_over("losses/kl_coefficient", state.kl_coefficient, Over::Last);
        state.kl_coefficient = penalty.adapted(state.kl_coefficient, losses.kl / n);
    }
    metrics.set("losses/epochs", epochs);
    metrics.set("losses/explained_variance", explained_variance(&experience, exchange));
    metrics.set("losses/grad_norm", norm / steps);
    Ok(metrics)
}

/// Sequences in a block: a multiple of what kernels run side by side, few enough to occupy several threads. Depends
/// on the number of sequences alone.
fn block_size(sequences: usize) -> usize {
    sequences.div_ceil(8).next_multiple_of(4).min(16)
}

/// Divides sequences into minibatches, as even as whole sequences allow.
fn minibatches<'a>(
    order: &'a [(usize, SequenceId)],
    fragments: &[&Fragment],
    config: &PpoConfig,
) -> impl Iterator<Item = &'a [(usize, SequenceId)]> {
    let steps: usize = order.iter().map(|(_, id)| fragments[id.worker].shape.segment_steps(id.segment)).sum();
    let count = config.minibatches(steps).min(order.len());
    (0..count).map(move |i| &order[order.len() * i / count..order.len() * (i + 1) / count])
}

/// Every rank's training sequences with their rank; every rank has as many of the same shapes. Segment by segment, and
/// then by environment: an order that does not depend on how environments are spread over workers and ranks.
fn all_sequences(fragments: &[&Fragment], exchange: &Exchange) -> Vec<(usize, SequenceId)> {
    let mut own = sequences(fragments);
    own.sort_by_key(|id| id.segment);
    let ranks = |segment: &'_ [SequenceId]| -> Vec<(usize, SequenceId)> {
        (0..exchange.size()).flat_map(|rank| segment.iter().map(move |&id| (rank, id))).collect()
    };
    own.chunk_by(|a, b| a.segment == b.segment).flat_map(ranks).collect()
}

/// This rank's sequences among those of a minibatch.
fn own(minibatch: &[(usize, SequenceId)], exchange: &Exchange) -> Vec<SequenceId> {
    let rank = exchange.collective().rank();
    minibatch.iter().filter(|(owner, _)| *owner == rank).map(|(_, id)| *id).collect()
}

/// The rank of every block of at most `size` sequences: block by block where blocks are single sequences, else rank by
/// rank.
fn block_owners(minibatch: &[(usize, SequenceId)], size: usize, exchange: &Exchange) -> Vec<usize> {
    if size == 1 {
        return minibatch.iter().map(|(owner, _)| *owner).collect();
    }
    let blocks = |rank: usize| minibatch.iter().filter(|(owner, _)| *owner == rank).count().div_ceil(size);
    (0..exchange.size()).flat_map(|rank| std::iter::repeat_n(rank, blocks(rank))).collect()
}

/// Moments of the advantages of a minibatch.
fn moments(
    minibatch: &[(usize, SequenceId)],
    fragments: &[&Fragment],
    advantages: &[Advantages],
    exchange: &Exchange,
) -> Moments {
    let of = |id: SequenceId| -> Moments {
        let (shape, advantages) = (fragments[id.worker].shape, &advantages[id.worker].advantages);
        let first = id.segment * shape.sequence_length;
        let steps = first..first + shape.segment_steps(id.segment);
        steps.map(|t| f64::from(advantages[t * shape.batch + id.environment])).collect()
    };
    let own: Vec<[f64; 3]> =
        own(minibatch, exchange).into_iter().map(of).map(|m| [m.count, m.sum, m.squares]).collect();
    let owners: Vec<usize> = minibatch.iter().map(|(owner, _)| *owner).collect();
    let mut total = Moments::default();
    for [count, sum, squares] in exchange.rows(&own, &owners) {
        total.add(&Moments { count, sum, squares });
    }
    total
}
