//! Synchronous advantage actor–critic (Mnih et al. 2016) over recurrent policies.
//!
//! One gradient step per rollout: the loss of every training sequence from its exact initial state, by full
//! back-propagation through the sequence.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::batch::SequenceBatch;
use crate::advantage::{Advantages, generalized_advantages};
use crate::learner::{Gradient, Learner};
use crate::metrics::Metrics;
use crate::policy::ActorCritic;
use crate::policy::distribution::column;
use crate::rollout::{Fragment, Worker};
use crate::{Error, Result};

/// How the losses of single steps are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reduction {
    /// Mean over steps and environments: the maze's published setting.
    Mean,
    /// Sum over steps and environments: Pong's published setting.
    Sum,
}

/// Settings of A2C.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct A2cConfig {
    /// Discount factor γ.
    pub gamma: f64,
    /// λ of generalised advantage estimation; 1 = n-step or Monte-Carlo returns.
    pub gae_lambda: f64,
    /// Factor of the squared error (R − V)². The textbook's ½(R − V)² with coefficient c is c/2 here.
    pub value_coefficient: f64,
    /// Factor of the entropy bonus.
    pub entropy_coefficient: f64,
    /// Factor of the concentration penalty Σ_a π(a)², discrete actions only.
    pub concentration_coefficient: f64,
    /// Mean or sum over steps and environments.
    pub reduction: Reduction,
    /// Clip rewards to their sign before learning; reported returns stay raw.
    pub clip_rewards: bool,
    /// Standardise the advantages of each rollout to mean 0 and deviation 1.
    pub normalize_advantages: bool,
}

impl Default for A2cConfig {
    /// The maze's published settings.
    fn default() -> Self {
        Self {
            gamma: 0.9,
            gae_lambda: 1.0,
            value_coefficient: 0.1,
            entropy_coefficient: 0.0,
            concentration_coefficient: 0.03,
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
    /// [`Error::Config`] naming the key and what is allowed.
    pub fn check(&self) -> Result<()> {
        for (key, value) in [("algorithm.gamma", self.gamma), ("algorithm.gae_lambda", self.gae_lambda)] {
            if !(0.0..=1.0).contains(&value) {
                return Err(Error::config(key, format!("must lie in [0, 1], got {value}")));
            }
        }
        let coefficients = [
            ("algorithm.value_coefficient", self.value_coefficient),
            ("algorithm.entropy_coefficient", self.entropy_coefficient),
            ("algorithm.concentration_coefficient", self.concentration_coefficient),
        ];
        for (key, value) in coefficients {
            if !(value.is_finite() && value >= 0.0) {
                return Err(Error::config(key, format!("must be finite and not negative, got {value}")));
            }
        }
        Ok(())
    }
}

/// The rollout's one gradient, with the mean losses it came from.
///
/// # Errors
/// Fails where a tensor operation does.
pub fn gradient(config: &A2cConfig, learner: &Learner, workers: &[Worker]) -> Result<(Gradient, Metrics)> {
    let fragments: Vec<&Fragment> = workers.iter().map(Worker::fragment).collect();
    let advantages = rollout_advantages(config, &fragments);
    let sequences: Vec<SequenceBatch<'_>> = fragments
        .iter()
        .zip(&advantages)
        .flat_map(|(fragment, advantages)| {
            (0..fragment.segments()).map(|segment| SequenceBatch::segment(fragment, advantages, segment))
        })
        .collect();

    let steps: usize = sequences.iter().map(|batch| batch.steps * batch.batch).sum();
    let scale = match config.reduction {
        Reduction::Mean => 1.0 / steps as f64,
        Reduction::Sum => 1.0,
    };
    let blocks = sequences
        .par_iter()
        .map(|batch| sequence_gradient(config, learner, batch, scale))
        .collect::<Result<Vec<_>>>()?;
    let mut losses = Losses::default();
    blocks.iter().for_each(|(_, block)| losses.add(block));
    let gradient = Gradient::sum(blocks.into_iter().map(|(gradient, _)| gradient).collect());
    Ok((gradient, losses.metrics(steps, explained_variance(&fragments, &advantages))))
}

/// Advantages of every fragment, standardised over the whole rollout where asked for.
fn rollout_advantages(config: &A2cConfig, fragments: &[&Fragment]) -> Vec<Advantages> {
    let mut advantages: Vec<Advantages> = fragments
        .par_iter()
        .map(|fragment| {
            let rewards: Vec<f32> = match config.clip_rewards {
                true => fragment.rewards.iter().map(|r| if *r == 0.0 { 0.0 } else { r.signum() }).collect(),
                false => fragment.rewards.clone(),
            };
            generalized_advantages(fragment, &rewards, config.gamma, config.gae_lambda)
        })
        .collect();
    if config.normalize_advantages {
        let n: usize = advantages.iter().map(|a| a.advantages.len()).sum();
        let over = |f: &dyn Fn(f64) -> f64| -> f64 {
            advantages.iter().flat_map(|a| &a.advantages).map(|&a| f(f64::from(a))).sum::<f64>() / n as f64
        };
        let mean = over(&|a| a);
        let deviation = over(&|a| (a - mean).powi(2)).sqrt() + 1e-8;
        for block in &mut advantages {
            block.advantages.iter_mut().for_each(|a| *a = ((f64::from(*a) - mean) / deviation) as f32);
        }
    }
    advantages
}

/// Gradient and summed losses of one block of sequences.
fn sequence_gradient(
    config: &A2cConfig,
    learner: &Learner,
    batch: &SequenceBatch<'_>,
    scale: f64,
) -> Result<(Gradient, Losses)> {
    let (loss, losses) = loss(config, learner.policy(), batch, scale)?;
    Ok((learner.gradient(&loss)?, losses))
}

/// The scalar loss of a block, and its parts summed over steps:
/// Σ [ −log π(a|s)·A + c_v (R − V)² − c_e H(π) + c_c Σ_a π(a)² ] · scale.
fn loss(
    config: &A2cConfig,
    policy: &ActorCritic,
    batch: &SequenceBatch<'_>,
    scale: f64,
) -> Result<(candle_core::Tensor, Losses)> {
    let observations = policy.observation_tensor(batch.observations, batch.steps, batch.batch)?;
    let outputs = policy.forward(&observations, batch.episode_starts, batch.state)?;
    let evaluated = policy.distribution().evaluate(&outputs.policy, &batch.actions)?;
    let advantages = column(batch.advantages, &outputs.values)?;
    let returns = column(batch.returns, &outputs.values)?;

    let policy_loss = (evaluated.log_prob * advantages)?.sum_all()?.neg()?;
    let value_loss = (returns - &outputs.values)?.sqr()?.sum_all()?;
    let entropy = evaluated.entropy.sum_all()?;
    let mut loss = (&policy_loss + (&value_loss * config.value_coefficient)?)?;
    if config.entropy_coefficient > 0.0 {
        loss = (loss - (&entropy * config.entropy_coefficient)?)?;
    }
    let concentration = match evaluated.concentration {
        Some(concentration) => {
            let concentration = concentration.sum_all()?;
            if config.concentration_coefficient > 0.0 {
                loss = (loss + (&concentration * config.concentration_coefficient)?)?;
            }
            scalar(&concentration)?
        }
        None => 0.0,
    };
    let loss = (loss * scale)?;
    let losses = Losses {
        total: scalar(&loss)?,
        policy: scalar(&policy_loss)?,
        value: scalar(&value_loss)?,
        entropy: scalar(&entropy)?,
        concentration,
    };
    Ok((loss, losses))
}

fn scalar(tensor: &candle_core::Tensor) -> Result<f64> {
    Ok(tensor.to_dtype(candle_core::DType::F64)?.to_scalar()?)
}

/// Losses summed over steps; `total` is already scaled.
#[derive(Clone, Copy, Debug, Default)]
struct Losses {
    total: f64,
    policy: f64,
    value: f64,
    entropy: f64,
    concentration: f64,
}

impl Losses {
    fn add(&mut self, other: &Self) {
        self.total += other.total;
        self.policy += other.policy;
        self.value += other.value;
        self.entropy += other.entropy;
        self.concentration += other.concentration;
    }

    fn metrics(self, steps: usize, explained_variance: f64) -> Metrics {
        let n = steps as f64;
        let mut metrics = Metrics::default();
        metrics.set("losses/total_loss", self.total);
        metrics.set("losses/policy_loss", self.policy / n);
        metrics.set("losses/value_loss", self.value / n);
        metrics.set("losses/entropy", self.entropy / n);
        metrics.set("losses/concentration", self.concentration / n);
        metrics.set("losses/explained_variance", explained_variance);
        metrics
    }
}

/// 1 − Var(R − V) / Var(R): 1 = perfect values, 0 = no better than a constant. 0 where returns do not vary.
fn explained_variance(fragments: &[&Fragment], advantages: &[Advantages]) -> f64 {
    let variance = |values: &mut dyn Iterator<Item = f64>| -> f64 {
        let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
        values.for_each(|v| {
            n += 1.0;
            sum += v;
            squares += v * v;
        });
        (squares - sum * sum / n) / n
    };
    let returns = || advantages.iter().flat_map(|a| &a.returns).map(|&r| f64::from(r));
    let values = fragments.iter().flat_map(|fragment| &fragment.values).map(|&v| f64::from(v));
    let total = variance(&mut returns());
    let left = variance(&mut returns().zip(values).map(|(r, v)| r - v));
    if total > 0.0 { 1.0 - left / total } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use stpn_core::Kernel;
    use stpn_core::cells::CellName;
    use stpn_envs::Space;
    use stpn_random::{Purpose, Stream};

    use super::*;
    use crate::policy::PolicyConfig;
    use crate::policy::distribution::ActionBuffer;

    const STEPS: usize = 7;
    const BATCH: usize = 3;
    const INPUTS: usize = 4;

    /// A policy in f64 with random sequences, episodes starting inside them.
    struct Case {
        policy: ActorCritic,
        observations: Vec<f32>,
        starts: Vec<u8>,
        state: Vec<f32>,
        advantages: Vec<f32>,
        returns: Vec<f32>,
        actions: ActionBuffer,
    }

    impl Case {
        fn new(cell: CellName) -> Self {
            let config = PolicyConfig { hidden: 5, kernel: Kernel::Auto, cell: cell.config() };
            let spaces = (Space::boxed(-1.0, 1.0, [INPUTS]), Space::discrete(3));
            let policy = ActorCritic::new(&config, &spaces.0, &spaces.1, 3, DType::F64, &Device::Cpu).unwrap();
            let mut stream = Stream::new(1, Purpose::Test, 0);
            let mut normals = |n: usize| (0..n).map(|_| stream.normal() as f32).collect::<Vec<f32>>();
            let n = STEPS * BATCH;
            Self {
                observations: normals(n * INPUTS),
                state: normals(BATCH * policy.state_len()).iter().map(|v| 0.1 * v).collect(),
                advantages: normals(n),
                returns: normals(n),
                starts: (0..n).map(|i| u8::from(i % 5 == 2)).collect(),
                actions: ActionBuffer::Discrete((0..n as u32).map(|i| i % 3).collect()),
                policy,
            }
        }

        fn loss(&self, config: &A2cConfig) -> candle_core::Tensor {
            let batch = SequenceBatch {
                steps: STEPS,
                batch: BATCH,
                observations: &self.observations,
                episode_starts: &self.starts,
                state: &self.state,
                actions: self.actions.clone(),
                advantages: &self.advantages,
                returns: &self.returns,
            };
            loss(config, &self.policy, &batch, 1.0 / (STEPS * BATCH) as f64).unwrap().0
        }

        fn value(&self, config: &A2cConfig) -> f64 {
            self.loss(config).to_scalar().unwrap()
        }
    }

    #[test]
    fn gradients_of_every_parameter_agree_with_finite_differences() {
        let config = A2cConfig { entropy_coefficient: 0.05, ..A2cConfig::default() };
        for cell in CellName::ALL {
            let case = Case::new(cell);
            let gradients = case.loss(&config).backward().unwrap();
            for (name, var) in case.policy.parameters().iter() {
                let gradient = gradients.get(var).unwrap_or_else(|| panic!("{cell}: {name} has no gradient"));
                let gradient: Vec<f64> = gradient.flatten_all().unwrap().to_vec1().unwrap();
                let values: Vec<f64> = var.flatten_all().unwrap().to_vec1().unwrap();
                assert!(gradient.iter().any(|g| *g != 0.0), "{cell}: {name} has a gradient of zeros");
                for i in [0, values.len() / 2, values.len() - 1] {
                    let at = |value: f64| {
                        let mut moved = values.clone();
                        moved[i] = value;
                        var.set(&candle_core::Tensor::from_vec(moved, var.shape(), &Device::Cpu).unwrap()).unwrap();
                        case.value(&config)
                    };
                    let step = 1e-5;
                    let difference = (at(values[i] + step) - at(values[i] - step)) / (2.0 * step);
                    at(values[i]);
                    let error = (gradient[i] - difference).abs();
                    assert!(
                        error < 1e-7 + 1e-5 * difference.abs(),
                        "{cell}: {name}[{i}]: {} {difference}",
                        gradient[i]
                    );
                }
            }
        }
    }

    /// The loss written out from the definition, in plain f64.
    #[test]
    fn the_loss_is_its_definition() {
        let config = A2cConfig { entropy_coefficient: 0.02, ..A2cConfig::default() };
        let case = Case::new(CellName::Stpn);
        let observations = case.policy.observation_tensor(&case.observations, STEPS, BATCH).unwrap();
        let outputs = case.policy.forward(&observations, &case.starts, &case.state).unwrap();
        let logits: Vec<Vec<f64>> = outputs.policy.to_vec2().unwrap();
        let values: Vec<f64> = outputs.values.to_vec1().unwrap();
        let ActionBuffer::Discrete(actions) = &case.actions;
        let mut expected = 0.0;
        for n in 0..STEPS * BATCH {
            let total: f64 = logits[n].iter().map(|l| l.exp()).sum();
            let probs: Vec<f64> = logits[n].iter().map(|l| l.exp() / total).collect();
            let error = f64::from(case.returns[n]) - values[n];
            expected -= probs[actions[n] as usize].ln() * f64::from(case.advantages[n]);
            expected += 0.1 * error * error + 0.03 * probs.iter().map(|p| p * p).sum::<f64>();
            expected += 0.02 * probs.iter().map(|p| p * p.ln()).sum::<f64>();
        }
        expected /= (STEPS * BATCH) as f64;
        assert!((case.value(&config) - expected).abs() < 1e-12);
    }
}
