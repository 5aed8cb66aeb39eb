//! What a device that is the CPU learns from: advantages, sequences and losses, as the kernels have them.

use stpn_agents::algorithms::batch::SequenceBatch;
use stpn_agents::algorithms::objective::{Derivatives, Losses, Objective, Sample};
use stpn_agents::policy::accelerator::{
    DeviceAdvantages, DeviceLoss, DeviceObjective, DeviceSteps, Kept, KeptAdvantages, RolloutSteps, Sequences,
};
use stpn_agents::policy::distribution::{ActionBuffer, Terms};
use stpn_agents::rollout::Observations;

/// Advantages and returns of so many sequences, `[L, S·B]`.
struct Targets {
    advantages: Vec<f32>,
    returns: Vec<f32>,
    of: usize,
}

/// Generalised advantages `[T, B]`, and the same as training sequences. What is behind a shorter one is no number.
pub fn advantages(values: &[f32], steps: &RolloutSteps) -> KeptAdvantages {
    let batch = steps.last_values.len();
    let len = values.len() / batch;
    let [mut advantages, mut returns] = [0, 1].map(|_| vec![0f32; values.len()]);
    for env in 0..batch {
        let (mut carried, mut next) = (0.0, f64::from(steps.last_values[env]));
        for n in (0..len).rev().map(|t| t * batch + env) {
            if steps.terminated[n] == 1 {
                (carried, next) = (0.0, 0.0);
            } else if steps.truncated[n] == 1 {
                (carried, next) = (0.0, f64::from(steps.final_values[n]));
            }
            let value = f64::from(values[n]);
            let delta = f64::from(steps.rewards[n]) + steps.gamma * next - value;
            carried = delta + steps.gamma * steps.lambda * carried;
            (advantages[n], returns[n], next) = (carried as f32, (carried + value) as f32, value);
        }
    }
    let (length, segments) = (steps.sequence_length.min(len), len.div_ceil(steps.sequence_length));
    let in_sequences = |all: &Vec<f32>| {
        let mut there = vec![f32::NAN; length * segments * batch];
        for (n, value) in all.iter().enumerate() {
            let (t, env) = (n / batch, n % batch);
            let (segment, step) = (t / steps.sequence_length, t % steps.sequence_length);
            there[(step * segments + segment) * batch + env] = *value;
        }
        there
    };
    let [of_actions, of_values] = [&advantages, &returns].map(in_sequences);
    let kept = Kept::new(Targets { advantages: of_actions, returns: of_values, of: segments * batch });
    KeptAdvantages { kept, advantages, returns }
}

/// All sequences of a rollout, without advantages and what the policy that acted gave.
pub fn placed(numbers: &[f32], sequences: &Sequences<'_>, steps: &DeviceSteps<'_>) -> SequenceBatch {
    let batch = sequences.batch;
    let counted = |column: usize| steps.counts.iter().skip(column).step_by(batch).filter(|&&count| count == 1).count();
    let actions = match steps.actions {
        ActionBuffer::Discrete(choices) | ActionBuffer::Choices(choices) => choices.len(),
        ActionBuffer::Continuous(draws) => draws.len(),
    };
    SequenceBatch {
        steps: sequences.steps,
        lengths: (0..batch).map(counted).collect(),
        observations: Observations::F32(numbers.to_vec()),
        episode_starts: sequences.episode_starts.to_vec(),
        state: sequences.state.to_vec(),
        actions: steps.actions.clone(),
        action_len: actions / (sequences.steps * batch),
        log_probs: vec![0.0; sequences.steps * batch],
        distributions: Vec::new(),
        values: vec![0.0; sequences.steps * batch],
        advantages: Vec::new(),
        returns: Vec::new(),
    }
}

/// Some of the columns of the first rows of an array `[R, of, width]`; nothing of nothing.
fn gather<E: Copy>(all: &[E], [rows, of]: [usize; 2], columns: &[u32], width: usize) -> Vec<E> {
    let rows = all.chunks_exact(of * width.max(1)).take(rows);
    rows.flat_map(|row| columns.iter().flat_map(|&column| &row[column as usize * width..][..width])).copied().collect()
}

/// The first steps of some of those sequences.
pub fn part(all: &SequenceBatch, steps: usize, columns: &[u32]) -> SequenceBatch {
    let (of, width) = (all.batch(), all.action_len);
    let size = [steps, of];
    let floats = |values: &[f32]| gather(values, size, columns, values.len() / (all.steps * of));
    let Observations::F32(numbers) = &all.observations else { unreachable!("there are no images here") };
    SequenceBatch {
        steps,
        lengths: columns.iter().map(|&column| all.lengths[column as usize]).collect(),
        observations: Observations::F32(floats(numbers)),
        episode_starts: gather(&all.episode_starts, size, columns, 1),
        state: gather(&all.state, [1, of], columns, all.state.len() / of),
        actions: match &all.actions {
            ActionBuffer::Discrete(choices) => ActionBuffer::Discrete(gather(choices, size, columns, width)),
            ActionBuffer::Choices(choices) => ActionBuffer::Choices(gather(choices, size, columns, width)),
            ActionBuffer::Continuous(draws) => ActionBuffer::Continuous(floats(draws)),
        },
        action_len: width,
        log_probs: floats(&all.log_probs),
        distributions: floats(&all.distributions),
        values: floats(&all.values),
        advantages: Vec::new(),
        returns: Vec::new(),
    }
}

/// Gives sequences their advantages. Every step that counts has one.
pub fn add_advantages(batch: &mut SequenceBatch, DeviceAdvantages { kept, columns }: DeviceAdvantages<'_>) {
    let Targets { advantages, returns, of } = kept.get().unwrap();
    [batch.advantages, batch.returns] = [advantages, returns].map(|all| gather(all, [batch.steps, *of], columns, 1));
    assert!(batch.places().all(|n| batch.advantages[n].is_finite() && batch.returns[n].is_finite()));
}

/// The loss of one step, by the operations of the CPU's objectives.
pub struct OwnObjective(pub DeviceLoss);

impl Objective for OwnObjective {
    fn needs_kl(&self) -> bool {
        matches!(self.0.objective, DeviceObjective::Ppo { kl: Some(_), .. })
    }

    fn on_device(&self, _: f64) -> DeviceLoss {
        self.0
    }

    fn step(&self, sample: &Sample, terms: &Terms, value: f64, losses: &mut Losses) -> Derivatives {
        let (mean, inverse_deviation) = self.0.standard;
        let advantage = (sample.advantage - mean) * inverse_deviation;
        let error = value - sample.target;
        losses.steps += 1.0;
        losses.value += error * error;
        losses.entropy += terms.entropy;
        losses.concentration += terms.concentration;
        match self.0.objective {
            DeviceObjective::A2c { value: by_error, entropy, concentration } => {
                let policy = -terms.log_prob * advantage;
                losses.policy += policy;
                losses.total +=
                    policy + by_error * error * error - entropy * terms.entropy + concentration * terms.concentration;
                Derivatives {
                    terms: Terms { log_prob: -advantage, entropy: -entropy, concentration, kl: 0.0 },
                    value: 2.0 * by_error * error,
                }
            }
            DeviceObjective::Ppo { clip, value: by_error, value_clip, value_error_clamp, entropy, kl } => {
                assert_eq!((value_clip, value_error_clamp), (None, None), "its errors are plain");
                let (log_ratio, kl) = (terms.log_prob - sample.log_prob, kl.unwrap_or(0.0));
                let ratio = log_ratio.exp();
                let (free, clipped) = (ratio * advantage, ratio.clamp(1.0 - clip, 1.0 + clip) * advantage);
                let (policy, log_prob) = if free <= clipped { (-free, -free) } else { (-clipped, 0.0) };
                losses.policy += policy;
                losses.kl += terms.kl;
                losses.old_approx_kl -= log_ratio;
                losses.approx_kl += (ratio - 1.0) - log_ratio;
                losses.clipped += f64::from(u8::from((ratio - 1.0).abs() > clip));
                losses.total += policy + by_error * (error * error) - entropy * terms.entropy + kl * terms.kl;
                Derivatives {
                    terms: Terms { log_prob, entropy: -entropy, concentration: 0.0, kl },
                    value: by_error * (2.0 * error),
                }
            }
        }
    }
}
