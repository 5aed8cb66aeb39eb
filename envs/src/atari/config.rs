//! Settings of Atari games.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stpn_atari::{Emulator, Options, Rom};

use super::{Atari, EpisodicLife, FireReset, FrameSkip, Game, NoopStart, Picture, Play, game};
use crate::wrappers::FrameStack;
use crate::{Env, Error, Result};

/// What an agent sees of the screen, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Preprocessing {
    /// `[1, 84, 84]`: 25 rows cut from the top and the bottom, the rest shrunk by area, the mean of red, green and
    /// blue.
    Paper,
    /// `[1, 84, 84]`: the whole screen in gray, shrunk by area, as OpenCV's `INTER_AREA` within one gray level.
    Deepmind,
    /// `[1, 210, 160]`: the whole screen in gray.
    Gray,
    /// `[3, 210, 160]`: the whole screen in red, green and blue.
    Rgb,
}

/// An Atari game and how it is played. The defaults are Gymnasium's `PongNoFrameskip-v4` with the preprocessing of the
/// published Pong run.
///
/// Rewards are changes of the score; algorithms clip them. Lengths of episodes count the agent's steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AtariConfig {
    /// The game's name, such as `pong` or `space_invaders`, or a cartridge file, `….bin`.
    pub game: String,
    /// What is seen of the screen.
    pub preprocessing: Preprocessing,
    /// Frames of every action; above 1, the brighter pixel of the last two is shown. Standard: 4.
    pub frame_skip: u32,
    /// Observations joined along the first axis, oldest first. Standard: 4.
    pub frame_stack: u32,
    /// Episodes begin with 1 to this many frames without an action; 0 = none. Standard: 30.
    pub noop_max: u32,
    /// Press the button at the start of an episode, in games that have one.
    pub fire_reset: bool,
    /// End a training episode where a life is lost. Episode statistics stay those of whole games.
    pub episodic_life: bool,
    /// Probability, frame by frame, of repeating the last action in place of the new one. Standard since Machado et
    /// al. 2018: 0.25.
    pub repeat_action_probability: f32,
    /// All 18 actions, in place of those that make a difference in this game.
    pub full_action_space: bool,
    /// Frames after which an episode is truncated: 30 minutes of play.
    pub max_episode_frames: u32,
    /// The game's variant; its own default unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    /// The difficulty switches, 0 to 3 as far as the game has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difficulty: Option<u32>,
}

impl Default for AtariConfig {
    fn default() -> Self {
        Self {
            game: "pong".into(),
            preprocessing: Preprocessing::Paper,
            frame_skip: 1,
            frame_stack: 1,
            noop_max: 0,
            fire_reset: false,
            episodic_life: false,
            repeat_action_probability: 0.0,
            full_action_space: false,
            max_episode_frames: 108_000,
            mode: None,
            difficulty: None,
        }
    }
}

impl AtariConfig {
    /// The field's standard wrappers, without a frame stack: 84×84 gray, frame skip 4, no-op starts, the button
    /// pressed, lives as episodes.
    pub fn deepmind(game: &str) -> Self {
        Self {
            game: game.into(),
            preprocessing: Preprocessing::Deepmind,
            frame_skip: 4,
            noop_max: 30,
            fire_reset: true,
            episodic_life: true,
            ..Self::default()
        }
    }

    /// Makes the environment.
    ///
    /// # Errors
    /// [`Error::Config`] for impossible settings, [`Error::Simulator`] if the games are not found.
    pub fn make(&self) -> Result<Box<dyn Env>> {
        for (key, value) in [("frame_skip", self.frame_skip), ("frame_stack", self.frame_stack)] {
            if value == 0 {
                return Err(Error::Config { key, value: "0".into(), allowed: "at least 1".into() });
            }
        }
        let mut play: Box<dyn Play> = Box::new(Game::new(self.emulator()?, self.full_action_space));
        if self.noop_max > 0 {
            play = Box::new(NoopStart::new(play, self.noop_max)?);
        }
        if self.frame_skip > 1 {
            play = Box::new(FrameSkip::new(play, self.frame_skip)?);
        }
        if self.episodic_life {
            play = Box::new(EpisodicLife::new(play));
        }
        if self.fire_reset {
            play = Box::new(FireReset::new(play));
        }
        let (palette, size) = (play.palette(), play.size());
        let picture = match self.preprocessing {
            Preprocessing::Paper => Picture::paper(palette, size)?,
            Preprocessing::Deepmind => Picture::deepmind(palette, size)?,
            Preprocessing::Gray => Picture::gray(palette, size),
            Preprocessing::Rgb => Picture::rgb(palette, size),
        };
        let atari = Atari::new(play, picture);
        Ok(match self.frame_stack {
            1 => Box::new(atari),
            frames => Box::new(FrameStack::new(atari, frames as usize)?),
        })
    }

    /// The emulator alone.
    pub(super) fn emulator(&self) -> Result<Emulator> {
        if self.max_episode_frames == 0 {
            let (key, value) = ("max_episode_frames", "0".into());
            return Err(Error::Config { key, value, allowed: "at least 1".into() });
        }
        let rom = if self.game.ends_with(".bin") { Rom::file(Path::new(&self.game)) } else { Rom::named(&self.game) };
        let options = Options {
            repeat_action_probability: self.repeat_action_probability,
            max_episode_frames: self.max_episode_frames,
            mode: self.mode,
            difficulty: self.difficulty,
        };
        rom.and_then(|rom| Emulator::new(rom, options)).map_err(|error| match error {
            stpn_atari::Error::UnknownGame { name, known } => Error::Config {
                key: "game",
                value: name,
                allowed: format!("one of {known}, or the path of a cartridge file, ….bin"),
            },
            stpn_atari::Error::Rom { path, problem } => {
                Error::Config { key: "game", value: path.display().to_string(), allowed: format!("the file {problem}") }
            }
            stpn_atari::Error::Option { option, value, problem, .. } => {
                Error::Config { key: option, value, allowed: problem }
            }
            other => game::failed(other),
        })
    }
}
