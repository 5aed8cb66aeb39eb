//! The launch of a rollout, wherever it runs.

use crate::encoder::EncoderOperands;
use crate::energy::EnergyOperands;
use crate::gated::passes;
use crate::gated::{Gated, GatedInputs, GatedKind, GatedOperands, GatedPlan};
use crate::layer::Layer;
use crate::plan::Plan;
use crate::plastic::{self, Operands};
use crate::rollout::{Environments, Length, Rollout};
use crate::runner::{Launch, Plain, Runner, Unit, int, long};
use crate::sequence::SequenceInputs;
use crate::tape::Tape;
use crate::{Error, Extent, Real, Result};

/// Addresses of what a rollout reads beside a sequence, and of what it writes that has elements of another type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses<'a> {
    pub heads: u64,
    /// Of the parameters of each layer of the encoder.
    pub encoder: &'a [u64],
    pub uniform: u64,
    /// Of how many choices there are in each list of an action.
    pub among: u64,
    /// Of what belongs to the environments.
    pub world: WorldAddresses,
    /// 0: all inputs count.
    pub energy_mask: u64,
    pub actions: u64,
    /// The resets of the sequence, `[T, B]`, of which the first are set; 0: neither they nor what is seen are kept.
    pub started: u64,
    /// What a backward pass needs is kept too.
    pub keep: bool,
}

/// Those of what belongs to the environments.
#[derive(Clone, Copy, Debug)]
pub(crate) enum WorldAddresses {
    Mazes { draws: u64, walls: u64, free_cells: u64, states: u64 },
    Foreseen { observations: u64, starts: u64 },
    Games { shown: u64, dealt: u64, luck: u64, states: u64 },
}

/// What a rollout writes, but for what stands among the addresses.
#[derive(Debug)]
pub(crate) struct Arrays<A> {
    /// What a backward pass needs, if it is kept.
    pub kept: Option<KeptArrays<A>>,
    pub log_probs: A,
    /// Of mazes and games.
    pub rewards: Option<A>,
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
    choices: i32,
    lists: i32,
    among: u64,
    resets: u64,
    heads: u64,
    uniform: u64,
    actions: u64,
    log_probs: u64,
    outputs: u64,
    next: u64,
    observed: u64,
    started: u64,
    energy: EnergyOperands,
    encoder: EncoderOperands,
}

/// `MazeOperands` of `kernels/maze_operands.cuh`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct MazeOperands {
    size: i32,
    view_radius: i32,
    episode_length: i32,
    free_len: i32,
    draws_len: i32,
    reward: f64,
    wall_penalty: f64,
    draws: u64,
    walls: u64,
    free_cells: u64,
    mazes: u64,
    rewards: u64,
}

/// `ForeseenOperands` of `kernels/foreseen_operands.cuh`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct ForeseenOperands {
    echo: i32,
    observations: u64,
    starts: u64,
}

/// `GameOperands` of `kernels/game_operands.cuh`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct GameOperands {
    kind: i32,
    side: i32,
    limit: i32,
    goal: i32,
    face_down: i32,
    own: i32,
    previous: i32,
    deals: i32,
    deal_len: i32,
    state_len: i32,
    reward: [f64; 3],
    shown: u64,
    dealt: u64,
    luck: u64,
    states: u64,
    rewards: u64,
}

/// `SynapseRollout` of `kernels/synapse_rollout_operands.cuh`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct SynapseRollout<W> {
    sequence: Operands,
    play: PlayOperands,
    world: W,
}

/// `GatedRollout` of `kernels/gated_rollout_operands.cuh`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct GatedRollout<W> {
    sequence: GatedOperands,
    inputs: GatedInputs,
    bias: i64,
    play: PlayOperands,
    world: W,
}

// SAFETY: plain numbers in the layout of the C++ struct.
#[allow(unsafe_code, reason = "what kernels are given")]
unsafe impl Plain for MazeOperands {}
// SAFETY: the same.
#[allow(unsafe_code, reason = "what kernels are given")]
unsafe impl Plain for ForeseenOperands {}
// SAFETY: the same.
#[allow(unsafe_code, reason = "what kernels are given")]
unsafe impl Plain for GameOperands {}
// SAFETY: the same.
#[allow(unsafe_code, reason = "what kernels are given")]
unsafe impl<W: Plain> Plain for SynapseRollout<W> {}
// SAFETY: the same.
#[allow(unsafe_code, reason = "what kernels are given")]
unsafe impl<W: Plain> Plain for GatedRollout<W> {}

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

    /// Elements of shared memory of a block: a sequence's, those of its environments, of which one has so many, then
    /// the activities (with fast weights) or the inputs (gated), which a plain sequence does not keep there.
    pub fn shared_len(&self, of_environment: usize) -> usize {
        match self {
            Self::Plastic(layer, plan) => plan.shared_len(layer, false) + of_environment + layer.hidden(),
            Self::Gated(layer, plan) => plan.shared_len(layer, false) + plan.tile * (of_environment + layer.input),
        }
    }
}

/// Plays `rollout`, which was checked; `inputs` and `addresses` are those of its arrays. If starts are kept, x has
/// room for all steps, and gets them. What a backward pass needs can only be kept without an encoder: what an encoder
/// puts out is kept nowhere.
pub(crate) fn play<T: Real, R: Runner<T>, A: Length + ?Sized>(
    runner: &R,
    planned: Planned<'_>,
    rollout: &Rollout<'_, T, A>,
    inputs: &SequenceInputs<'_, R::Array>,
    addresses: Addresses<'_>,
) -> Result<Arrays<R::Array>> {
    let Extent { steps, batch } = rollout.extent;
    let [_, hidden, state_len] = planned.sizes();
    let choices = rollout.environments.choices();
    let energy = rollout.energy.as_ref().map(|energy| energy.len(steps, hidden)).filter(|len| *len > 0);
    let mut arrays = Arrays {
        kept: None,
        log_probs: runner.reserve(batch * steps)?,
        rewards: None,
        outputs: runner.reserve(batch * steps * (choices + 1))?,
        next: runner.reserve(rollout.x.len())?,
        state: runner.reserve(batch * state_len)?,
        energy: energy.map(|len| runner.reserve(len)).transpose()?,
    };
    let energy = match (&rollout.energy, &arrays.energy) {
        (Some(of), Some(energy)) => EnergyOperands::new(of, addresses.energy_mask, runner.address(energy)),
        _ => EnergyOperands::none(),
    };
    let encoder: Vec<_> =
        rollout.encoder.iter().map(|layer| layer.dense).zip(addresses.encoder.iter().copied()).collect();
    let play = PlayOperands {
        steps: int(steps),
        batch: int(batch),
        choices: int(choices),
        lists: int(rollout.environments.lists().len()),
        among: addresses.among,
        resets: inputs.resets,
        heads: addresses.heads,
        uniform: addresses.uniform,
        actions: addresses.actions,
        log_probs: runner.address(&arrays.log_probs),
        outputs: runner.address(&arrays.outputs),
        next: runner.address(&arrays.next),
        observed: if addresses.started != 0 { runner.address(inputs.x) } else { 0 },
        started: addresses.started,
        energy,
        encoder: EncoderOperands::new(&encoder),
    };
    let shared = planned.shared_len(rollout.shared_len()) * size_of::<T>();
    let own = (inputs, shared, addresses.keep);
    match (&rollout.environments, addresses.world) {
        (Environments::Mazes(mazes), WorldAddresses::Mazes { draws, walls, free_cells, states }) => {
            let rules = mazes.rules;
            let rewards = arrays.rewards.insert(runner.reserve(batch * steps)?);
            let world = MazeOperands {
                size: int(rules.size),
                view_radius: int(rules.view_radius),
                episode_length: int(rules.episode_length),
                free_len: int(rules.free_cells.len()),
                draws_len: int(mazes.draws.len() / batch),
                reward: rules.reward,
                wall_penalty: rules.wall_penalty,
                draws,
                walls,
                free_cells,
                mazes: states,
                rewards: runner.address(rewards),
            };
            let kernels = (planned, Layer::maze_kernel as Kernel, "gated_mazes");
            arrays.kept = launch(runner, kernels, own, &arrays.state, play, world)?;
        }
        (Environments::Foreseen(foreseen), WorldAddresses::Foreseen { observations, starts }) => {
            let world = ForeseenOperands { echo: int(foreseen.echo), observations, starts };
            let kernels = (planned, Layer::foreseen_kernel as Kernel, "gated_foreseen");
            arrays.kept = launch(runner, kernels, own, &arrays.state, play, world)?;
        }
        (Environments::Games(games), WorldAddresses::Games { shown, dealt, luck, states }) => {
            let rules = games.rules;
            let rewards = arrays.rewards.insert(runner.reserve(batch * steps)?);
            let world = GameOperands {
                kind: rules.game as i32,
                side: int(rules.side),
                limit: int(rules.limit),
                goal: int(rules.goal),
                face_down: rules.face_down,
                own: int(rules.own.len()),
                previous: int(rules.previous()),
                deals: int(games.deals(batch)),
                deal_len: int(rules.deal_len()),
                state_len: int(rules.state_len()),
                reward: rules.rewards,
                shown,
                dealt,
                luck,
                states,
                rewards: runner.address(rewards),
            };
            let kernels = (planned, Layer::game_kernel as Kernel, "gated_games");
            arrays.kept = launch(runner, kernels, own, &arrays.state, play, world)?;
        }
        _ => return Err(Error::Rollout { problem: "the environments are of another kind".to_string() }),
    }
    Ok(arrays)
}

/// The name of a kernel for a layer with fast weights.
type Kernel = fn(&Layer) -> &'static str;

/// Starts the kernel of that layer, or that for LSTM, GRU and RNN; final states go to `end`. A block has so many bytes
/// of shared memory. Returns what a backward pass needs, if it is to be kept.
fn launch<T: Real, R: Runner<T>, W: Plain>(
    runner: &R,
    (planned, of_layer, gated): (Planned<'_>, Kernel, &'static str),
    (inputs, shared, keep): (&SequenceInputs<'_, R::Array>, usize, bool),
    end: &R::Array,
    play: PlayOperands,
    world: W,
) -> Result<Option<KeptArrays<R::Array>>> {
    let Extent { steps, batch } = inputs.extent;
    let launch = |kernel, blocks| Launch { unit: Unit::Layer, kernel, blocks, shared };
    match planned {
        Planned::Plastic(layer, plan) => {
            let hidden = keep.then(|| runner.reserve(steps * batch * layer.hidden())).transpose()?;
            let prepared = plastic::prepare(runner, layer, plan, inputs, end, hidden.as_ref(), keep)?;
            let operands = SynapseRollout { sequence: prepared.operands, play, world };
            runner.launch(launch(of_layer(layer), plan.blocks(batch, false)), &operands)?;
            let tape = prepared.tape.map(Tape::Plastic);
            Ok(hidden.zip(tape).map(|(hidden, tape)| KeptArrays { hidden, tape }))
        }
        Planned::Gated(layer, plan) => {
            let needed = keep && layer.kind != GatedKind::Rnn;
            let gates = needed.then(|| runner.reserve(batch * steps * layer.rows())).transpose()?;
            let prepared = passes::prepare(runner, layer, inputs, end, gates, keep)?;
            let operands = GatedRollout {
                sequence: prepared.operands,
                inputs: GatedInputs::new(layer, runner.address(inputs.x)),
                bias: long(layer.bias()),
                play,
                world,
            };
            runner.launch(launch(gated, plan.blocks(batch)), &operands)?;
            let hidden = prepared.hidden;
            Ok(prepared.tape.map(|tape| KeptArrays { hidden, tape: Tape::Gated(tape) }))
        }
    }
}
