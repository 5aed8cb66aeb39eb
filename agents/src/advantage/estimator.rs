//! Advantages of a rollout of all workers, estimated where the policy is.

use rayon::prelude::*;

use super::{Advantages, generalized_advantages};
use crate::Result;
use crate::collective::{Collective, agree};
use crate::policy::ActorCritic;
use crate::policy::accelerator::{Accelerator, Kept, KeptAdvantages, RolloutSteps, Values};
use crate::rollout::{Estimates, Fragment, Normalization};

/// Steps whose advantages one thread computes at least.
const STEPS: usize = 1 << 13;

/// How advantages come from rollouts.
#[derive(Clone, Copy, Debug)]
pub struct Estimator<'a> {
    /// What observations are seen with, and rewards.
    pub normalization: &'a Normalization,
    /// Whether rewards count by their sign alone.
    pub clip_rewards: bool,
    /// γ and λ.
    pub discounts: (f64, f64),
}

/// Advantages of a rollout.
#[derive(Clone, Debug)]
pub struct RolloutAdvantages {
    /// By worker.
    pub here: Vec<Advantages>,
    /// The same bits on the policy's device if it has one, where its losses read them, in the columns of
    /// [`SequenceColumns`](crate::algorithms::batch::SequenceColumns).
    pub there: Option<Kept>,
}

impl Estimator<'_> {
    /// Advantages of the workers' `fragments` over `estimates` of the values of each: its own, or another policy's. A
    /// policy on a device has them estimated there, from the values of the rollout that the device has `left`, if it
    /// has: then these are the fragments' own estimates.
    ///
    /// # Errors
    /// Fails, on all ranks, if a device does.
    pub fn estimate(
        &self,
        (policy, collective): (&ActorCritic, &dyn Collective),
        fragments: &[&Fragment],
        estimates: &[&Estimates],
        left: Option<&Kept>,
    ) -> Result<RolloutAdvantages> {
        if let Some(accelerator) = policy.accelerator() {
            return agree(collective, self.estimate_there(accelerator.as_ref(), fragments, estimates, left));
        }
        // Fewer steps are not worth waking another thread for.
        let steps = fragments.first().map_or(1, |fragment| fragment.rewards.len()).max(1);
        let of = |(fragment, estimates): (&&Fragment, &&Estimates)| {
            generalized_advantages(fragment, estimates, &self.rewards(fragment), self.discounts)
        };
        let here = fragments.par_iter().zip(estimates).with_min_len(STEPS.div_ceil(steps)).map(of).collect();
        Ok(RolloutAdvantages { here, there: None })
    }

    /// Rewards `[T, B]` of a fragment, as advantages count them.
    fn rewards(&self, fragment: &Fragment) -> Vec<f32> {
        let mut rewards = self.normalization.rewards(&fragment.rewards);
        if self.clip_rewards {
            rewards.iter_mut().for_each(|r| *r = if *r == 0.0 { 0.0 } else { r.signum() });
        }
        rewards
    }

    /// Those that a device estimates, over all environments at once.
    fn estimate_there(
        &self,
        accelerator: &dyn Accelerator,
        fragments: &[&Fragment],
        estimates: &[&Estimates],
        left: Option<&Kept>,
    ) -> Result<RolloutAdvantages> {
        let shape = fragments.first().map(|fragment| fragment.shape);
        let (steps, sequence_length) = shape.map_or((0, 1), |shape| (shape.steps, shape.sequence_length));
        let rewards: Vec<Vec<f32>> = fragments.iter().map(|fragment| self.rewards(fragment)).collect();
        let (gamma, lambda) = self.discounts;
        let mut all = RolloutSteps { gamma, lambda, sequence_length, ..RolloutSteps::default() };
        let mut values = Vec::new();
        for t in 0..steps {
            for ((fragment, estimates), rewards) in fragments.iter().zip(estimates).zip(&rewards) {
                let now = t * fragment.shape.batch..(t + 1) * fragment.shape.batch;
                all.rewards.extend_from_slice(&rewards[now.clone()]);
                all.terminated.extend(fragment.terminated[now.clone()].iter().map(|&ended| u8::from(ended)));
                all.truncated.extend(fragment.truncated[now.clone()].iter().map(|&cut| u8::from(cut)));
                all.final_values.extend_from_slice(&estimates.final_values[now.clone()]);
                if left.is_none() {
                    values.extend_from_slice(&estimates.values[now]);
                }
            }
        }
        all.last_values = estimates.iter().flat_map(|estimates| &estimates.last_values).copied().collect();
        let values = left.map_or(Values::Here(&values), Values::There);
        let KeptAdvantages { kept, advantages, returns } = accelerator.advantages(values, &all)?;
        let (environments, mut first) = (all.last_values.len(), 0);
        let own = |fragment: &&Fragment| {
            let columns = first..first + fragment.shape.batch;
            first = columns.end;
            let of =
                |all: &[f32]| all.chunks_exact(environments).flat_map(|row| &row[columns.clone()]).copied().collect();
            Advantages { advantages: of(&advantages), returns: of(&returns) }
        };
        Ok(RolloutAdvantages { here: fragments.iter().map(own).collect(), there: Some(kept) })
    }
}
