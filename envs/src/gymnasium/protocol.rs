//! What is said between this program and a worker process, and where things lie in the file that they share.

use serde::{Deserialize, Serialize};

use crate::{Dtype, Error, Result, Space};

/// Requests, by their numbers in `worker.py`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Command {
    Begin,
    Map,
    Make,
    Reset,
    Step,
    Save,
    Restore,
    Replay,
    Render,
    Check,
    Close,
}

/// Bytes of a record: row, command or status, length of the payload behind it.
pub(super) const RECORD: usize = 8;

/// A request or, with a status, an answer.
pub(super) fn record(row: u16, command: Command, length: usize) -> [u8; RECORD] {
    let mut bytes = [0; RECORD];
    bytes[..2].copy_from_slice(&row.to_le_bytes());
    bytes[2..4].copy_from_slice(&(command as u16).to_le_bytes());
    bytes[4..].copy_from_slice(&(length as u32).to_le_bytes());
    bytes
}

/// How a request went, by its number in `worker.py`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Done,
    /// It stepped, and what came of it lies in the shared file.
    Stepped,
    /// What the payload says.
    Failed,
}

/// Row, how the request went, and length of the payload behind it.
pub(super) fn parse(bytes: [u8; RECORD]) -> (u16, Status, usize) {
    let [r0, r1, s0, s1, length @ ..] = bytes;
    let status = match u16::from_le_bytes([s0, s1]) {
        0 => Status::Done,
        1 => Status::Stepped,
        _ => Status::Failed,
    };
    (u16::from_le_bytes([r0, r1]), status, u32::from_le_bytes(length) as usize)
}

/// What a worker process says of the environment.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Description {
    pub observation: SpaceDescription,
    pub action: SpaceDescription,
    /// Whether the environment reports its own episodes.
    pub records: bool,
    /// How it can be saved.
    pub saving: Saving,
    /// Version of Gymnasium.
    pub gymnasium: String,
    /// Version of Python.
    pub python: String,
}

/// How an environment can be saved: the first of these that was seen to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Saving {
    /// By its own methods `get_state` and `set_state`.
    Hooks,
    /// By Python's pickle.
    Pickle,
    /// By the seed and the actions of the episode, which are played again.
    Replay,
    /// Not at all: a resumed run starts new episodes.
    None,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum SpaceDescription {
    Discrete { n: usize },
    MultiDiscrete { counts: Vec<usize> },
    MultiBinary { n: usize },
    Box { shape: Vec<usize>, low: Vec<Option<f32>>, high: Vec<Option<f32>>, dtype: String },
}

impl SpaceDescription {
    pub fn space(self) -> Space {
        match self {
            Self::Discrete { n } => Space::Discrete { n },
            Self::MultiDiscrete { counts } => Space::MultiDiscrete { counts },
            Self::MultiBinary { n } => Space::MultiBinary { n },
            Self::Box { shape, low, high, dtype } => Space::Box {
                low: low.into_iter().map(|bound| bound.unwrap_or(f32::NEG_INFINITY)).collect(),
                high: high.into_iter().map(|bound| bound.unwrap_or(f32::INFINITY)).collect(),
                shape,
                dtype: if dtype == "u8" { Dtype::U8 } else { Dtype::F32 },
            },
        }
    }
}

/// Bytes before the first row: which row is at work.
pub(super) const HEAD: usize = 64;

/// Bytes before the action: a seed, and whether there is one.
pub(super) const INCOMING: usize = 16;

/// Bytes before the observation: reward, flags, return and length of a recorded episode.
pub(super) const OUTGOING: usize = 32;

pub(super) const TERMINATED: u64 = 1;
pub(super) const TRUNCATED: u64 = 2;
pub(super) const RECORDED: u64 = 4;

/// Rows that there is room for in one process.
pub(super) const ROWS: u16 = 4096;

/// Where the entries of a table lie in the shared file, one for each row: neighbours are read or written at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Table {
    /// Where the first one begins, in bytes.
    pub start: u64,
    /// Bytes from one to the next.
    pub stride: usize,
}

impl Table {
    /// Where a row's entry begins.
    pub fn at(self, row: u16) -> u64 {
        self.start + u64::from(row) * self.stride as u64
    }
}

/// Where things lie in the shared file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Layout {
    /// Seed and action of the next step.
    pub incoming: Table,
    /// The step's results, with the observation behind them.
    pub outgoing: Table,
    /// The first observation of the next episode.
    pub following: Table,
    /// Bytes of an observation.
    #[serde(skip)]
    pub observation: usize,
    /// Bytes of an action.
    #[serde(skip)]
    pub action: usize,
}

impl Layout {
    pub fn new(observation: &Space, action: &Space) -> Self {
        let element = if observation.dtype() == Dtype::U8 { 1 } else { 4 };
        let (observation, action) = (observation.len() * element, action.len() * 4);
        let mut start = HEAD as u64;
        let mut table = |bytes: usize| {
            let table = Table { start, stride: bytes.max(1).next_multiple_of(8) };
            start = table.at(ROWS).next_multiple_of(64);
            table
        };
        let (incoming, outgoing) = (table(INCOMING + action), table(OUTGOING + observation));
        Self { incoming, outgoing, following: table(observation), observation, action }
    }

    /// Bytes of the file.
    pub fn len(&self) -> u64 {
        self.following.at(ROWS)
    }

    /// All tables.
    pub fn tables(&self) -> [Table; 3] {
        [self.incoming, self.outgoing, self.following]
    }
}

/// Eight bytes of a row.
pub(super) fn word(bytes: &[u8], at: usize) -> [u8; 8] {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    word
}

/// The error of an environment of that name.
pub(super) fn failed(environment: &str, problem: impl Into<String>) -> Error {
    Error::Simulator { environment: environment.into(), problem: problem.into() }
}

/// An answer in JSON.
pub(super) fn read<T: serde::de::DeserializeOwned>(environment: &str, answer: &[u8]) -> Result<T> {
    serde_json::from_slice(answer)
        .map_err(|error| failed(environment, format!("its worker process said what is no answer: {error}")))
}
