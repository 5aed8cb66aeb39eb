//! A game as an environment.

use serde::{Deserialize, Serialize};

use super::{Picture, Play, game::NAME};
use crate::{Action, Env, Episode, Error, ObservationMut, Result, Screen, Space, Step, state};

/// A game played through its stages, seen as pictures.
pub struct Atari<P> {
    play: P,
    picture: Picture,
    observation_space: Space,
    action_space: Space,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct State {
    /// An episode is running.
    running: bool,
    /// The game so far, over all its training episodes.
    game: Episode,
}

impl<P: Play> Atari<P> {
    /// The environment of a game and a picture of its screen.
    pub fn new(play: P, picture: Picture) -> Self {
        let (observation_space, action_space) = (picture.space(), Space::discrete(play.actions().len()));
        Self { play, picture, observation_space, action_space, state: State::default() }
    }

    /// The game with its stages.
    pub fn inner(&self) -> &P {
        &self.play
    }
}

impl<P: Play> Env for Atari<P> {
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
        let observation = observation.u8(self.observation_space.len())?;
        self.state.running = false;
        let start = self.play.start(seed)?;
        if start.new_game {
            self.state.game = Episode::default();
        }
        self.state.game.total_reward += start.reward;
        self.state.running = true;
        self.picture.write(self.play.view(), observation);
        Ok(())
    }

    fn step(&mut self, action: Action<'_>, observation: ObservationMut<'_>) -> Result<Step> {
        let action = action.discrete(self.play.actions().len())?;
        let observation = observation.u8(self.observation_space.len())?;
        if !self.state.running {
            return Err(Error::ResetNeeded { environment: NAME.into() });
        }
        let frame = self.play.act(action)?;
        self.picture.write(self.play.view(), observation);
        self.state.running = !frame.done();
        self.state.game.total_reward += frame.reward;
        self.state.game.length += 1;
        let over = frame.game_over || frame.truncated;
        Ok(Step {
            reward: frame.reward,
            terminated: frame.terminated,
            truncated: frame.truncated,
            episode: over.then_some(self.state.game),
        })
    }

    fn save_state(&self, bytes: &mut Vec<u8>) -> Result<()> {
        state::save(NAME, &self.state, bytes)?;
        self.play.save(bytes)
    }

    fn restore_state(&mut self, bytes: &[u8]) -> Result<()> {
        let (state, inner) = state::split(NAME, bytes)?;
        self.play.restore(inner)?;
        self.state = state;
        Ok(())
    }

    fn records_episodes(&self) -> bool {
        true
    }

    fn screen(&self) -> Option<Screen> {
        let (view, [height, width], palette) = (self.play.view(), self.play.size(), self.play.palette());
        let color = |index: &u8| palette.rgb[usize::from(*index)];
        let mut rgb: Vec<u8> = view.latest.iter().flat_map(color).collect();
        if let Some(before) = view.before {
            // As in observations: what is drawn in every other frame alone would flicker.
            rgb.iter_mut().zip(before.iter().flat_map(color)).for_each(|(now, before)| *now = before.max(*now));
        }
        Some(Screen { width, height, rgb })
    }
}
