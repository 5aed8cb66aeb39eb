//! An environment from the rules of a game.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use super::on_device::GameOnDevice;
use crate::{Action, Env, Error, ObservationMut, OnDevice, Result, Space, Step, state};

/// The name under which all these tasks are registered.
const NAME: &str = "popgym";

/// The rules of a task, without chance and without memory of their own.
pub trait Game: Send {
    /// What chance decides before an episode: the deck, the board.
    type Deal: Clone + Serialize + DeserializeOwned + Send;
    /// What chance decides at every step, and at the start as far as it is seen there; `()` where it is nothing.
    type Luck: Copy;
    /// What changes within an episode.
    type State: Clone + Serialize + DeserializeOwned + Send;

    /// [`Env::ignores_actions`].
    const IGNORES_ACTIONS: bool = false;

    /// What is observed.
    fn observation_space(&self) -> Space;

    /// What can be done.
    fn action_space(&self) -> Space;

    /// A deal that was not drawn, with all the memory that a deal needs.
    fn blank(&self) -> Self::Deal;

    /// Draws another deal; what the old one was makes no difference.
    fn deal(&self, deal: &mut Self::Deal, stream: &mut Stream);

    /// Draws what chance decides at a step.
    fn luck(&self, stream: &mut Stream) -> Self::Luck;

    /// The state at the start of any episode, with all the memory that it needs later.
    fn fresh(&self, deal: &Self::Deal) -> Self::State;

    /// Makes of `state`, whatever it was, that at the start of an episode; to be written where `fresh` allocates.
    fn start(&self, deal: &Self::Deal, state: &mut Self::State) {
        *state = self.fresh(deal);
    }

    /// Takes an action of the action space, and tells the reward and whether the episode is over.
    ///
    /// # Errors
    /// [`Error::Action`] for an action outside the space; the state is then as before.
    fn step(&self, deal: &Self::Deal, state: &mut Self::State, action: Action<'_>, luck: Self::Luck) -> Result<Step>;

    /// Writes the observation after a start or a step with that luck; the slice has the space's length.
    fn observe(&self, deal: &Self::Deal, state: &Self::State, luck: Self::Luck, observation: &mut [f32]);

    /// Whether deal and state can be of this game: of a saved one.
    fn fits(&self, deal: &Self::Deal, state: &Self::State) -> bool;

    /// The expected return of the best policy, where it is known.
    fn oracle_return(&self) -> Option<f64> {
        None
    }

    /// The game from here on for so many steps, whose chances come from a copy of its stream; nothing if there is no
    /// kernel of its rules.
    fn on_device(
        &self,
        _deal: &Self::Deal,
        _state: &Self::State,
        _stream: Stream,
        _steps: usize,
    ) -> Option<GameOnDevice> {
        None
    }
}

/// The environment of a [`Game`].
#[derive(Debug)]
pub struct Play<G: Game> {
    game: G,
    observation_space: Space,
    action_space: Space,
    stream: Stream,
    deal: G::Deal,
    state: G::State,
    running: bool,
}

#[derive(Serialize)]
struct Saving<'a, D, S> {
    stream: &'a Stream,
    deal: &'a D,
    state: &'a S,
    running: bool,
}

#[derive(Deserialize)]
struct Saved<D, S> {
    stream: Stream,
    deal: D,
    state: S,
    running: bool,
}

impl<G: Game> Play<G> {
    /// An environment that has not been reset.
    pub fn new(game: G) -> Self {
        let deal = game.blank();
        let (state, stream) = (game.fresh(&deal), Stream::from_seed(0));
        let (observation_space, action_space) = (game.observation_space(), game.action_space());
        Self { game, observation_space, action_space, stream, deal, state, running: false }
    }

    /// Starts an episode on a given deal, without a draw.
    ///
    /// # Errors
    /// [`Error::State`] for a deal that is not of this game, [`Error::Buffer`] for a buffer that does not fit.
    pub fn start_with(&mut self, deal: G::Deal, luck: G::Luck, observation: ObservationMut<'_>) -> Result<()> {
        let observation = observation.f32(self.observation_space.len())?;
        let state = self.game.fresh(&deal);
        if !self.game.fits(&deal, &state) {
            return Err(state::refused(NAME, "the deal is of another game"));
        }
        (self.deal, self.state, self.running) = (deal, state, true);
        self.game.observe(&self.deal, &self.state, luck, observation);
        Ok(())
    }

    /// A step with what chance decides given, without a draw.
    ///
    /// # Errors
    /// As [`Env::step`].
    pub fn step_with(&mut self, action: Action<'_>, luck: G::Luck, observation: ObservationMut<'_>) -> Result<Step> {
        let observation = observation.f32(self.observation_space.len())?;
        if !self.running {
            return Err(Error::ResetNeeded { environment: NAME.into() });
        }
        let step = self.game.step(&self.deal, &mut self.state, action, luck)?;
        self.running = !step.done();
        self.game.observe(&self.deal, &self.state, luck, observation);
        Ok(step)
    }
}

impl<G: Game> Env for Play<G> {
    fn name(&self) -> &str {
        NAME
    }

    fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    fn action_space(&self) -> &Space {
        &self.action_space
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<()> {
        let observation = observation.f32(self.observation_space.len())?;
        if let Some(seed) = seed {
            self.stream = Stream::from_seed(seed);
        }
        self.game.deal(&mut self.deal, &mut self.stream);
        let luck = self.game.luck(&mut self.stream);
        self.game.start(&self.deal, &mut self.state);
        self.running = true;
        self.game.observe(&self.deal, &self.state, luck, observation);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, observation: ObservationMut<'_>) -> Result<Step> {
        let before = self.stream.clone();
        let luck = self.game.luck(&mut self.stream);
        // A step that is refused has drawn nothing.
        self.step_with(action, luck, observation).inspect_err(|_| self.stream = before)
    }

    fn save_state(&self, bytes: &mut Vec<u8>) -> Result<()> {
        let Self { stream, deal, state, running, .. } = self;
        state::save(NAME, &Saving { stream, deal, state, running: *running }, bytes)
    }

    fn restore_state(&mut self, bytes: &[u8]) -> Result<()> {
        let saved: Saved<G::Deal, G::State> = state::restore(NAME, bytes)?;
        if !self.game.fits(&saved.deal, &saved.state) {
            return Err(state::refused(NAME, "it is of another task or level"));
        }
        let Saved { stream, deal, state, running } = saved;
        (self.stream, self.deal, self.state, self.running) = (stream, deal, state, running);
        Ok(())
    }

    fn oracle_return(&self) -> Option<f64> {
        self.game.oracle_return()
    }

    fn on_device(&self, steps: usize) -> Option<OnDevice> {
        let game = || self.game.on_device(&self.deal, &self.state, self.stream.clone(), steps);
        self.running.then(game).flatten().map(OnDevice::Game)
    }

    fn ignores_actions(&self) -> bool {
        G::IGNORES_ACTIONS
    }
}
