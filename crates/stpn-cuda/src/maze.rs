//! Rollouts in mazes: environments and network step by step in one launch.
//!
//! The device plays with the numbers that the environments' and the agents' own streams give, which are drawn before.
//! So it plays what the CPU would play, but for the rounding of the network.

use crate::any::AnyLayer;
pub use crate::energy::EnergyOf;
use crate::energy::EnergyOperands;
use crate::gated::passes;
use crate::gated::{Gated, GatedInputs, GatedKind, GatedOperands, GatedPlan};
use crate::layer::Layer;
use crate::maze_sizes::SHARED;
pub use crate::maze_sizes::{ACTIONS, OUTPUTS};
use crate::plan::Plan;
use crate::plastic::{self, Operands};
use crate::runner::{Launch, Plain, Runner, Unit, int, long};
use crate::sequence::SequenceInputs;
use crate::tape::Tape;
use crate::{Error, Extent, Real, Result};

/// Numbers of an observation beside the patch of cells.
const REST: usize = 8;

/// Rules of a maze, with what does not change in it.
#[derive(Clone, Debug, PartialEq)]
pub struct MazeRules {
    /// Rows and columns.
    pub size: usize,
    /// How many cells the agent sees in every direction.
    pub view_radius: usize,
    /// Steps of an episode.
    pub episode_length: usize,
    /// Reward for reaching the goal.
    pub reward: f64,
    /// Subtracted from the reward of a step into a wall.
    pub wall_penalty: f64,
    /// `[size, size]`, 1 for a wall; no cell that an agent can reach lies at the edge.
    pub walls: Vec<u8>,
    /// The free cells, row by row, as row · size + column.
    pub free_cells: Vec<i32>,
}

impl MazeRules {
    /// Numbers of an observation.
    pub fn observation_len(&self) -> usize {
        (2 * self.view_radius + 1).pow(2) + REST
    }
}

/// Where a maze stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MazeState {
    /// The agent's cell, as row · size + column.
    pub agent: usize,
    /// The goal, as its number among the free cells.
    pub goal: usize,
    /// Steps of the episode so far.
    pub step: usize,
}

/// Number of elements of an array, wherever it lies.
pub trait Length {
    /// That number.
    fn length(&self) -> usize;
}

impl<T> Length for [T] {
    fn length(&self) -> usize {
        self.len()
    }
}

/// T steps of B mazes under a recurrent layer with heads. Arrays lie on the host, but for parameters `A`, which may be
/// on a device.
#[derive(Debug)]
pub struct MazeRollout<'a, T, A: ?Sized = [T]> {
    /// T and B.
    pub extent: Extent,
    /// Of all mazes.
    pub rules: &'a MazeRules,
    /// `[B]` before the first step.
    pub mazes: &'a [MazeState],
    /// `[B, W]`, words of each environment's own stream; two for each step suffice, and some more for what is rejected.
    pub draws: &'a [u64],
    /// `[B, T]`, uniform in [0, 1), for the actions.
    pub uniform: &'a [f64],
    /// Packed parameters of the layer.
    pub parameters: &'a A,
    /// Of the heads: weights `[5, H]`, then biases `[5]`; four logits and the value.
    pub heads: &'a A,
    /// `[B, I]` observations to act on first.
    pub x: &'a [T],
    /// `[B]`, 1 if the first step is that of an episode.
    pub starts: &'a [u8],
    /// `[B, S]` before the first step; may be empty if all `starts` are 1.
    pub state: &'a [T],
    /// Whether all observations are wanted, to compare them.
    pub watched: bool,
    /// Where energy is measured, if it is.
    pub energy: Option<EnergyOf<'a, T>>,
}

/// What a rollout gives. An environment's steps lie one after another.
#[derive(Clone, Debug, PartialEq)]
pub struct Played<T> {
    /// `[B, T]`
    pub actions: Vec<u32>,
    /// `[B, T]` of the actions.
    pub log_probs: Vec<T>,
    /// `[B, T]`
    pub rewards: Vec<T>,
    /// `[B, T, 5]` of the heads.
    pub outputs: Vec<T>,
    /// `[T, B, I]` observations acted on, if they are wanted; else empty.
    pub observed: Vec<T>,
    /// `[B, I]` observations after the last step.
    pub next: Vec<T>,
    /// `[B, S]` after the last step.
    pub state: Vec<T>,
    /// `[samples, B', H]` energy of every unit, if it was asked for.
    pub energy: Vec<T>,
}

impl<T: Copy, A: ?Sized> Clone for MazeRollout<'_, T, A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Copy, A: ?Sized> Copy for MazeRollout<'_, T, A> {}

impl<'a, T, A: ?Sized> MazeRollout<'a, T, A> {
    /// The same rollout with its parameters, and those of the heads, somewhere else.
    pub fn with_parameters<P: ?Sized>(self, parameters: &'a P, heads: &'a P) -> MazeRollout<'a, T, P> {
        let Self { extent, rules, mazes, draws, uniform, x, starts, state, watched, energy, .. } = self;
        MazeRollout { extent, rules, mazes, draws, uniform, parameters, heads, x, starts, state, watched, energy }
    }
}

impl<T, A: Length + ?Sized> MazeRollout<'_, T, A> {
    /// Refuses arrays that do not fit a layer, and cells that are not in the maze.
    pub(crate) fn check(&self, layer: &AnyLayer) -> Result<()> {
        let Self { extent: Extent { steps, batch }, rules, .. } = *self;
        let fits = |what, got, expected| {
            if got == expected { Ok(()) } else { Err(Error::Length { what, expected, got }) }
        };
        let must = |holds: bool, problem: &str| {
            if holds { Ok(()) } else { Err(Error::Rollout { problem: problem.to_string() }) }
        };
        must(steps * batch > 0, "it needs at least one step and one environment")?;
        must((3..1 << 10).contains(&rules.size), "a maze needs 3 to 1,023 rows")?;
        // Counted in single precision.
        must(self.draws.len() < batch << 24 && rules.episode_length < 1 << 24, "more steps than the kernel counts")?;
        must(rules.episode_length > 0, "an episode needs at least one step")?;
        must(rules.free_cells.len() > 1, "a maze needs at least two free cells")?;
        fits("inputs of the layer", layer.input(), rules.observation_len())?;
        fits("walls", rules.walls.len(), rules.size * rules.size)?;
        fits("mazes", self.mazes.len(), batch)?;
        fits("uniform", self.uniform.len(), steps * batch)?;
        fits("parameters", self.parameters.length(), layer.parameters())?;
        fits("heads", self.heads.length(), OUTPUTS * (layer.hidden() + 1))?;
        fits("x", self.x.len(), batch * layer.input())?;
        fits("starts", self.starts.len(), batch)?;
        let state = if self.is_fresh() && self.state.is_empty() { 0 } else { batch * layer.state_len() };
        fits("state", self.state.len(), state)?;
        fits("draws", self.draws.len(), self.draws.len().div_ceil(batch).max(1) * batch)?;
        if let Some(energy) = &self.energy {
            energy.check(layer.input(), batch)?;
        }
        let inside = |cell: usize| {
            let (row, column, last) = (cell / rules.size, cell % rules.size, rules.size - 1);
            (1..last).contains(&row) && (1..last).contains(&column)
        };
        let free = &rules.free_cells;
        must(free.iter().all(|&cell| usize::try_from(cell).is_ok_and(inside)), "a free cell lies at the edge")?;
        must((0..rules.walls.len()).all(|cell| inside(cell) || rules.walls[cell] != 0), "the edge is open")?;
        let sound = |maze: &MazeState| inside(maze.agent) && maze.goal < free.len();
        must(self.mazes.iter().all(sound), "an agent or a goal lies outside its maze")?;
        must(self.mazes.iter().all(|maze| maze.step < rules.episode_length), "an episode is longer than it may be")
    }

    /// True if the first step is that of an episode everywhere, so that nothing is read of a state.
    pub(crate) fn is_fresh(&self) -> bool {
        self.starts.iter().all(|&start| start != 0)
    }

    /// `[B, 3]` as the kernel wants it.
    pub(crate) fn raw_mazes(&self) -> Vec<i32> {
        self.mazes.iter().flat_map(|maze| [int(maze.agent), int(maze.goal), int(maze.step)]).collect()
    }
}

/// Addresses of what a rollout reads beside a sequence, and of what it writes that has elements of another type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub heads: u64,
    pub uniform: u64,
    pub draws: u64,
    pub walls: u64,
    pub free_cells: u64,
    pub mazes: u64,
    /// 0: all inputs count.
    pub energy_mask: u64,
    pub actions: u64,
    /// The resets of the sequence, `[T, B]`, of which the first are set; 0: neither they nor what is seen are kept.
    pub started: u64,
    /// What a backward pass needs is kept too.
    pub keep: bool,
}

/// What a rollout writes, but for what stands among the addresses.
#[derive(Debug)]
pub(crate) struct Arrays<A> {
    /// What a backward pass needs, if it is kept.
    pub kept: Option<KeptArrays<A>>,
    pub log_probs: A,
    pub rewards: A,
    pub outputs: A,
    pub next: A,
    pub state: A,
    pub energy: Option<A>,
}

/// What a backward pass over the steps of a rollout needs beside its operands.
#[derive(Debug)]
pub(crate) struct KeptArrays<A> {
    /// `[T, B, H]`
    pub hidden: A,
    pub tape: Tape<A>,
}

/// `PlayOperands` of `kernels/play_operands.cuh`, field by field.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct PlayOperands {
    steps: i32,
    batch: i32,
    size: i32,
    view_radius: i32,
    episode_length: i32,
    free_len: i32,
    draws_len: i32,
    reward: f64,
    wall_penalty: f64,
    resets: u64,
    heads: u64,
    uniform: u64,
    draws: u64,
    walls: u64,
    free_cells: u64,
    mazes: u64,
    actions: u64,
    log_probs: u64,
    rewards: u64,
    outputs: u64,
    next: u64,
    observed: u64,
    started: u64,
    energy: EnergyOperands,
}

/// `SynapseRollout` of `kernels/synapse_rollout_operands.cuh`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct SynapseRollout {
    sequence: Operands,
    play: PlayOperands,
}

/// `GatedRollout` of `kernels/gated_rollout_operands.cuh`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct GatedRollout {
    sequence: GatedOperands,
    inputs: GatedInputs,
    bias: i64,
    play: PlayOperands,
}

// SAFETY: plain numbers in the layout of the C++ struct.
#[allow(unsafe_code, reason = "what kernels are given")]
unsafe impl Plain for SynapseRollout {}
// SAFETY: the same.
#[allow(unsafe_code, reason = "what kernels are given")]
unsafe impl Plain for GatedRollout {}

/// A layer with the division of its work.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Planned<'a> {
    Plastic(&'a Layer, &'a Plan),
    Gated(&'a Gated, &'a GatedPlan),
}

impl Planned<'_> {
    /// I, H and S.
    pub fn sizes(&self) -> [usize; 3] {
        match self {
            Self::Plastic(layer, _) => [layer.input(), layer.hidden(), layer.state_len()],
            Self::Gated(layer, _) => [layer.input, layer.hidden, layer.state_len()],
        }
    }

    /// Elements of shared memory of a block: a sequence's, those of its mazes, then the activities (with fast weights)
    /// or the inputs (gated), which a plain sequence does not keep there.
    pub fn shared_len(&self) -> usize {
        match self {
            Self::Plastic(layer, plan) => plan.shared_len(layer, false) + SHARED + layer.hidden(),
            Self::Gated(layer, plan) => plan.shared_len(layer, false) + plan.tile * (SHARED + layer.input),
        }
    }
}

/// Plays `rollout`, which was checked; `inputs` and `addresses` are those of its arrays. If starts are kept, x has
/// room for all steps, and gets them.
pub(crate) fn play<T: Real, R: Runner<T>, A: Length + ?Sized>(
    runner: &R,
    planned: Planned<'_>,
    rollout: &MazeRollout<'_, T, A>,
    inputs: &SequenceInputs<'_, R::Array>,
    addresses: Addresses,
) -> Result<Arrays<R::Array>> {
    let (rules, Extent { steps, batch }) = (rollout.rules, rollout.extent);
    let [input, hidden, state_len] = planned.sizes();
    let energy = rollout.energy.as_ref().map(|energy| energy.len(steps, hidden)).filter(|len| *len > 0);
    let keep = addresses.keep;
    let mut arrays = Arrays {
        kept: None,
        log_probs: runner.reserve(batch * steps)?,
        rewards: runner.reserve(batch * steps)?,
        outputs: runner.reserve(batch * steps * OUTPUTS)?,
        next: runner.reserve(batch * input)?,
        state: runner.reserve(batch * state_len)?,
        energy: energy.map(|len| runner.reserve(len)).transpose()?,
    };
    let energy = match (&rollout.energy, &arrays.energy) {
        (Some(of), Some(energy)) => EnergyOperands::new(of, addresses.energy_mask, runner.address(energy)),
        _ => EnergyOperands::none(),
    };
    let play = PlayOperands {
        steps: int(steps),
        batch: int(batch),
        size: int(rules.size),
        view_radius: int(rules.view_radius),
        episode_length: int(rules.episode_length),
        free_len: int(rules.free_cells.len()),
        draws_len: int(rollout.draws.len() / batch),
        reward: rules.reward,
        wall_penalty: rules.wall_penalty,
        resets: inputs.resets,
        heads: addresses.heads,
        uniform: addresses.uniform,
        draws: addresses.draws,
        walls: addresses.walls,
        free_cells: addresses.free_cells,
        mazes: addresses.mazes,
        actions: addresses.actions,
        log_probs: runner.address(&arrays.log_probs),
        rewards: runner.address(&arrays.rewards),
        outputs: runner.address(&arrays.outputs),
        next: runner.address(&arrays.next),
        observed: if addresses.started != 0 { runner.address(inputs.x) } else { 0 },
        started: addresses.started,
        energy,
    };
    let launch = |kernel, blocks| {
        let shared = planned.shared_len() * size_of::<T>();
        Launch { unit: Unit::Layer, kernel, blocks, shared }
    };
    match planned {
        Planned::Plastic(layer, plan) => {
            let hidden = keep.then(|| runner.reserve(steps * batch * hidden)).transpose()?;
            let prepared = plastic::prepare(runner, layer, plan, inputs, &arrays.state, hidden.as_ref(), keep)?;
            let blocks = plan.blocks(batch, false);
            let operands = SynapseRollout { sequence: prepared.operands, play };
            runner.launch(launch(layer.rollout_kernel(), blocks), &operands)?;
            let tape = prepared.tape.map(Tape::Plastic);
            arrays.kept = hidden.zip(tape).map(|(hidden, tape)| KeptArrays { hidden, tape });
        }
        Planned::Gated(layer, plan) => {
            let needed = keep && layer.kind != GatedKind::Rnn;
            let gates = needed.then(|| runner.reserve(batch * steps * layer.rows())).transpose()?;
            let prepared = passes::prepare(runner, layer, inputs, &arrays.state, gates, keep)?;
            let operands = GatedRollout {
                sequence: prepared.operands,
                inputs: GatedInputs::new(layer, runner.address(inputs.x)),
                bias: long(layer.bias()),
                play,
            };
            runner.launch(launch("gated_rollout", plan.blocks(batch)), &operands)?;
            let hidden = prepared.hidden;
            arrays.kept = prepared.tape.map(|tape| KeptArrays { hidden, tape: Tape::Gated(tape) });
        }
    }
    Ok(arrays)
}
