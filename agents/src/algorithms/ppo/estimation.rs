//! How advantages come from a rollout.

use rayon::prelude::*;

use crate::advantage::{Advantages, generalized_advantages};
use crate::rollout::{Estimates, Fragment};

/// What they need beside estimates of values.
pub struct Estimation<'a> {
    /// Rewards of a fragment `[T, B]`, as the algorithm takes them.
    pub rewards: &'a (dyn Fn(&Fragment) -> Vec<f32> + Sync),
    /// γ and λ.
    pub discounts: (f64, f64),
    /// Fragments that one thread goes through at least.
    pub fragments_per_thread: usize,
}

impl Estimation<'_> {
    /// Advantages of each worker's fragment, on the CPU.
    pub fn here(&self, fragments: &[&Fragment], estimates: &[&Estimates]) -> Vec<Advantages> {
        let both = fragments.par_iter().zip(estimates).with_min_len(self.fragments_per_thread);
        let own = |(fragment, estimates): (&&Fragment, &&Estimates)| {
            generalized_advantages(fragment, estimates, &(self.rewards)(fragment), self.discounts)
        };
        both.map(own).collect()
    }
}
