//! Generalised advantage estimation (Schulman et al. 2016) with explicit bootstraps.
//!
//! λ = 1 gives n-step returns, and Monte-Carlo returns where every episode ends inside the fragment.

pub mod estimator;

use crate::rollout::{Estimates, Fragment};

/// Advantages and returns of a fragment, `[T, B]` each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Advantages {
    /// How much better an action turned out than the value expected.
    pub advantages: Vec<f32>,
    /// Targets of the value head: advantage + value.
    pub returns: Vec<f32>,
}

/// Computes advantages of `rewards` `[T, B]` over `estimates` of the fragment's values: its own, or another policy's.
///
/// A step that terminated is followed by nothing (value 0); a truncated one by its episode's final observation; the last
/// step by the observation after the fragment. No sum crosses an episode's end.
pub fn generalized_advantages(
    fragment: &Fragment,
    estimates: &Estimates,
    rewards: &[f32],
    (gamma, lambda): (f64, f64),
) -> Advantages {
    let (steps, batch) = (fragment.shape.steps, fragment.shape.batch);
    let mut advantages = vec![0f32; steps * batch];
    let mut returns = vec![0f32; steps * batch];
    for i in 0..batch {
        let mut carried = 0f64;
        let mut next_value = f64::from(estimates.last_values[i]);
        for t in (0..steps).rev() {
            let n = t * batch + i;
            if fragment.terminated[n] {
                (carried, next_value) = (0.0, 0.0);
            } else if fragment.truncated[n] {
                (carried, next_value) = (0.0, f64::from(estimates.final_values[n]));
            }
            let value = f64::from(estimates.values[n]);
            let delta = f64::from(rewards[n]) + gamma * next_value - value;
            carried = delta + gamma * lambda * carried;
            advantages[n] = carried as f32;
            returns[n] = (carried + value) as f32;
            next_value = value;
        }
    }
    Advantages { advantages, returns }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{ActorCritic, PolicyConfig};
    use candle_core::{DType, Device};
    use stpn_core::cells::CellName;
    use stpn_envs::Space;
    use stpn_random::{Purpose, Stream};

    /// The definition, term by term: Σ_k (γλ)^k δ_{t+k} up to the end of the episode or fragment.
    fn slow(fragment: &Fragment, rewards: &[f32], gamma: f64, lambda: f64, t: usize, i: usize) -> f64 {
        let at = |s: usize| s * fragment.shape.batch + i;
        let mut total = 0.0;
        for s in t..fragment.shape.steps {
            let next = if fragment.terminated[at(s)] {
                0.0
            } else if fragment.truncated[at(s)] {
                f64::from(fragment.estimates.final_values[at(s)])
            } else if s + 1 == fragment.shape.steps {
                f64::from(fragment.estimates.last_values[i])
            } else {
                f64::from(fragment.estimates.values[at(s + 1)])
            };
            let delta = f64::from(rewards[at(s)]) + gamma * next - f64::from(fragment.estimates.values[at(s)]);
            total += (gamma * lambda).powi((s - t) as i32) * delta;
            if fragment.terminated[at(s)] || fragment.truncated[at(s)] {
                break;
            }
        }
        total
    }

    fn random_fragment(seed: u64) -> Fragment {
        let mut stream = Stream::new(seed, Purpose::Test, 0);
        let mut fragment = {
            let (observations, actions) = (Space::boxed(0.0, 1.0, [1]), Space::discrete(2));
            let config = PolicyConfig::new(CellName::Mlp.config(), 1);
            let policy = ActorCritic::new(&config, &observations, &actions, 0, DType::F32, &Device::Cpu).unwrap();
            Fragment::new(23, 3, 23, &observations, &policy)
        };
        for n in 0..69 {
            fragment.rewards[n] = stream.normal() as f32;
            fragment.estimates.values[n] = stream.normal() as f32;
            fragment.terminated[n] = stream.chance(0.1);
            fragment.truncated[n] = stream.chance(0.1);
            fragment.estimates.final_values[n] = if fragment.truncated[n] { stream.normal() as f32 } else { 0.0 };
        }
        (0..3).for_each(|i| fragment.estimates.last_values[i] = stream.normal() as f32);
        fragment
    }

    #[test]
    fn agrees_with_the_slow_definition_on_random_episodes() {
        for seed in 0..20 {
            let fragment = random_fragment(seed);
            for (gamma, lambda) in [(0.99, 0.95), (0.9, 1.0), (1.0, 0.0)] {
                let fast = generalized_advantages(&fragment, &fragment.estimates, &fragment.rewards, (gamma, lambda));
                for t in 0..23 {
                    for i in 0..3 {
                        let expected = slow(&fragment, &fragment.rewards, gamma, lambda, t, i);
                        let n = t * 3 + i;
                        assert!((f64::from(fast.advantages[n]) - expected).abs() < 1e-5, "seed {seed} t {t} i {i}");
                        let target = expected + f64::from(fragment.estimates.values[n]);
                        assert!((f64::from(fast.returns[n]) - target).abs() < 1e-5);
                    }
                }
            }
        }
    }

    #[test]
    fn lambda_one_without_bootstrap_is_monte_carlo() {
        let mut fragment = random_fragment(0);
        fragment.terminated.fill(false);
        fragment.truncated.fill(false);
        fragment.terminated[66..].fill(true);
        let gamma = 0.9;
        let fast = generalized_advantages(&fragment, &fragment.estimates, &fragment.rewards, (gamma, 1.0));
        for i in 0..3 {
            let mut expected = 0.0;
            for t in (0..23).rev() {
                expected = f64::from(fragment.rewards[t * 3 + i]) + gamma * expected;
                assert!((f64::from(fast.returns[t * 3 + i]) - expected).abs() < 1e-4);
            }
        }
    }
}
