//! The one way to act: observe, normalise, step the network, choose an action.

use stpn_envs::ObservationMut;
use stpn_envs::vector::Actions;
use stpn_random::Stream;

use crate::Result;
use crate::policy::distribution::ActionBuffer;
use crate::policy::inference::{PreparedPolicy, Session};
use crate::rollout::{Normalization, Observations};

/// A policy with the statistics by which it sees observations.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The policy.
    pub policy: &'a PreparedPolicy,
    /// Statistics of observations and rewards, as training left them.
    pub normalization: &'a Normalization,
}

/// A subject that acts in a group of B environments, with their recurrent states.
pub struct Actor<'p> {
    subject: Subject<'p>,
    session: Session<'p>,
    environment_actions: Vec<f32>,
    scratch: Vec<f64>,
}

impl<'p> Actor<'p> {
    /// An actor in `batch` environments, its recurrent states zero.
    ///
    /// # Errors
    /// Fails if candle cannot allocate.
    pub fn new(subject: Subject<'p>, batch: usize) -> Result<Self> {
        let session = subject.policy.session(batch)?;
        Ok(Self { subject, session, environment_actions: Vec::new(), scratch: Vec::new() })
    }

    /// The recurrent states, and what the network put out at the last step.
    pub fn session(&self) -> &Session<'p> {
        &self.session
    }

    /// The recurrent states, to load and store them.
    pub fn session_mut(&mut self) -> &mut Session<'p> {
        &mut self.session
    }

    /// One step of the network from raw observations `[B, O]`, which are normalised in place. Environments with
    /// `episode_starts` `[B]` = 1 start from the zero state.
    ///
    /// # Errors
    /// Fails on lengths that do not fit.
    pub fn observe(&mut self, observations: ObservationMut<'_>, episode_starts: &[u8]) -> Result<()> {
        self.advance(observations, episode_starts, None)
    }

    /// [`Actor::observe`] that also measures the energy of every unit; `input_mask` `[E]` leaves an input out where it
    /// is 0.
    ///
    /// # Errors
    /// Fails on lengths that do not fit.
    pub fn observe_with_energy(
        &mut self,
        observations: ObservationMut<'_>,
        episode_starts: &[u8],
        input_mask: Option<&[f32]>,
    ) -> Result<()> {
        self.advance(observations, episode_starts, Some(input_mask))
    }

    fn advance(
        &mut self,
        mut observations: ObservationMut<'_>,
        episode_starts: &[u8],
        energy: Option<Option<&[f32]>>,
    ) -> Result<()> {
        if let ObservationMut::F32(raw) = &mut observations {
            self.subject.normalization.apply(raw);
        }
        match energy {
            Some(mask) => self.session.step_with_energy(observations.into(), episode_starts, mask),
            None => self.session.step(observations.into(), episode_starts),
        }
    }

    /// Values of raw observations `[B, O]` from the present recurrent states, which stay as they are. Environments with
    /// `episode_starts` `[B]` = 1 start from the zero state.
    ///
    /// # Errors
    /// Fails on lengths that do not fit.
    pub fn peek(&mut self, mut observations: Observations, episode_starts: &[u8]) -> Result<Vec<f32>> {
        if let ObservationMut::F32(raw) = &mut observations.all_mut() {
            self.subject.normalization.apply(raw);
        }
        self.session.peek(observations.all(), episode_starts)
    }

    /// Chooses the action of environment `index` after the last step: a sample drawn from `stream`, or the most
    /// probable one without it. Writes it at `at` and returns its log-probability.
    pub fn choose(&mut self, index: usize, stream: Option<&mut Stream>, actions: &mut ActionBuffer, at: usize) -> f32 {
        let distribution = self.subject.policy.policy().distribution();
        distribution.act(self.session.distribution(index), stream, actions, at, &mut self.scratch)
    }

    /// Chooses the actions of all B environments after the last step, each as [`Actor::choose`] does with a stream of
    /// its own, and returns them in the form that environments take.
    ///
    /// # Panics
    /// If there are fewer streams than environments.
    pub fn choose_all<'a>(
        &'a mut self,
        mut streams: Option<&mut [Stream]>,
        actions: &'a mut ActionBuffer,
    ) -> Actions<'a> {
        let batch = self.session.values().len();
        for index in 0..batch {
            let stream = streams.as_mut().map(|streams| &mut streams[index]);
            self.choose(index, stream, actions, index);
        }
        self.for_environment(actions, 0, batch)
    }

    /// The actions `start..start + count` in the form that environments take.
    pub fn for_environment<'a>(&'a mut self, actions: &'a ActionBuffer, start: usize, count: usize) -> Actions<'a> {
        let distribution = self.subject.policy.policy().distribution();
        distribution.for_environment(actions, start, count, &mut self.environment_actions)
    }
}
