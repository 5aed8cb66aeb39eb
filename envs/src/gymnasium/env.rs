//! An environment in a worker process.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use super::config::GymnasiumConfig;
use super::pool::{Pool, Seat, Spaces};
use super::process::Ready;
use super::protocol::{
    Command, INCOMING, Layout, OUTGOING, RECORDED, Saving, TERMINATED, TRUNCATED, Table, failed, read, word,
};
use super::{seal, trust};
use crate::wrappers::Mask;
use crate::{Action, Dtype, Env, Episode, Error, ObservationMut, Result, Screen, Space, Step, state};

/// How long a call may take where nobody says anything else.
const LIMIT: Duration = Duration::from_secs(300);

/// An environment of Python's Gymnasium.
///
/// Its seed is given to Gymnasium once, modulo 2³¹; what follows continues the environment's own random numbers. An
/// environment that can only be saved by playing its episode again ([`Saving::Replay`]) has a seed for every episode,
/// drawn from that of the first.
pub struct GymnasiumEnv {
    pool: Arc<Pool>,
    spaces: Arc<Spaces>,
    seat: Seat,
    limit: Option<Duration>,
    layout: Layout,
    /// Bytes on their way in and out.
    scratch: Vec<u8>,
    /// The next step was begun.
    begun: bool,
    /// What was restored could not bring the episode back.
    lost: bool,
    state: State,
}

/// What is not in the worker process.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct State {
    /// Draws the seeds of episodes that are to be played again.
    seeds: Stream,
    /// Of the present episode, or of the one that was begun after its end.
    seed: u64,
    /// The actions of the present episode, where it is to be played again.
    actions: Vec<u8>,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    /// Not reset yet, or failed.
    Idle,
    /// In an episode.
    Running,
    /// After the end of one: the next was begun, and its first observation waits.
    Ended,
}

/// A saved environment: what is here, what the process gave, its seal if that is a pickle, and the observation that waits.
#[derive(Serialize, Deserialize)]
struct Saved {
    saving: Saving,
    state: State,
    process: Vec<u8>,
    seal: Option<[u8; 32]>,
    waiting: Vec<u8>,
}

/// What Gymnasium takes of a seed.
fn python_seed(seed: u64) -> u64 {
    seed % (1 << 31)
}

impl GymnasiumConfig {
    /// Makes one such environment, in a process of the pool that this program has for these settings.
    ///
    /// # Errors
    /// [`Error::Config`] for impossible settings, [`Error::Untrusted`] if code would be run that nobody allowed, and
    /// [`Error::Simulator`] with what Python says.
    pub fn make(&self) -> Result<Box<dyn Env>> {
        let env = self.make_whole()?;
        match self.keep.is_empty() {
            true => Ok(Box::new(env)),
            false => Ok(Box::new(Mask::new(env, self.label(), &self.keep[..])?)),
        }
    }

    /// The environment with all that it shows, whatever `keep` says.
    ///
    /// # Errors
    /// As [`GymnasiumConfig::make`].
    pub fn make_whole(&self) -> Result<GymnasiumEnv> {
        self.validate()?;
        trust::require(self)?;
        GymnasiumEnv::new(Pool::of(self)?)
    }
}

impl GymnasiumEnv {
    /// An environment of the pool, made in one of its processes.
    pub(super) fn new(pool: Arc<Pool>) -> Result<Self> {
        let seat = pool.seat()?;
        let state = State { seeds: Stream::from_seed(0), seed: 0, actions: Vec::new(), phase: Phase::Idle };
        let ready = pool.ready(&seat.process)?;
        let (layout, spaces) = (ready.layout, pool.spaces(ready));
        let env = Self {
            pool,
            spaces,
            seat,
            limit: Some(LIMIT),
            layout,
            scratch: Vec::new(),
            begun: false,
            lost: false,
            state,
        };
        let ready = env.ready()?;
        ready.segment.reserve_row(env.seat.row).map_err(|error| env.failed(error.to_string()))?;
        env.exchange(Command::Make, &[])?;
        Ok(env)
    }

    fn ready(&self) -> Result<&Ready> {
        self.pool.ready(&self.seat.process)
    }

    fn failed(&self, problem: impl Into<String>) -> Error {
        failed(self.name(), problem)
    }

    fn exchange(&self, command: Command, payload: &[u8]) -> Result<Vec<u8>> {
        self.seat.process.exchange(self.seat.row, command, payload, self.limit)
    }

    fn write(&self, table: Table, bytes: &[u8]) -> Result<()> {
        let written = self.ready()?.segment.write(table, self.seat.row, bytes);
        written.map_err(|error| self.failed(format!("cannot write to the shared file: {error}")))
    }

    /// Reads bytes of the row's entry in a table, from one of them on, to the front of the scratch.
    fn read(&mut self, (table, from): (Table, usize), len: usize) -> Result<()> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.resize(len, 0);
        let done = self.ready()?.segment.read(table, self.seat.row, from, &mut scratch);
        self.scratch = scratch;
        done.map_err(|error| self.failed(format!("cannot read from the shared file: {error}")))
    }

    /// The buffer, if it fits.
    fn fitting<'a>(&self, buffer: ObservationMut<'a>) -> Result<ObservationMut<'a>> {
        let space = &self.spaces.observation;
        Ok(match space.dtype() {
            Dtype::F32 => ObservationMut::F32(buffer.f32(space.len())?),
            Dtype::U8 => ObservationMut::U8(buffer.u8(space.len())?),
        })
    }

    /// Whether every episode has a seed of its own.
    fn seeds_episodes(&self) -> bool {
        self.spaces.saving == Saving::Replay
    }

    /// Seed and action as the process reads them, at the front of the scratch.
    fn incoming(&mut self, seed: Option<u64>, action: &[u8]) {
        self.scratch.clear();
        self.scratch.extend(seed.unwrap_or(0).to_le_bytes());
        self.scratch.extend(u64::from(seed.is_some()).to_le_bytes());
        self.scratch.extend(action);
        self.scratch.resize(self.layout.incoming.stride, 0);
    }

    /// The action's bytes, if the space has it.
    fn bytes(&self, action: Action<'_>) -> Result<Vec<u8>> {
        let choices = |choices: &[u32]| choices.iter().flat_map(|choice| choice.to_le_bytes()).collect();
        Ok(match &self.spaces.action {
            Space::Discrete { n } => choices(&[action.discrete(*n)? as u32]),
            Space::MultiDiscrete { counts } => choices(action.choices(counts)?),
            Space::MultiBinary { n } => choices(action.switches(*n)?),
            Space::Box { low, .. } => {
                action.continuous(low.len())?.iter().flat_map(|value| value.to_le_bytes()).collect()
            }
        })
    }

    /// The seed of the episode after this one, where episodes have seeds.
    fn next_seed(&self) -> Option<u64> {
        self.seeds_episodes().then(|| python_seed(self.state.seeds.clone().next_u64()))
    }

    /// The picture that Python draws.
    fn drawn(&self) -> Result<Screen> {
        let bytes = self.exchange(Command::Render, &[])?;
        let Some((head, rgb)) = bytes.split_first_chunk::<8>() else { return Err(self.failed("its picture is empty")) };
        let [rows, columns] = [[head[0], head[1], head[2], head[3]], [head[4], head[5], head[6], head[7]]];
        let (height, width) = (u32::from_le_bytes(rows) as usize, u32::from_le_bytes(columns) as usize);
        if rgb.len() != 3 * width * height {
            return Err(self.failed("its picture is cut off"));
        }
        Ok(Screen { width, height, rgb: rgb.to_vec() })
    }

    /// Waits for a step that was begun and is not wanted any more.
    fn forget_step(&mut self) {
        if std::mem::take(&mut self.begun) {
            self.pool.flush();
            // What it says is not wanted either.
            let _ = self.seat.process.receive(self.seat.row, self.limit);
            self.state.phase = Phase::Idle;
        }
    }

    /// How it is saved.
    pub fn saving(&self) -> Saving {
        self.spaces.saving
    }

    /// What Gymnasium's own check says, and how fast the environment steps in its process without us, looked at for so
    /// many seconds.
    ///
    /// # Errors
    /// Fails if the process does.
    pub fn check(&self, seconds: f64) -> Result<OwnCheck> {
        let request = serde_json::json!({ "seconds": seconds }).to_string();
        let mut check: OwnCheck = read(self.name(), &self.exchange(Command::Check, request.as_bytes())?)?;
        let description = &self.ready()?.description;
        check.versions = format!("Gymnasium {}, Python {}", description.gymnasium, description.python);
        Ok(check)
    }
}

/// What Gymnasium's own check says.
#[derive(Clone, Debug, Deserialize)]
pub struct OwnCheck {
    /// Why it fails, where it does.
    pub problem: Option<String>,
    /// What it warns of.
    pub warnings: Vec<String>,
    /// Steps per second in one process, without us.
    pub steps_per_second: f64,
    /// Of Gymnasium and Python.
    #[serde(skip)]
    pub versions: String,
}

/// Bytes to observations.
fn decode(bytes: &[u8], into: &mut ObservationMut<'_>) {
    match into {
        ObservationMut::U8(into) => into.copy_from_slice(bytes),
        ObservationMut::F32(into) => {
            let (values, _) = bytes.as_chunks::<4>();
            into.iter_mut().zip(values).for_each(|(into, value)| *into = f32::from_le_bytes(*value));
        }
    }
}

impl Env for GymnasiumEnv {
    fn name(&self) -> &str {
        self.pool.config.label()
    }

    fn observation_space(&self) -> &Space {
        &self.spaces.observation
    }

    fn action_space(&self) -> &Space {
        &self.spaces.action
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<()> {
        let mut observation = self.fitting(observation)?;
        self.forget_step();
        let at = if seed.is_none() && self.state.phase == Phase::Ended {
            (self.layout.following, 0)
        } else {
            let given = match seed {
                Some(seed) => {
                    self.state.seeds = Stream::from_seed(seed);
                    Some(python_seed(seed))
                }
                None if self.seeds_episodes() => Some(python_seed(self.state.seeds.next_u64())),
                None => None,
            };
            self.state.phase = Phase::Idle;
            self.incoming(given, &[]);
            self.write(self.layout.incoming, &self.scratch)?;
            self.exchange(Command::Reset, &[])?;
            self.state.seed = given.unwrap_or(0);
            (self.layout.outgoing, OUTGOING)
        };
        self.read(at, self.layout.observation)?;
        decode(&self.scratch, &mut observation);
        self.state.actions.clear();
        self.state.phase = Phase::Running;
        self.lost = false;
        Ok(())
    }

    fn begin_step(&mut self, action: Action<'_>) -> Result<()> {
        if self.state.phase != Phase::Running {
            return Err(Error::ResetNeeded { environment: self.name().into() });
        }
        let bytes = self.bytes(action)?;
        self.incoming(self.next_seed(), &bytes);
        if self.seeds_episodes() {
            self.state.actions.extend(&bytes);
        }
        self.seat.process.begin_step(self.seat.row, &self.scratch);
        self.pool.begun();
        self.begun = true;
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, observation: ObservationMut<'_>) -> Result<Step> {
        let mut observation = self.fitting(observation)?;
        if !self.begun {
            self.begin_step(action)?;
        }
        self.begun = false;
        self.state.phase = Phase::Idle;
        self.pool.flush();
        let results = self.seat.process.receive(self.seat.row, self.limit)?;
        let (head, seen) = results.split_at_checked(OUTGOING).ok_or_else(|| self.failed("its results are cut off"))?;
        decode(&seen[..self.layout.observation], &mut observation);
        let flags = u64::from_le_bytes(word(head, 8));
        let has = |flag: u64| flags & flag != 0;
        let (reward, terminated, truncated) = (f64::from_le_bytes(word(head, 0)), has(TERMINATED), has(TRUNCATED));
        let recorded =
            Episode { total_reward: f64::from_le_bytes(word(head, 16)), length: u64::from_le_bytes(word(head, 24)) };
        let step = Step { reward, terminated, truncated, episode: has(RECORDED).then_some(recorded) };
        self.state.phase = Phase::Running;
        if step.done() {
            self.state.phase = Phase::Ended;
            if self.seeds_episodes() {
                self.state.seed = python_seed(self.state.seeds.next_u64());
                self.state.actions.clear();
            }
        }
        Ok(step)
    }

    fn limit_calls(&mut self, limit: Option<Duration>) -> bool {
        self.limit = limit;
        true
    }

    fn save_state(&self, bytes: &mut Vec<u8>) -> Result<()> {
        let saving = self.spaces.saving;
        let process = match (saving, self.state.phase) {
            (Saving::Hooks | Saving::Pickle, Phase::Running | Phase::Ended) => self.exchange(Command::Save, &[])?,
            _ => Vec::new(),
        };
        let mut waiting = Vec::new();
        if self.state.phase == Phase::Ended {
            waiting.resize(self.layout.observation, 0);
            let read = self.ready()?.segment.read(self.layout.following, self.seat.row, 0, &mut waiting);
            read.map_err(|error| self.failed(error.to_string()))?;
        }
        let seal = if saving == Saving::Pickle { seal::of(&process) } else { None };
        state::save(self.name(), &Saved { saving, state: self.state.clone(), process, seal, waiting }, bytes)
    }

    fn restore_state(&mut self, bytes: &[u8]) -> Result<()> {
        let Saved { saving, state, process, seal, waiting } = state::restore(self.name(), bytes)?;
        let name = self.name().to_string();
        let refused = |problem: &str| Err(state::refused(&name, problem));
        if saving != self.spaces.saving {
            return refused(&format!("it was saved by {saving:?}, not {:?}", self.spaces.saving));
        }
        if state.actions.len() % self.layout.action.max(1) != 0
            || waiting.len() != if state.phase == Phase::Ended { self.layout.observation } else { 0 }
        {
            return refused("it is of an environment with other spaces");
        }
        let foreign = saving == Saving::Pickle && state.phase != Phase::Idle && !seal::is_ours(seal, &process);
        if foreign && !trust::takes_states() {
            return Err(Error::Foreign { environment: name });
        }
        self.forget_step();
        self.state.phase = Phase::Idle;
        self.lost = false;
        match saving {
            _ if state.phase == Phase::Idle => {}
            Saving::Hooks | Saving::Pickle => self.exchange(Command::Restore, &process).map(drop)?,
            Saving::Replay => {
                let payload = [&state.seed.to_le_bytes()[..], &state.actions].concat();
                // As many calls as there are actions, of which each may take as long as ever.
                let calls = (state.actions.len() / self.layout.action.max(1) + 1) as u32;
                let limit = self.limit.map(|limit| limit.saturating_mul(calls));
                self.seat.process.exchange(self.seat.row, Command::Replay, &payload, limit)?;
            }
            Saving::None => {
                self.lost = true;
                return Ok(());
            }
        }
        if !waiting.is_empty() {
            self.write(self.layout.following, &waiting)?;
        }
        self.state = state;
        Ok(())
    }

    fn lost_its_episode(&self) -> bool {
        self.lost
    }

    fn records_episodes(&self) -> bool {
        self.spaces.records
    }

    fn screen(&self) -> Option<Screen> {
        if !self.pool.config.pictures {
            return None;
        }
        // What cannot be drawn has no screen.
        self.drawn().ok()
    }
}

impl Drop for GymnasiumEnv {
    fn drop(&mut self) {
        self.seat.process.free_row(self.seat.row);
    }
}

const _: () = assert!(INCOMING == 16 && OUTGOING == 32, "as `struct` says in worker.py");
