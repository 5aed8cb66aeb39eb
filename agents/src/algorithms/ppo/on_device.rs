//! Minibatches on a device: it has all sequences of the rollout, and takes some of them at each step.

use super::estimation::Estimation;
use super::objective::PpoObjective;
use crate::Result;
use crate::advantage::Advantages;
use crate::algorithms::batch::{SequenceBatch, SequenceId, sequences};
use crate::algorithms::objective::{Losses, Objective};
use crate::learner::Learner;
use crate::policy::accelerator::{DeviceBehaviour, DeviceEstimates, Kept};
use crate::rollout::{Estimates, Fragment};

/// A rollout on the policy's device, with the advantages of its steps.
pub(super) struct PlacedRollout {
    kept: Kept,
    places: Places,
}

/// Where the steps of fragments lie in the sequences of all, `[L, N]`.
struct Places {
    /// Number of each worker's first sequence.
    first: Vec<usize>,
    /// L
    length: usize,
    /// N
    columns: usize,
}

impl Places {
    fn new(fragments: &[&Fragment]) -> Self {
        let mut columns = 0;
        let first = fragments.iter().map(|fragment| {
            let first = columns;
            columns += fragment.shape.segments() * fragment.shape.batch;
            first
        });
        let first = first.collect();
        let length = fragments.iter().map(|fragment| fragment.shape.segment_steps(0)).max().unwrap_or(0);
        Self { first, length, columns }
    }

    /// That of step `n` of a worker's fragment, `[T, B]`.
    fn at(&self, worker: usize, fragment: &Fragment, n: usize) -> usize {
        let (shape, first) = (fragment.shape, self.first[worker]);
        let (t, environment) = (n / shape.batch, n % shape.batch);
        let (segment, step) = (t / shape.sequence_length, t % shape.sequence_length);
        step * self.columns + first + segment * shape.batch + environment
    }

    /// `[L, N]` of what `of` has of the steps of each fragment, `[T, B]`.
    fn divided<'f, V: Copy + Default + 'f>(
        &self,
        fragments: &[&'f Fragment],
        of: impl Fn(usize, &'f Fragment) -> Vec<V>,
    ) -> Vec<V> {
        let mut all = vec![V::default(); self.length * self.columns];
        for (worker, fragment) in fragments.iter().enumerate() {
            for (n, value) in of(worker, fragment).into_iter().enumerate() {
                all[self.at(worker, fragment, n)] = value;
            }
        }
        all
    }

    /// The part of a worker's fragment, `[T, B]`.
    fn of(&self, worker: usize, fragment: &Fragment, all: &[f32]) -> Vec<f32> {
        (0..fragment.rewards.len()).map(|n| all[self.at(worker, fragment, n)]).collect()
    }

    /// The first sequence of each environment, and how far it is to its next one.
    fn sequences(&self, fragments: &[&Fragment]) -> Vec<[i32; 2]> {
        // Fewer than 2³¹: memory ends before.
        let place = |worker: usize, batch: usize| {
            (0..batch).map(move |environment| [(self.first[worker] + environment) as i32, batch as i32])
        };
        fragments.iter().enumerate().flat_map(|(worker, fragment)| place(worker, fragment.shape.batch)).collect()
    }
}

impl PlacedRollout {
    /// Brings it there, distributions too if the `divergence` from them counts, and estimates advantages there, from
    /// the `estimates` of each worker's values. They are given back as well.
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn new(
        learner: &mut Learner,
        fragments: &[&Fragment],
        (estimation, estimates): (&Estimation<'_>, &[&Estimates]),
        divergence: bool,
    ) -> Result<(Self, Vec<Advantages>)> {
        let places = Places::new(fragments);
        let all = SequenceBatch::gather(fragments, None, &sequences(fragments));
        let counts = all.counts();
        let acted = DeviceBehaviour {
            log_probs: &all.log_probs,
            values: &all.values,
            distributions: divergence.then_some(&all.distributions),
        };
        let flags = |ends: &[bool]| -> Vec<u8> { ends.iter().map(|&end| u8::from(end)).collect() };
        let (gamma, lambda) = estimation.discounts;
        let estimates = DeviceEstimates {
            gamma,
            lambda,
            steps: fragments.first().map_or(0, |fragment| fragment.shape.steps),
            sequences: &places.sequences(fragments),
            rewards: &places.divided(fragments, |_, fragment| (estimation.rewards)(fragment)),
            values: &places.divided(fragments, |worker, _| estimates[worker].values.clone()),
            terminated: &places.divided(fragments, |_, fragment| flags(&fragment.terminated)),
            truncated: &places.divided(fragments, |_, fragment| flags(&fragment.truncated)),
            final_values: &places.divided(fragments, |worker, _| estimates[worker].final_values.clone()),
            last_values: &estimates.iter().flat_map(|estimates| &estimates.last_values).copied().collect::<Vec<f32>>(),
        };
        let taken = (&all.actions, &counts[..]);
        let policy = learner.prepare()?;
        let (kept, [advantages, returns]) =
            policy.place_rollout(&all.inputs(), &all.state, taken, &acted, &estimates)?;
        let own = |(worker, fragment): (usize, &&Fragment)| Advantages {
            advantages: places.of(worker, fragment, &advantages),
            returns: places.of(worker, fragment, &returns),
        };
        let advantages = fragments.iter().enumerate().map(own).collect();
        Ok((Self { kept, places }, advantages))
    }

    /// Gradient and losses of some sequences, of which there is at least one; the gradient stays on the device.
    ///
    /// # Errors
    /// Fails if the device does.
    pub fn gradient(
        &self,
        objective: &PpoObjective,
        learner: &mut Learner,
        fragments: &[&Fragment],
        ids: &[SequenceId],
        scale: f64,
    ) -> Result<(Kept, Losses)> {
        // Fewer than 2³²: memory ends before.
        let number = |id: &SequenceId| {
            (self.places.first[id.worker] + id.segment * fragments[id.worker].shape.batch + id.environment) as u32
        };
        let steps = ids.iter().map(|id| fragments[id.worker].shape.segment_steps(id.segment)).max().unwrap_or(0);
        let numbers: Vec<u32> = ids.iter().map(number).collect();
        learner.prepare()?.minimize_part(&self.kept, (&numbers, steps), &objective.on_device(scale))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use stpn_core::cells::CellName;
    use stpn_envs::Space;

    use super::*;
    use crate::policy::{ActorCritic, PolicyConfig};

    #[test]
    fn steps_lie_where_their_sequences_are() {
        let (observations, actions) = (Space::boxed(-1.0, 1.0, [2]), Space::discrete(3));
        let config = PolicyConfig::new(CellName::Rnn.config(), 4);
        let policy = ActorCritic::new(&config, &observations, &actions, 1, DType::F32, &Device::Cpu).unwrap();
        // The last sequence of each environment has one step.
        let of = |batch: usize| Fragment::new(7, batch, 3, &observations, &policy);
        let (large, small) = (of(3), of(2));
        let fragments = [&large, &small];
        let (places, ids) = (Places::new(&fragments), sequences(&fragments));
        assert_eq!((places.length, places.columns), (3, ids.len()));
        // Every step with a number of its own, 0 for padding.
        let number = |worker: usize, n: usize| (1000 * (worker + 1) + n) as f32;
        let all = places.divided(&fragments, |worker, fragment| {
            (0..fragment.rewards.len()).map(|n| number(worker, n)).collect::<Vec<f32>>()
        });
        for (at, value) in all.iter().enumerate() {
            let (step, id) = (at / ids.len(), ids[at % ids.len()]);
            let shape = fragments[id.worker].shape;
            let wanted = match step < shape.segment_steps(id.segment) {
                true => number(id.worker, (3 * id.segment + step) * shape.batch + id.environment),
                false => 0.0,
            };
            assert_eq!(*value, wanted, "step {step} of {id:?}");
        }
        for (worker, fragment) in fragments.iter().enumerate() {
            let own = places.of(worker, fragment, &all);
            assert!(own.iter().enumerate().all(|(n, &value)| value == number(worker, n)), "{own:?}");
        }
        let environments: Vec<(usize, usize)> = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)].into();
        for ([first, next], (worker, environment)) in places.sequences(&fragments).into_iter().zip(environments) {
            for segment in 0..3 {
                let wanted = SequenceId { worker, segment, environment };
                assert_eq!(ids[(first + segment as i32 * next) as usize], wanted);
            }
        }
    }
}
