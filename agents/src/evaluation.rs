//! Measuring a policy on fresh episodes.

use std::ops::Range;

use rayon::prelude::*;
use stpn_envs::EnvGroup;
use stpn_envs::vector::MakeEnv;
use stpn_envs::vector::Transition;
use stpn_random::{Purpose, Stream};

use crate::actor::{Actor, Subject};
use crate::memory::Need;
use crate::policy::distribution::{Distribution, GaussianConfig};
use crate::rollout::Observations;
use crate::stop::Stop;
use crate::{Error, Result};

/// Environments stepped together in evaluation.
const GROUP: usize = 16;

/// With a device, a step of the network costs nearly the same for more. Several groups still share the threads.
const GROUP_ON_DEVICE: usize = 64;

/// How a policy is measured.
#[derive(Clone, Debug)]
pub struct EvaluationOptions {
    /// Number of episodes.
    pub episodes: usize,
    /// Seed of environments and action sampling; other streams than training's, whatever the seed.
    pub seed: u64,
    /// Take the most probable action in place of a sample.
    pub deterministic: bool,
    /// Inputs left out of the energy.
    pub energy_skip_inputs: Vec<usize>,
}

impl EvaluationOptions {
    /// `episodes` episodes with sampled actions, seed 0, every input counted in the energy.
    pub fn new(episodes: usize) -> Self {
        Self { episodes, seed: 0, deterministic: false, energy_skip_inputs: Vec::new() }
    }
}

/// What the episodes gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Return of every episode, in order of its number.
    pub returns: Vec<f64>,
    /// Steps of every episode.
    pub lengths: Vec<u64>,
    /// Mean energy per unit and step; absent for the random policy.
    pub energy_per_unit_step: Option<f64>,
    /// Expected return of the optimal policy, where the environment knows it.
    pub oracle_return: Option<f64>,
}

impl Evaluation {
    /// Mean return.
    pub fn mean_return(&self) -> f64 {
        self.returns.iter().sum::<f64>() / self.returns.len() as f64
    }

    /// Sample standard deviation of the return; none of a single episode, which tells nothing of the spread.
    pub fn std_return(&self) -> Option<f64> {
        let (mean, n) = (self.mean_return(), self.returns.len());
        let squares: f64 = self.returns.iter().map(|r| (r - mean).powi(2)).sum();
        (n > 1).then(|| (squares / (n - 1) as f64).sqrt())
    }

    /// Mean steps of an episode.
    pub fn mean_length(&self) -> f64 {
        self.lengths.iter().sum::<u64>() as f64 / self.lengths.len() as f64
    }

    /// Mean return as a share of the optimal policy's.
    pub fn oracle_share(&self) -> Option<f64> {
        self.oracle_return.map(|oracle| self.mean_return() / oracle)
    }
}

/// Runs `options.episodes` episodes of `subject` (the uniformly random policy if `None`).
///
/// # Errors
/// Fails if an environment does.
pub fn evaluate(make: &MakeEnv<'_>, subject: Option<&Subject<'_>>, options: &EvaluationOptions) -> Result<Evaluation> {
    evaluate_until(make, subject, options, &Stop::default())
}

/// [`evaluate`], given up where `stop` says so.
///
/// # Errors
/// Fails if an environment does, and with [`Error::Stopped`].
pub fn evaluate_until(
    make: &MakeEnv<'_>,
    subject: Option<&Subject<'_>>,
    options: &EvaluationOptions,
    stop: &Stop,
) -> Result<Evaluation> {
    if options.episodes == 0 {
        return Err(Error::config("episodes", "must be at least 1"));
    }
    // A return and a length of each.
    let mut need = Need::default();
    need.bytes("episodes", 16.0 * options.episodes as f64);
    need.check()?;
    let first = make(0)?;
    // Only one environment at a time can tell whose an episode is that it recorded itself.
    let group = match subject {
        _ if first.records_episodes() => 1,
        Some(subject) if subject.policy.policy().is_accelerated() => GROUP_ON_DEVICE,
        _ => GROUP,
    };
    let starts: Vec<usize> = (0..options.episodes).step_by(group).collect();
    let groups = starts
        .par_iter()
        .map(|&first| evaluate_group(make, subject, options, first..options.episodes.min(first + group), stop))
        .collect::<Result<Vec<_>>>()?;
    let steps: u64 = groups.iter().flat_map(|g| &g.lengths).sum();
    let energy: f64 = groups.iter().map(|g| g.energy).sum();
    Ok(Evaluation {
        returns: groups.iter().flat_map(|g| g.returns.iter().copied()).collect(),
        lengths: groups.iter().flat_map(|g| g.lengths.iter().copied()).collect(),
        energy_per_unit_step: subject.is_some().then(|| energy / steps as f64),
        oracle_return: first.oracle_return(),
    })
}

/// One episode of each of a group's environments.
struct GroupResult {
    returns: Vec<f64>,
    lengths: Vec<u64>,
    /// Sum over steps of the mean energy per unit.
    energy: f64,
}

fn evaluate_group(
    make: &MakeEnv<'_>,
    subject: Option<&Subject<'_>>,
    options: &EvaluationOptions,
    episodes: Range<usize>,
    stop: &Stop,
) -> Result<GroupResult> {
    stop.go_on()?;
    let (first, count) = (episodes.start, episodes.len());
    let seed = Stream::new(options.seed, Purpose::Evaluation, 0).next_u64();
    let mut group = EnvGroup::new(make, first, count, seed)?;
    let recorded = group.environments().any(|env| env.records_episodes());
    let mut streams: Vec<Stream> =
        (first..first + count).map(|i| Stream::new(options.seed, Purpose::EvaluationActions, i as u64)).collect();
    let distribution = match subject {
        Some(subject) => subject.policy.policy().distribution().clone(),
        None => Distribution::for_space(group.action_space(), &GaussianConfig::default())?,
    };
    let mask = match subject {
        Some(subject) => energy_mask(&options.energy_skip_inputs, subject.policy.policy().cell().input_size())?,
        None => None,
    };
    let mut actor = subject.map(|subject| Actor::new(*subject, count)).transpose()?;

    let space = group.observation_space();
    let mut observations = Observations::zeros(space.dtype(), count * space.len());
    let mut final_observations = observations.clone();
    group.reset(observations.all_mut())?;
    let (mut actions, mut environment_actions) = (distribution.buffer(count), Vec::new());
    let mut starts = vec![1u8; count];
    let (mut rewards, mut terminated, mut truncated) = (vec![0f32; count], vec![false; count], vec![false; count]);
    let mut running = vec![true; count];
    let mut result = GroupResult { returns: vec![0.0; count], lengths: vec![0; count], energy: 0.0 };
    while running.contains(&true) {
        stop.go_on()?;
        match &mut actor {
            Some(actor) => {
                actor.observe_with_energy(observations.all_mut(), &starts, mask.as_deref())?;
                for (i, stream) in streams.iter_mut().enumerate() {
                    actor.choose(i, (!options.deterministic).then_some(stream), &mut actions, i);
                }
            }
            None => {
                for (i, stream) in streams.iter_mut().enumerate() {
                    distribution.act_uniformly(stream, &mut actions, i);
                }
            }
        }
        let mut transition = Transition {
            observations: observations.all_mut(),
            final_observations: final_observations.all_mut(),
            rewards: &mut rewards,
            terminated: &mut terminated,
            truncated: &mut truncated,
        };
        let chosen = distribution.for_environment(&actions, 0, count, &mut environment_actions);
        group.step(chosen, &mut transition)?;
        for i in (0..count).filter(|&i| running[i]).collect::<Vec<_>>() {
            result.returns[i] += f64::from(rewards[i]);
            result.lengths[i] += 1;
            if let Some(actor) = &actor {
                let energies = actor.session().energy();
                let units = energies.len() / count;
                let energies = &energies[i * units..(i + 1) * units];
                result.energy += energies.iter().map(|&e| f64::from(e)).sum::<f64>() / units.max(1) as f64;
            }
            running[i] = recorded || !(terminated[i] || truncated[i]);
        }
        if let (true, Some(episode)) = (recorded, group.drain_episodes().next()) {
            // What ends a training episode, such as a lost life, need not end the game.
            (result.returns[0], running[0]) = (episode.total_reward, false);
        }
        for (start, (terminated, truncated)) in starts.iter_mut().zip(terminated.iter().zip(&truncated)) {
            *start = u8::from(*terminated || *truncated);
        }
    }
    Ok(result)
}

/// 1 for inputs that count in the energy, 0 for those left out; none if all count.
///
/// # Errors
/// [`Error::Config`] for an input that does not exist.
pub(crate) fn energy_mask(skipped: &[usize], inputs: usize) -> Result<Option<Vec<f32>>> {
    if skipped.is_empty() {
        return Ok(None);
    }
    let mut mask = vec![1.0; inputs];
    for &index in skipped {
        *mask.get_mut(index).ok_or_else(|| {
            let problem = format!("input {index} does not exist: the observation has {inputs} elements");
            Error::config("log.energy_skip_inputs", problem)
        })? = 0.0;
    }
    Ok(Some(mask))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_episode_had_a_spread_of_zero() {
        let of = |returns: &[f64]| Evaluation {
            returns: returns.to_vec(),
            lengths: vec![1; returns.len()],
            energy_per_unit_step: None,
            oracle_return: None,
        };
        assert_eq!(of(&[3.0]).std_return(), None);
        assert_eq!(of(&[1.0, 3.0]).std_return(), Some(2f64.sqrt()));
    }
}
