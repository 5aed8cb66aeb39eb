//! What an update learns from, and what all algorithms say of it.

use crate::advantage::Advantages;
use crate::advantage::estimator::RolloutAdvantages;
use crate::collective::Exchange;
use crate::optimizer::Clock;
use crate::rollout::Fragment;
use crate::statistics::Moments;

/// When an update takes place.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The update's number, counted from 1.
    pub update: u64,
    /// How far the run had come before it.
    pub clock: Clock,
}

/// A rollout with its advantages.
pub struct Experience<'a> {
    /// By worker.
    pub fragments: Vec<&'a Fragment>,
    /// Of all workers.
    pub advantages: &'a RolloutAdvantages,
}

impl Experience<'_> {
    /// Steps of all environments.
    pub fn steps(&self) -> usize {
        self.fragments.iter().map(|fragment| fragment.shape.steps * fragment.shape.batch).sum()
    }
}

/// The mean, and the inverse of the deviation, by which advantages of these moments are standardised.
pub(super) fn standard(advantages: Option<Moments>) -> (f64, f64) {
    advantages.map_or((0.0, 1.0), |moments| (moments.mean(), 1.0 / (moments.variance().sqrt() + 1e-8)))
}

/// Moments of each worker's advantages.
pub(super) fn advantage_moments(advantages: &[Advantages]) -> Vec<Moments> {
    advantages.iter().map(|a| a.advantages.iter().map(|&a| f64::from(a)).collect()).collect()
}

/// 1 − Var(R − V) / Var(R): 1 = perfect values, 0 = no better than a constant. 0 if returns do not vary.
pub(super) fn explained_variance(experience: &Experience<'_>, exchange: &Exchange) -> f64 {
    let workers = || experience.advantages.here.iter().zip(&experience.fragments);
    let returns: Vec<Moments> = workers().map(|(a, _)| a.returns.iter().map(|&r| f64::from(r)).collect()).collect();
    let errors: Vec<Moments> = workers()
        .map(|(a, fragment)| {
            a.returns.iter().zip(&fragment.estimates.values).map(|(&r, &v)| f64::from(r) - f64::from(v)).collect()
        })
        .collect();
    let (total, left) = (exchange.total(&returns).variance(), exchange.total(&errors).variance());
    if total > 0.0 { 1.0 - left / total } else { 0.0 }
}
