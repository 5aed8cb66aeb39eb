//! Rollouts behind the shim.

use super::machine::{Machine, Problems};
use super::runner::{ShimArray, ShimReal, ShimRunner};
use super::sequence::{Inputs, lent};
use crate::Extent;
use crate::any::AnyLayer;
use crate::gated::{GatedPlan, passes};
use crate::plan::Plan;
use crate::plastic;
use crate::play::{self, Addresses, Arrays, KeptArrays, Planned, WorldAddresses};
use crate::rollout::{Environments, Played, Rollout};
use crate::runner::int;
use crate::sequence::SequenceInputs;
use crate::spec::RawSpec;
use crate::tape::Tape;

/// What a backward pass over a rollout gives, from gradients that are all ones.
#[derive(Clone, Debug, PartialEq)]
pub struct RolloutBackward<T> {
    /// Activities `[T, B, H]`.
    pub hidden: Vec<T>,
    /// What was seen, `[T, B, I]`.
    pub x: Vec<T>,
    /// Where episodes started, `[T, B]`.
    pub starts: Vec<u8>,
    /// Gradient of the packed parameters.
    pub parameters: Vec<T>,
}

/// Plays a rollout, and goes back over what is kept of it, if there is no encoder. A block has `shared` bytes of shared
/// memory.
///
/// # Panics
/// If it does not fit the layer or the memory.
pub fn rollout<T: ShimReal>(
    layer: &AnyLayer,
    shared: usize,
    machine: Machine,
    rollout: &Rollout<'_, T>,
) -> (Played<T>, Option<RolloutBackward<T>>, Problems) {
    rollout.check(layer).expect("a rollout that fits");
    match layer {
        AnyLayer::Plastic(layer) => {
            let plan = Plan::new(layer, rollout.extent, size_of::<T>(), shared).expect("a layer that fits");
            let runner = ShimRunner::new(RawSpec::new(layer, &plan.threads), machine);
            run(runner, Planned::Plastic(layer, &plan), rollout)
        }
        AnyLayer::Gated(layer) => {
            let plan = GatedPlan::new(layer, rollout.extent, size_of::<T>(), shared).expect("a layer that fits");
            let runner = ShimRunner::new(RawSpec::gated(layer, &plan), machine);
            run(runner, Planned::Gated(layer, &plan), rollout)
        }
    }
}

fn run<T: ShimReal>(
    runner: ShimRunner,
    planned: Planned<'_>,
    rollout: &Rollout<'_, T>,
) -> (Played<T>, Option<RolloutBackward<T>>, Problems) {
    let Extent { steps, batch } = rollout.extent;
    let observed = [rollout.x, &vec![T::default(); (steps - 1) * rollout.x.len()]].concat();
    let started = [rollout.starts, &vec![0; (steps - 1) * batch]].concat();
    let inputs = Inputs {
        extent: rollout.extent,
        parameters: rollout.parameters,
        x: &observed,
        resets: Some(&started),
        start: rollout.state,
    };
    let lent = lent(&runner, inputs);
    let sequence = lent.inputs(rollout.extent);
    let (heads, uniform) = (runner.array(rollout.heads), runner.array(rollout.uniform));
    let among: Vec<i32> = rollout.environments.lists().into_iter().map(int).collect();
    let among = runner.array(&among);
    let world = World::new(&runner, &rollout.environments);
    let mask = rollout.energy.and_then(|energy| energy.mask).map(|mask| runner.array(mask));
    let actions = runner.array(&vec![u32::MAX; rollout.uniform.len()]);
    let encoder: Vec<_> = rollout.encoder.iter().map(|layer| runner.array(layer.parameters)).collect();
    let encoder: Vec<u64> = encoder.iter().map(ShimRunner::address_of).collect();
    let addresses = Addresses {
        encoder: &encoder,
        heads: ShimRunner::address_of(&heads),
        uniform: ShimRunner::address_of(&uniform),
        among: ShimRunner::address_of(&among),
        world: world.addresses(),
        energy_mask: mask.as_ref().map_or(0, ShimRunner::address_of),
        actions: ShimRunner::address_of(&actions),
        started: sequence.resets,
        keep: rollout.encoder.is_empty(),
    };
    let arrays = play::play(&runner, planned, rollout, &sequence, addresses);
    let Arrays { kept, log_probs, rewards, outputs, next, state, energy } = arrays.expect("the shim");
    let back = kept.map(|kept| backward(&runner, planned, &sequence, kept));
    let back = back.map(|[hidden, parameters]| RolloutBackward {
        hidden,
        x: sequence.x.values(),
        starts: lent.resets().expect("they were given"),
        parameters,
    });
    let played = Played {
        actions: actions.values(),
        log_probs: log_probs.values(),
        rewards: rewards.as_ref().map_or_else(Vec::new, ShimArray::values),
        outputs: outputs.values(),
        observed: if rollout.watched { sequence.x.values() } else { Vec::new() },
        next: next.values(),
        state: state.values(),
        energy: energy.as_ref().map_or_else(Vec::new, ShimArray::values),
    };
    (played, back, runner.problems())
}

/// Activities, and the gradient of the packed parameters, from what was kept and gradients that are all ones.
fn backward<T: ShimReal>(
    runner: &ShimRunner,
    planned: Planned<'_>,
    sequence: &SequenceInputs<'_, ShimArray<T>>,
    KeptArrays { hidden, tape }: KeptArrays<ShimArray<T>>,
) -> [Vec<T>; 2] {
    let ([_, hidden_len, state_len], Extent { steps, batch }) = (planned.sizes(), sequence.extent);
    let ones = |len: usize| runner.array(&vec![T::of(1.0); len]);
    let (grad_hidden, grad_end) = (ones(steps * batch * hidden_len), ones(batch * state_len));
    let gradients = [&grad_hidden, &grad_end];
    let back = match (planned, &tape) {
        (Planned::Plastic(layer, plan), Tape::Plastic(tape)) => {
            plastic::backward(runner, layer, plan, sequence, (&hidden, tape), gradients)
        }
        (Planned::Gated(layer, plan), Tape::Gated(tape)) => {
            passes::backward(runner, layer, plan, sequence, (&hidden, tape), gradients)
        }
        _ => unreachable!("a tape is that of its layer"),
    };
    [hidden.values(), back.expect("the shim").parameters.values()]
}

/// What belongs to the environments of a rollout, where kernels can reach it.
enum World<T> {
    Mazes { draws: ShimArray<u64>, walls: ShimArray<u8>, free_cells: ShimArray<i32>, states: ShimArray<i32> },
    Foreseen { observations: ShimArray<T>, starts: ShimArray<u8> },
    Games { shown: ShimArray<i32>, dealt: ShimArray<i32>, luck: ShimArray<i32>, states: ShimArray<i32> },
}

impl<T: ShimReal> World<T> {
    fn new(runner: &ShimRunner, environments: &Environments<'_, T>) -> Self {
        match environments {
            Environments::Mazes(mazes) => Self::Mazes {
                draws: runner.array(mazes.draws),
                walls: runner.array(&mazes.rules.walls),
                free_cells: runner.array(&mazes.rules.free_cells),
                states: runner.array(&mazes.raw_states()),
            },
            Environments::Foreseen(foreseen) => Self::Foreseen {
                observations: runner.array(foreseen.observations),
                starts: runner.array(foreseen.starts),
            },
            Environments::Games(games) => Self::Games {
                shown: runner.array(&games.rules.shown()),
                dealt: runner.array(games.dealt),
                luck: runner.array(games.luck_there()),
                states: runner.array(&games.raw_states()),
            },
        }
    }

    fn addresses(&self) -> WorldAddresses {
        match self {
            Self::Mazes { draws, walls, free_cells, states } => WorldAddresses::Mazes {
                draws: ShimRunner::address_of(draws),
                walls: ShimRunner::address_of(walls),
                free_cells: ShimRunner::address_of(free_cells),
                states: ShimRunner::address_of(states),
            },
            Self::Foreseen { observations, starts } => WorldAddresses::Foreseen {
                observations: ShimRunner::address_of(observations),
                starts: ShimRunner::address_of(starts),
            },
            Self::Games { shown, dealt, luck, states } => WorldAddresses::Games {
                shown: ShimRunner::address_of(shown),
                dealt: ShimRunner::address_of(dealt),
                luck: ShimRunner::address_of(luck),
                states: ShimRunner::address_of(states),
            },
        }
    }
}
