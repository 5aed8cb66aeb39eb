//! Rollouts on a device: recurrent networks in mazes.

use stpn_cuda::cuda::{Advantages, KeptRollout};
use stpn_cuda::maze::{ACTIONS, EnergyOf, MazeRollout, MazeRules, MazeState};
use stpn_cuda::{AdvantageSteps, Extent};
use stpn_envs::OnDevice;
use stpn_envs::maze::{MazeConfig, MazeOnDevice, Position};

use super::losses::{a2c_loss, a2c_sums};
use super::network::{DeviceNetwork, elsewhere, of_parameters};
use crate::policy::accelerator::{
    Collected, DeviceLoss, DeviceObjective, Kept, KeptAdvantages, Losses, Rollout, RolloutSteps, Rollouts,
};
use crate::{Error, Result};

/// Words drawn beyond the two that a step can need, for a new place and a new goal: a word is rejected with a
/// probability below 2⁻⁵⁰, and then the next one takes its place.
const SPARE_DRAWS: usize = 8;

impl Rollouts for DeviceNetwork {
    fn collect(&self, rollout: &Rollout, parameters: &Kept, keep: bool) -> Result<(Collected, Option<Kept>)> {
        let own = &of_parameters(parameters)?.actor;
        let (steps, batch) = (rollout.steps, rollout.environments.len());
        let layer = self.actor.trunk.alone().zip(own.trunk.cell.as_ref());
        let (Some((layer, of_cell)), Some(first)) = (layer, rollout.environments.first()) else {
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
            parameters: of_cell,
            heads: &own.heads,
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
        let left = |rollout| Kept::new(Left { rollout, parameters: parameters.clone() });
        Ok((collected, kept.map(left)))
    }

    fn advantages(&self, kept: &Kept, steps: &RolloutSteps) -> Result<KeptAdvantages> {
        let Left { rollout, .. } = kept.get().ok_or_else(elsewhere)?;
        let steps = AdvantageSteps {
            gamma: steps.gamma,
            lambda: steps.lambda,
            rewards: &steps.rewards,
            last_values: &steps.last_values,
            terminated: &steps.terminated,
            truncated: &steps.truncated,
            final_values: &steps.final_values,
        };
        let there = rollout.advantages(&self.general, &steps)?;
        let (advantages, returns) = (self.device.download(&there.advantages)?, self.device.download(&there.returns)?);
        Ok(KeptAdvantages { kept: Kept::new(there), advantages, returns })
    }

    fn a2c_gradient(&self, kept: &Kept, advantages: &Kept, loss: &DeviceLoss) -> Result<(Kept, Losses)> {
        let Advantages { advantages, returns } = advantages.get::<Advantages<f32>>().ok_or_else(elsewhere)?;
        let Left { rollout, parameters } = kept.get().ok_or_else(elsewhere)?;
        let own = &of_parameters(parameters)?.actor;
        let (Some(layer), Some(of_cell)) = (self.actor.trunk.alone(), &own.trunk.cell) else { return Err(elsewhere()) };
        let DeviceObjective::A2c { value, entropy, concentration } = loss.objective else {
            return Err(Error::config("algorithm.name", "what a rollout left on a device is for A2C"));
        };
        let Extent { steps, batch } = rollout.extent();
        let of_steps = a2c_loss(loss, [value, entropy, concentration]);
        let (grad_outputs, sums) = rollout.a2c_loss(&self.general, &of_steps, advantages, returns)?;
        let mut gradient = self.device.zeros(self.parameters_len)?;
        // The heads are linear, so that their outputs, which have another order, are not read.
        let passes = [&own.heads, &rollout.forward().hidden, rollout.outputs(), &grad_outputs];
        let grad_hidden = self.actor.heads.backward(&self.device, steps * batch, passes, &mut gradient)?;
        // Nothing looks at the last state: the next rollout is another update's business.
        let grad_end = self.device.zeros(rollout.forward().end.len())?;
        let backward = layer.backward(rollout.sequence(of_cell), rollout.forward(), &grad_hidden, &grad_end)?;
        self.device.put(&backward.parameters, &mut gradient, self.actor.first)?;
        Ok((Kept::new(gradient), a2c_sums(&of_steps, sums, steps * batch)))
    }
}

/// What is left of a rollout, with the parameters that collected it.
struct Left {
    rollout: KeptRollout<f32>,
    parameters: Kept,
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
