//! An agent: a policy with all that it needs to act, loaded or new, to call from a program.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device};
use stpn_envs::vector::Actions;
use stpn_envs::{Action, Space};
use stpn_random::{Purpose, Stream};

use crate::actor::{Actor, Subject};
use crate::checkpoint::{self, Checkpoint};
use crate::config::{AgentConfig, ComputeDevice, RunConfig};
use crate::evaluation::{Evaluation, EvaluationOptions, evaluate};
use crate::optimizer::FlatLayout;
use crate::policy::ActorCritic;
use crate::policy::distribution::ActionBuffer;
use crate::policy::encoder::ObservationRef;
use crate::policy::inference::PreparedPolicy;
use crate::rollout::{Normalization, Observations};
use crate::saved::Progress;
use crate::{Error, Result};

/// A policy with its configuration and the statistics by which it sees observations.
///
/// Training is [`Run`](crate::run::Run)'s: train a run, then load its agent from the run's directory.
pub struct Agent {
    config: AgentConfig,
    progress: Progress,
    observations: Space,
    policy: PreparedPolicy,
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (env, cell) = (self.config.env.name(), self.config.policy.cell.label());
        f.debug_struct("Agent").field("env", &env).field("cell", &cell).field("update", &self.progress.update).finish()
    }
}

/// What an agent remembers of B episodes under way.
///
/// That is recurrent states, who starts an episode, and the random streams of its actions.
#[derive(Clone, Debug)]
pub struct Memory {
    /// `[B, S]`
    state: Vec<f32>,
    /// `[B]`
    episode_starts: Vec<u8>,
    /// `[B]`
    streams: Vec<Stream>,
    actions: ActionBuffer,
    /// Of one action.
    width: usize,
    /// Continuous actions in the form that environments take; empty for choices.
    clipped: Vec<f32>,
}

impl Memory {
    /// Episodes B.
    pub fn len(&self) -> usize {
        self.episode_starts.len()
    }

    /// True without episodes.
    pub fn is_empty(&self) -> bool {
        self.episode_starts.is_empty()
    }

    /// Call this when episode `index` has ended: the next observation is the first of another one.
    ///
    /// # Panics
    /// If there is no episode `index`.
    pub fn start(&mut self, index: usize) {
        self.episode_starts[index] = 1;
    }

    /// The action last chosen for episode `index`, in the form that its environment takes.
    ///
    /// # Panics
    /// If there is no episode `index`.
    pub fn action(&self, index: usize) -> Action<'_> {
        match &self.actions {
            ActionBuffer::Discrete(choices) => Action::Discrete(choices[index] as usize),
            ActionBuffer::Choices(choices) => Action::Choices(&choices[index * self.width..(index + 1) * self.width]),
            ActionBuffer::Continuous(_) => {
                Action::Continuous(&self.clipped[index * self.width..(index + 1) * self.width])
            }
        }
    }

    /// The packed recurrent states `[B, S]`.
    pub fn state(&self) -> &[f32] {
        &self.state
    }
}

impl Agent {
    /// An untrained agent for the configured environment.
    ///
    /// # Errors
    /// Fails on an impossible configuration, or if the environment cannot be made.
    pub fn new(config: &AgentConfig) -> Result<Self> {
        config.check()?;
        Self::with(config, None)
    }

    /// The agent of a run, of an exported folder or of a single checkpoint.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if there is no sound checkpoint, [`Error::Config`] if it is of a supervised task.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::of_checkpoint(&checkpoint::find(path.as_ref())?)
    }

    /// The agent of a checkpoint in memory.
    ///
    /// # Errors
    /// As [`Agent::load`].
    pub fn of_checkpoint(checkpoint: &Checkpoint) -> Result<Self> {
        Self::with(checkpoint.config.agent()?, Some(checkpoint))
    }

    fn with(config: &AgentConfig, saved: Option<&Checkpoint>) -> Result<Self> {
        let env = config.env.make().map_err(Error::from)?;
        let (observations, actions) = (env.observation_space(), env.action_space());
        let policy = ActorCritic::new(&config.policy, observations, actions, config.seed, DType::F32, &Device::Cpu)?;
        let normalization = Normalization::new(&config.normalization, observations)?;
        let progress = match saved {
            None => Progress { normalization, ..Progress::default() },
            Some(saved) => {
                let layout = FlatLayout::new(policy.parameters());
                layout.assign(&saved.parameters(&layout)?)?;
                saved.progress.clone()
            }
        };
        let (config, observations) = (config.clone(), observations.clone());
        Ok(Self { config, progress, observations, policy: policy.prepare()? })
    }

    /// The agent with its network on `device`.
    ///
    /// # Errors
    /// [`Error::NotBuilt`]; [`Error::Config`] if the device has no kernels for a part of the network; fails if the
    /// device cannot be used.
    pub fn on(self, device: ComputeDevice) -> Result<Self> {
        let policy = self.policy().clone().on(device, &self.config.policy)?;
        Ok(Self { policy: policy.prepare()?, ..self })
    }

    /// Writes the agent without what only training needs into `directory`, as `stpn export` does. Returns the path of
    /// its checkpoint. [`Agent::load`] takes the directory.
    ///
    /// # Errors
    /// [`Error::RunDirectory`] if it holds a checkpoint already, [`Error::Io`] if it cannot be written.
    pub fn save(&self, directory: impl AsRef<Path>) -> Result<PathBuf> {
        let layout = FlatLayout::new(self.policy().parameters());
        let config = RunConfig::Agent(self.config.clone());
        checkpoint::export::save(&config, &self.progress, &layout, &layout.values()?, directory.as_ref())
    }

    /// Its configuration.
    pub fn config(&self) -> &AgentConfig {
        &self.config
    }

    /// How far its training had come.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Its network.
    pub fn policy(&self) -> &ActorCritic {
        self.policy.policy()
    }

    /// The network, laid out for work on slices, with the statistics by which it sees observations.
    pub fn subject(&self) -> Subject<'_> {
        Subject { policy: &self.policy, normalization: &self.progress.normalization }
    }

    /// A memory of `episodes` B episodes that have not begun. `seed` is that of sampled actions.
    pub fn memory(&self, episodes: usize, seed: u64) -> Memory {
        let (policy, distribution) = (self.policy(), self.policy().distribution());
        Memory {
            state: vec![0.0; episodes * policy.state_len()],
            episode_starts: vec![1; episodes],
            streams: (0..episodes).map(|i| Stream::new(seed, Purpose::EvaluationActions, i as u64)).collect(),
            actions: distribution.buffer(episodes),
            width: distribution.action_len(),
            clipped: Vec::new(),
        }
    }

    /// Chooses the actions of B episodes from their observations `[B, O]`, row-major as the environment gives them, and
    /// moves `memory` one step on. Returns the first one's action; [`Memory::action`] has all of them.
    ///
    /// With `deterministic` it is the most probable action, otherwise a sample.
    ///
    /// # Errors
    /// [`Error::Config`] if the observations are not B times the environment's.
    pub fn act<'m>(
        &self,
        observations: ObservationRef<'_>,
        memory: &'m mut Memory,
        deterministic: bool,
    ) -> Result<Action<'m>> {
        let mut actor = self.step(observations, &mut memory.state, &memory.episode_starts)?;
        memory.episode_starts.fill(0);
        let streams = (!deterministic).then_some(memory.streams.as_mut_slice());
        memory.clipped.clear();
        if let Actions::Continuous(values) = actor.choose_all(streams, &mut memory.actions) {
            memory.clipped.extend_from_slice(values);
        }
        Ok(memory.action(0))
    }

    /// One step of B episodes that the caller remembers, from their observations `[B, O]` as the environment gives them
    /// and their packed states `[B, S]`, which are moved one step on. An episode whose `episode_starts` `[B]` is 1
    /// starts from the zero state. The actor that comes out knows what the network put out, and chooses actions.
    ///
    /// # Errors
    /// [`Error::Config`] if the observations or the states are not B times those of one episode.
    pub fn step(
        &self,
        observations: ObservationRef<'_>,
        state: &mut [f32],
        episode_starts: &[u8],
    ) -> Result<Actor<'_>> {
        let (batch, size) = (episode_starts.len(), self.policy().state_len());
        // A copy, since what an actor observes is normalised in place.
        let mut observations = Observations::from(observations);
        let (given, expected) = (observations.len(), batch * self.observations.len());
        if batch == 0 || given != expected || observations.dtype() != self.observations.dtype() {
            let (dtype, space) = (observations.dtype(), &self.observations);
            let problem = format!("{given} numbers ({dtype:?}) given for {batch} episodes of {space}");
            return Err(Error::config("observations", problem));
        }
        if state.len() != batch * size {
            let problem = format!("{} numbers given for {batch} episodes of {size}", state.len());
            return Err(Error::config("state", problem));
        }
        let mut actor = Actor::new(self.subject(), batch)?;
        actor.session_mut().load(state)?;
        actor.observe(observations.all_mut(), episode_starts)?;
        actor.session_mut().store(state)?;
        Ok(actor)
    }

    /// Measures the agent on fresh episodes of its environment.
    ///
    /// # Errors
    /// Fails if an environment does.
    pub fn evaluate(&self, options: &EvaluationOptions) -> Result<Evaluation> {
        evaluate(&|_| self.config.env.make(), Some(&self.subject()), options)
    }
}
