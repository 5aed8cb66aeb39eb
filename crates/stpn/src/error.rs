//! The one error of this library.

use std::fmt::{self, Display};
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// What can go wrong at the front door.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A configuration is refused; or training, evaluating, saving or loading failed.
    #[error(transparent)]
    Agents(#[from] stpn_agents::Error),

    /// There is nothing of that name.
    #[error("there is no {kind} `{name}`; {hint}")]
    Unknown {
        /// What was looked for.
        kind: Kind,
        /// Its name.
        name: String,
        /// What was perhaps meant, and what there is.
        hint: String,
    },

    /// What was asked for does not go together.
    #[error("{0}")]
    Unfit(String),

    /// More threads or processes were asked for than are started on this machine.
    #[error("{0}")]
    Excess(String),

    /// A preset's environment is not in this build.
    #[error("the preset `{preset}` needs a program built with its environment, the feature `{feature}`")]
    NotBuilt {
        /// The preset.
        preset: String,
        /// The cargo feature.
        feature: &'static str,
    },

    /// A key of a configuration cannot be changed in this way.
    #[error("{assignment}: {problem}")]
    Assignment {
        /// `section.key=value`, as it was given.
        assignment: String,
        /// What is wrong with it.
        problem: String,
    },

    /// A configuration is refused, and it is known where the refused key was given.
    #[error("{place}: {error}")]
    Placed {
        /// Where.
        place: Place,
        /// The refusal.
        #[source]
        error: Box<stpn_agents::Error>,
    },

    /// A file does not hold what it should.
    #[error("{path}: {problem}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line if there is one.
        problem: String,
    },

    /// Another run lies where a run of this comparison belongs.
    #[error("run directory {path}: {problem}; compare into another directory, or remove this one")]
    UnlikeRun {
        /// Its directory.
        path: PathBuf,
        /// How it differs.
        problem: String,
    },

    /// A process of this program, which trains or measures a run, failed.
    #[error("{run}: {problem}")]
    Process {
        /// The run.
        run: String,
        /// What it said.
        problem: String,
    },

    /// The system refused something.
    #[error("{action}: {source}")]
    System {
        /// What was tried, e.g. `cannot catch signals`.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },

    /// What a command was asked for cannot be printed.
    #[error("cannot write to standard output: {0}")]
    Output(#[source] io::Error),

    /// A picture cannot be made of what is there.
    #[error("{0}")]
    Picture(String),

    /// A value cannot be written as text.
    #[error("{0}")]
    Text(String),

    /// An end was asked for; what is done is kept.
    #[error("interrupted")]
    Interrupted,
}

/// What [`Error::Unknown`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// An experiment that ships.
    Preset,
    /// A recurrent layer.
    Cell,
    /// A learning algorithm.
    Algorithm,
    /// An experiment of the paper.
    Experiment,
    /// A task of a suite.
    Task,
}

/// Where a refused key was given.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// In a file.
    File {
        /// The file.
        path: PathBuf,
        /// Its line, counted from 1, if it is known.
        line: Option<usize>,
    },
    /// In a change of one key, `section.key=value`.
    Assignment(String),
    /// In the choice of the path that sequences take.
    Kernel(String),
}

/// Result with this crate's [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The error of training, evaluating, saving or loading in this one, if it is one.
    pub fn of_agents(&self) -> Option<&stpn_agents::Error> {
        match self {
            Self::Agents(error) => Some(error),
            Self::Placed { error, .. } => Some(error),
            _ => None,
        }
    }

    /// Of a file that the system refused.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| stpn_agents::Error::Io { action, path, source }.into()
    }

    /// Of something else that the system refused.
    pub(crate) fn system(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { action, source }
    }

    /// Of a file that holds something else than it should.
    pub(crate) fn damaged(path: &Path, problem: impl Display) -> Self {
        Self::Damaged { path: path.to_path_buf(), problem: problem.to_string() }
    }

    /// Of a picture that cannot be made.
    pub(crate) fn picture(problem: impl Display) -> Self {
        Self::Picture(format!("cannot make a picture: {problem}"))
    }

    /// Of a value without a form as text.
    pub(crate) fn text(problem: impl Display) -> Self {
        Self::Text(format!("cannot be written as text: {problem}"))
    }
}

impl From<stpn_envs::Error> for Error {
    fn from(error: stpn_envs::Error) -> Self {
        stpn_agents::Error::from(error).into()
    }
}

impl From<stpn_core::Error> for Error {
    fn from(error: stpn_core::Error) -> Self {
        stpn_agents::Error::from(error).into()
    }
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        stpn_agents::Error::from(error).into()
    }
}

impl Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Preset => "preset",
            Self::Cell => "cell",
            Self::Algorithm => "algorithm",
            Self::Experiment => "experiment",
            Self::Task => "task of the suite",
        })
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line: Some(line) } => write!(f, "{}, line {line}", path.display()),
            Self::File { path, line: None } => write!(f, "{}", path.display()),
            Self::Assignment(assignment) => f.write_str(assignment),
            Self::Kernel(kernel) => write!(f, "kernel {kernel}"),
        }
    }
}
