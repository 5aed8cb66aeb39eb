//! Sequences of a task on a device, which is given many of them at once.

use super::block::Block;
use super::config::TaskConfig;
use super::data::Sequences;
use super::loss::Objective;
use super::network::Network;
use super::sampling::{EnergySampling, MEASURED};
use super::scores::Scores;
use crate::Result;
use crate::learner::PlacedGradient;
use crate::policy::accelerator::{self, EnergySteps, Kept, ReadoutDevice, Seen};
use crate::stop::Stop;

/// A block as a device is given it; `seen` and `state` are those of its sequences.
fn given<'s>(block: &'s Block, seen: &'s Seen<'s>, state: &'s [f32]) -> accelerator::Sequences<'s> {
    let inputs = block.inputs();
    accelerator::Sequences {
        steps: inputs.steps,
        batch: inputs.batch,
        observations: seen,
        episode_starts: inputs.episode_starts,
        state,
    }
}

/// Gradient of the mean loss over all answers of the sequences `indices`, which stays on the device, and what was
/// answered with its `parameters`.
///
/// # Errors
/// Fails if the device does.
pub(super) fn gradient(
    (network, device, parameters): (&Network, &dyn ReadoutDevice, &Kept),
    objective: Objective,
    data: &dyn Sequences,
    indices: &[u32],
) -> Result<(PlacedGradient, Scores)> {
    let block = Block::new(data, objective.answers, indices);
    let (count, mut scores) = (block.targets.len(), Scores::default());
    let (seen, state) = (Seen::Numbers((&block.x[..]).into()), vec![0.0; indices.len() * network.state_len()]);
    let scale = 1.0 / count as f64;
    let gradient = device.differentiate(&given(&block, &seen, &state), count, parameters, &mut |answers| {
        objective.judge(&block.targets, answers, scale as f32, &mut scores);
    })?;
    Ok((PlacedGradient::There(gradient), scores))
}

/// Answers to all of `data` of a task with `parameters`. As many sequences are measured at once as a batch has: memory
/// that suffices for learning from them suffices for this.
///
/// # Errors
/// Fails if the device does, and with [`Error::Stopped`](crate::Error::Stopped) if `stop` says so.
pub(super) fn evaluate(
    (network, device, parameters): (&Network, &dyn ReadoutDevice, &Kept),
    task: &TaskConfig,
    data: &dyn Sequences,
    energy: EnergySampling<'_>,
    stop: &Stop,
) -> Result<Scores> {
    let (objective, indices) = (task.objective(), (0..data.len() as u32).collect::<Vec<u32>>());
    // Those that are measured without a device.
    let measured = energy.sequences.min(indices.len()).next_multiple_of(MEASURED);
    let parts: Result<Vec<Scores>> = indices
        .chunks(task.batch_size())
        .map(|indices| {
            stop.go_on()?;
            let block = Block::new(data, objective.answers, indices);
            let (seen, state) = (Seen::Numbers((&block.x[..]).into()), vec![0.0; indices.len() * network.state_len()]);
            let environments = measured.saturating_sub(indices[0] as usize).min(indices.len());
            let steps = (environments > 0).then(|| EnergySteps {
                first: 0,
                every: energy.every,
                environments,
                input_mask: energy.input_mask.map(<[f32]>::to_vec),
            });
            let mut given =
                device.answers(&given(&block, &seen, &state), block.targets.len(), parameters, steps.as_ref())?;
            let mut scores = Scores { energy: given.energy.0, energy_samples: given.energy.1, ..Scores::default() };
            objective.judge(&block.targets, &mut given.answers, 1.0, &mut scores);
            Ok(scores)
        })
        .collect();
    Ok(parts?.into_iter().sum())
}
