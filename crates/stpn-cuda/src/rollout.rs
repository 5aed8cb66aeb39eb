//! Rollouts: environments and network step by step in one launch.
//!
//! The device plays with the numbers that the environments' and the agents' own streams give, which are drawn before.
//! So it plays what the CPU would play, but for the rounding of the network.

use crate::any::AnyLayer;
use crate::encoder;
pub use crate::encoder::{ENCODER_LAYERS, EncoderLayer};
pub use crate::energy::EnergyOf;
pub use crate::foreseen::Foreseen;
use crate::game::Games;
pub use crate::lengths::Length;
use crate::lengths::expect;
use crate::maze::{self, Mazes};
use crate::played_sizes;
use crate::{Error, Extent, Result};

/// Environments of a rollout.
#[derive(Clone, Copy, Debug)]
pub enum Environments<'a, T> {
    /// Mazes, which are played there.
    Mazes(Mazes<'a>),
    /// Environments that show what is known before.
    Foreseen(Foreseen<'a, T>),
    /// Games, which are played there.
    Games(Games<'a>),
}

impl<T> Environments<'_, T> {
    /// `[D]` choices in each list of an action.
    pub fn lists(&self) -> Vec<usize> {
        match self {
            Self::Mazes(_) => vec![maze::ACTIONS],
            Self::Foreseen(foreseen) => vec![foreseen.choices],
            Self::Games(games) => games.rules.choices.clone(),
        }
    }

    /// A, the choices of all lists.
    pub fn choices(&self) -> usize {
        self.lists().iter().sum()
    }

    /// Elements of shared memory of an environment, with the outputs of its heads.
    pub(crate) fn shared_len(&self) -> usize {
        let own = match self {
            Self::Mazes(_) => played_sizes::MAZE,
            Self::Foreseen(_) => played_sizes::FORESEEN,
            Self::Games(_) => played_sizes::GAME,
        };
        own + self.choices() + 1
    }

    /// Bytes of what the device is given of them that grows with the steps.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Mazes(mazes) => size_of_val(mazes.draws),
            Self::Foreseen(foreseen) => size_of_val(foreseen.observations) + foreseen.starts.len(),
            Self::Games(games) => size_of_val(games.dealt) + size_of_val(games.luck),
        }
    }
}

/// T steps of B environments under a recurrent layer with heads. Arrays lie on the host, but for parameters `A`, which
/// may be on a device.
#[derive(Debug)]
pub struct Rollout<'a, T, A: ?Sized = [T]> {
    /// T and B.
    pub extent: Extent,
    /// The environments.
    pub environments: Environments<'a, T>,
    /// `[B, T, D]`, uniform in [0, 1), for the choices.
    pub uniform: &'a [f64],
    /// Packed parameters of the layer.
    pub parameters: &'a A,
    /// Of the heads: weights `[A + 1, H]`, then biases `[A + 1]`; a logit for each choice and the value.
    pub heads: &'a A,
    /// Layers between what an environment shows, O numbers, and the recurrent layer; without any, O is I.
    pub encoder: &'a [EncoderLayer<'a, A>],
    /// `[B, O]` observations to act on first.
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
    /// `[B, T, D]`
    pub actions: Vec<u32>,
    /// `[B, T]` of the actions.
    pub log_probs: Vec<T>,
    /// `[B, T]` of mazes and games; else empty.
    pub rewards: Vec<T>,
    /// `[B, T, A + 1]` of the heads.
    pub outputs: Vec<T>,
    /// `[T, B, O]` observations acted on, if they are wanted; else empty.
    pub observed: Vec<T>,
    /// `[B, O]` observations after the last step.
    pub next: Vec<T>,
    /// `[B, S]` after the last step.
    pub state: Vec<T>,
    /// `[samples, B', H]` energy of every unit, if it was asked for.
    pub energy: Vec<T>,
}

impl<T: Copy, A: ?Sized> Clone for Rollout<'_, T, A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Copy, A: ?Sized> Copy for Rollout<'_, T, A> {}

impl<'a, T, A: ?Sized> Rollout<'a, T, A> {
    /// The same rollout with its parameters, and those of the heads and the encoder, somewhere else.
    pub fn with_parameters<P: ?Sized>(
        self,
        [parameters, heads]: [&'a P; 2],
        encoder: &'a [EncoderLayer<'a, P>],
    ) -> Rollout<'a, T, P> {
        let Self { extent, environments, uniform, x, starts, state, watched, energy, .. } = self;
        Rollout { extent, environments, uniform, parameters, heads, encoder, x, starts, state, watched, energy }
    }
}

impl<T, A: Length + ?Sized> Rollout<'_, T, A> {
    /// Refuses arrays that do not fit a layer, and environments that are not sound.
    pub(crate) fn check(&self, layer: &AnyLayer) -> Result<()> {
        let Self { extent: Extent { steps, batch }, .. } = *self;
        if steps * batch == 0 {
            let problem = "it needs at least one step and one environment".to_string();
            return Err(Error::Rollout { problem });
        }
        let shown = encoder::check(self.encoder, layer.input())?;
        match &self.environments {
            Environments::Mazes(mazes) => mazes.check(batch, shown)?,
            Environments::Foreseen(foreseen) => foreseen.check(steps * batch, shown)?,
            Environments::Games(games) => games.check(steps, batch, shown)?,
        }
        expect("uniform", self.uniform.len(), steps * batch * self.environments.lists().len())?;
        expect("parameters", self.parameters.length(), layer.parameters())?;
        expect("heads", self.heads.length(), (self.environments.choices() + 1) * (layer.hidden() + 1))?;
        expect("x", self.x.len(), batch * shown)?;
        expect("starts", self.starts.len(), batch)?;
        let state = if self.is_fresh() && self.state.is_empty() { 0 } else { batch * layer.state_len() };
        expect("state", self.state.len(), state)?;
        match &self.energy {
            Some(energy) => energy.check(layer.input(), batch),
            None => Ok(()),
        }
    }

    /// Elements of shared memory of an environment, with the outputs of its heads and an encoder.
    pub(crate) fn shared_len(&self) -> usize {
        self.environments.shared_len() + encoder::shared_len(self.encoder.iter().map(|layer| &layer.dense))
    }

    /// True if the first step is that of an episode everywhere, so that nothing is read of a state.
    pub(crate) fn is_fresh(&self) -> bool {
        self.starts.iter().all(|&start| start != 0)
    }
}
