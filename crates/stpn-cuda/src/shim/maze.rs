//! Rollouts in mazes behind the shim.

use super::machine::{Machine, Problems};
use super::runner::{ShimArray, ShimReal, ShimRunner};
use super::sequence::{Inputs, lent};
use crate::layer::{Layer, Plastic};
use crate::maze::{self, Addresses, Arrays, MazeRollout, Played};
use crate::plan::Plan;
use crate::spec::RawSpec;

/// Plays a rollout.
///
/// # Panics
/// If it does not fit the layer.
pub fn maze_rollout<T: ShimReal>(
    layer: &Plastic,
    plan: &Plan,
    machine: Machine,
    rollout: &MazeRollout<'_, T>,
) -> (Played<T>, Problems) {
    let any = Layer::Plastic(layer.clone());
    rollout.check(layer, any.state_len(), any.parameters()).expect("a rollout that fits");
    let runner = ShimRunner::new(RawSpec::new(&any, &plan.threads), machine);
    let inputs = Inputs {
        extent: rollout.extent,
        parameters: rollout.parameters,
        x: rollout.x,
        resets: Some(rollout.starts),
        start: rollout.state,
    };
    let sequence = lent(&runner, inputs);
    let (heads, uniform, draws) =
        (runner.array(rollout.heads), runner.array(rollout.uniform), runner.array(rollout.draws));
    let (walls, free_cells, mazes) = (
        runner.array(&rollout.rules.walls),
        runner.array(&rollout.rules.free_cells),
        runner.array(&rollout.raw_mazes()),
    );
    let mask = rollout.energy.and_then(|energy| energy.mask).map(|mask| runner.array(mask));
    let actions = runner.array(&vec![u32::MAX; rollout.uniform.len()]);
    let addresses = Addresses {
        heads: ShimRunner::address_of(&heads),
        uniform: ShimRunner::address_of(&uniform),
        draws: ShimRunner::address_of(&draws),
        walls: ShimRunner::address_of(&walls),
        free_cells: ShimRunner::address_of(&free_cells),
        mazes: ShimRunner::address_of(&mazes),
        energy_mask: mask.as_ref().map_or(0, ShimRunner::address_of),
        actions: ShimRunner::address_of(&actions),
    };
    let arrays = maze::play(&runner, &any, plan, rollout, &sequence.inputs(rollout.extent), addresses);
    let Arrays { log_probs, rewards, outputs, next, state, energy } = arrays.expect("the shim");
    let played = Played {
        actions: actions.values(),
        log_probs: log_probs.values(),
        rewards: rewards.values(),
        outputs: outputs.values(),
        next: next.values(),
        state: state.values(),
        energy: energy.as_ref().map_or_else(Vec::new, ShimArray::values),
    };
    (played, runner.problems())
}
