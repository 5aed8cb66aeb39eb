//! Rollouts on a device: recurrent networks in mazes.

use stpn_cuda::Extent;
use stpn_cuda::cuda::KeptRollout;
use stpn_cuda::maze::{ACTIONS, EnergyOf, MazeRollout, MazeRules, MazeState};
use stpn_envs::OnDevice;
use stpn_envs::maze::{MazeConfig, MazeOnDevice, Position};

use super::DeviceNetwork;
use crate::policy::accelerator::{A2cLoss, A2cSums, Collected, Kept, Rollout, Rollouts};
use crate::{Error, Result};

/// Words drawn beyond the two that a step can need, for a new place and a new goal: a word is rejected with a probability
/// below 2⁻⁵⁰, and then the next one takes its place.
const SPARE_DRAWS: usize = 8;

impl Rollouts for DeviceNetwork {
    fn collect(&self, rollout: &Rollout, parameters: &[f32], keep: bool) -> Result<(Collected, Option<Kept>)> {
        let (steps, batch) = (rollout.steps, rollout.environments.len());
        let (Some(layer), Some(first)) = (self.actor.trunk.alone(), rollout.environments.first()) else {
            return Err(Error::config("training.device", "this network has no rollouts on a device"));
        };
        let OnDevice::Maze(maze) = first else { return Err(no_kernel()) };
        let rules = rules(&maze.config)?;
        let draws_len = 2 * steps + SPARE_DRAWS;
        let (mut mazes, mut draws) = (Vec::with_capacity(batch), Vec::with_capacity(batch * draws_len));
        for environment in &rollout.environments {
            let OnDevice::Maze(MazeOnDevice { agent, goal, step, stream, .. }) = environment else {
                return Err(no_kernel());
            };
            mazes.push(MazeState { agent: cell(*agent, rules.size), goal: *goal, step: *step as usize });
            let mut stream = stream.clone();
            draws.extend((0..draws_len).map(|_| stream.next_u64()));
        }
        let energy = rollout.energy.as_ref().map(|energy| EnergyOf {
            first: energy.first,
            every: energy.every,
            batch: energy.environments,
            mask: energy.input_mask.as_deref(),
        });
        let rollout = MazeRollout {
            extent: Extent { steps, batch },
            rules: &rules,
            mazes: &mazes,
            draws: &draws,
            uniform: &rollout.uniform,
            parameters: &parameters[self.actor.parameters.clone()],
            heads: &self.actor.heads.joined(parameters),
            x: &rollout.observations,
            starts: &rollout.episode_starts,
            state: &rollout.state,
            watched: rollout.watched,
            energy,
        };
        let (played, kept) = layer.maze_rollout(&rollout, keep)?;
        if played.actions.iter().any(|&action| action as usize >= ACTIONS) {
            return Err(Error::config(
                "training.device",
                "a maze needed more drawn numbers than there were: this is a fault of stpn. Set it to \"cpu\", and please report it",
            ));
        }
        let (energy, hidden) =
            (played.energy.iter().map(|&energy| f64::from(energy)).sum::<f64>(), layer.any().hidden());
        let collected = Collected {
            actions: played.actions,
            log_probs: played.log_probs,
            rewards: played.rewards,
            outputs: played.outputs,
            observed: played.observed,
            observations: played.next,
            state: played.state,
            energy: (energy / hidden as f64, (played.energy.len() / hidden) as u64),
        };
        Ok((collected, kept.map(Kept::new)))
    }

    fn a2c_gradient(&self, kept: &Kept, loss: &A2cLoss<'_>, gradient: &mut [f32]) -> Result<A2cSums> {
        let (Some(layer), Some(kept)) = (self.actor.trunk.alone(), kept.get::<KeptRollout<f32>>()) else {
            return Err(Error::config("training.device", "the rollout was collected on another device"));
        };
        let Extent { steps, batch } = kept.extent();
        let of_steps = stpn_cuda::A2cLoss {
            value: loss.value,
            entropy: loss.entropy,
            concentration: loss.concentration,
            mean: loss.standard.0,
            inverse_deviation: loss.standard.1,
            scale: loss.scale,
        };
        let (grad_outputs, sums) = kept.a2c_loss(&self.general, &of_steps, loss.advantages, loss.returns)?;
        // The heads are linear, so that their outputs, which have another order, are not read.
        let passes = (kept.heads(), &kept.forward().hidden, kept.outputs());
        let grad_hidden = self.actor.heads.back(&self.device, steps * batch, passes, &grad_outputs, gradient)?;
        // Nothing looks at the last state: the next rollout is another update's business.
        let grad_end = self.device.zeros(kept.forward().end.len())?;
        let backward = layer.backward(kept.sequence(), kept.forward(), &grad_hidden, &grad_end)?;
        gradient[self.actor.parameters.clone()].copy_from_slice(&self.device.download(&backward.parameters)?);
        let stpn_cuda::A2cSums { policy, value, entropy, concentration } = sums;
        Ok(A2cSums { policy, value, entropy, concentration })
    }
}

fn no_kernel() -> Error {
    Error::config("env", "there is no kernel for this environment: set training.device to \"cpu\"")
}

fn cell(position: Position, size: usize) -> usize {
    position.row * size + position.column
}

/// A maze's rules as the kernel has them.
fn rules(config: &MazeConfig) -> Result<MazeRules> {
    let maze = config.make()?;
    let (grid, size) = (maze.grid(), config.size);
    let walls = (0..size * size).map(|at| u8::from(grid.is_wall(Position { row: at / size, column: at % size })));
    Ok(MazeRules {
        size,
        view_radius: config.view_radius,
        episode_length: config.episode_length as usize,
        reward: config.reward,
        wall_penalty: config.wall_penalty,
        walls: walls.collect(),
        // At most 99 rows and columns.
        free_cells: grid.free().iter().map(|&position| cell(position, size) as i32).collect(),
    })
}
