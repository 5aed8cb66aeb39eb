//! Which task.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Autoencode, Battleship, Concentration, CountRecall, Game, HigherLower, LabyrinthEscape, LabyrinthExplore, Level,
    MineSweeper, MultiarmedBandit, Play, RepeatFirst, RepeatPrevious, noisy_position_only_cartpole,
    noisy_position_only_pendulum, position_only_cartpole, position_only_pendulum, velocity_only_cartpole,
};
use crate::Env;

/// A task of POPGym.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Task {
    /// Name the suits of a deck backwards: [`Autoencode`].
    Autoencode,
    /// Name the first card's suit at every step: [`RepeatFirst`].
    RepeatFirst,
    /// Name the suit of the k-th last card: [`RepeatPrevious`].
    #[default]
    RepeatPrevious,
    /// Tell how often a kind of card was shown: [`CountRecall`].
    CountRecall,
    /// Balance a pole, velocities hidden: [`position_only_cartpole`].
    PositionOnlyCartpole,
    /// Balance a pole, positions hidden: [`velocity_only_cartpole`].
    VelocityOnlyCartpole,
    /// Swing up a pendulum, velocity hidden: [`position_only_pendulum`].
    PositionOnlyPendulum,
    /// Balance a pole, velocities hidden, positions noisy: [`noisy_position_only_cartpole`].
    NoisyPositionOnlyCartpole,
    /// Swing up a pendulum, velocity hidden, position noisy: [`noisy_position_only_pendulum`].
    NoisyPositionOnlyPendulum,
    /// Find the machine that pays best: [`MultiarmedBandit`].
    MultiarmedBandit,
    /// Guess whether the next card is higher or lower: [`HigherLower`].
    HigherLower,
    /// Hit all ships on a hidden board: [`Battleship`].
    Battleship,
    /// Find pairs of cards that lie face down: [`Concentration`].
    Concentration,
    /// Uncover all squares without a mine: [`MineSweeper`].
    MineSweeper,
    /// Find the way out of a labyrinth: [`LabyrinthEscape`].
    LabyrinthEscape,
    /// Enter every square of a labyrinth: [`LabyrinthExplore`].
    LabyrinthExplore,
}

impl Task {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Autoencode,
        Self::RepeatFirst,
        Self::RepeatPrevious,
        Self::CountRecall,
        Self::PositionOnlyCartpole,
        Self::VelocityOnlyCartpole,
        Self::PositionOnlyPendulum,
        Self::NoisyPositionOnlyCartpole,
        Self::NoisyPositionOnlyPendulum,
        Self::MultiarmedBandit,
        Self::HigherLower,
        Self::Battleship,
        Self::Concentration,
        Self::MineSweeper,
        Self::LabyrinthEscape,
        Self::LabyrinthExplore,
    ];

    /// As in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Autoencode => "autoencode",
            Self::RepeatFirst => "repeat-first",
            Self::RepeatPrevious => "repeat-previous",
            Self::CountRecall => "count-recall",
            Self::PositionOnlyCartpole => "position-only-cartpole",
            Self::VelocityOnlyCartpole => "velocity-only-cartpole",
            Self::PositionOnlyPendulum => "position-only-pendulum",
            Self::NoisyPositionOnlyCartpole => "noisy-position-only-cartpole",
            Self::NoisyPositionOnlyPendulum => "noisy-position-only-pendulum",
            Self::MultiarmedBandit => "multiarmed-bandit",
            Self::HigherLower => "higher-lower",
            Self::Battleship => "battleship",
            Self::Concentration => "concentration",
            Self::MineSweeper => "mine-sweeper",
            Self::LabyrinthEscape => "labyrinth-escape",
            Self::LabyrinthExplore => "labyrinth-explore",
        }
    }

    /// Whether an action changes nothing but its own reward: what is shown later, and how long, is the same whatever was
    /// done. The best policy is then the same for every discount γ.
    pub fn is_prediction(self) -> bool {
        use Task::{Autoencode, CountRecall, HigherLower, RepeatFirst, RepeatPrevious};
        matches!(self, Autoencode | RepeatFirst | RepeatPrevious | CountRecall | HigherLower)
    }

    /// The task at that level.
    pub(super) fn make(self, level: Level) -> Box<dyn Env> {
        fn play(game: impl Game + 'static) -> Box<dyn Env> {
            Box::new(Play::new(game))
        }
        match self {
            Self::Autoencode => play(Autoencode::new(level)),
            Self::RepeatFirst => play(RepeatFirst::new(level)),
            Self::RepeatPrevious => play(RepeatPrevious::new(level)),
            Self::CountRecall => play(CountRecall::new(level)),
            Self::PositionOnlyCartpole => play(position_only_cartpole(level)),
            Self::VelocityOnlyCartpole => play(velocity_only_cartpole(level)),
            Self::PositionOnlyPendulum => play(position_only_pendulum(level)),
            Self::NoisyPositionOnlyCartpole => play(noisy_position_only_cartpole(level)),
            Self::NoisyPositionOnlyPendulum => play(noisy_position_only_pendulum(level)),
            Self::MultiarmedBandit => play(MultiarmedBandit::new(level)),
            Self::HigherLower => play(HigherLower::new(level)),
            Self::Battleship => play(Battleship::new(level)),
            Self::Concentration => play(Concentration::new(level)),
            Self::MineSweeper => play(MineSweeper::new(level)),
            Self::LabyrinthEscape => play(LabyrinthEscape::new(level)),
            Self::LabyrinthExplore => play(LabyrinthExplore::new(level)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Action, ObservationMut, Space, Step};

    /// Observations and ends of an episode, in which the first action there is is always taken, or all are in turn.
    fn episode(task: Task, in_turn: bool) -> Vec<(Vec<f32>, bool, bool)> {
        let mut env = task.make(Level::Easy);
        let mut seen = vec![0.0; env.observation_space().len()];
        env.reset(Some(5), ObservationMut::F32(&mut seen)).unwrap();
        let mut episode = vec![(seen.clone(), false, false)];
        loop {
            let turn = if in_turn { episode.len() } else { 0 };
            let (choices, force);
            let action = match env.action_space() {
                Space::Discrete { n } => Action::Discrete(turn % n),
                Space::MultiDiscrete { counts } => {
                    // Row after row of a board.
                    choices = [(turn / counts[1] % counts[0]) as u32, (turn % counts[1]) as u32];
                    Action::Choices(&choices)
                }
                _ => {
                    force = [turn as f32 % 2.0];
                    Action::Continuous(&force)
                }
            };
            let Step { terminated, truncated, .. } = env.step(action, ObservationMut::F32(&mut seen)).unwrap();
            episode.push((seen.clone(), terminated, truncated));
            if terminated || truncated {
                return episode;
            }
        }
    }

    #[test]
    fn in_predictions_alone_nothing_but_the_reward_depends_on_the_action() {
        for task in Task::ALL {
            let [first, other] = [false, true].map(|in_turn| episode(task, in_turn));
            assert_eq!(first == other, task.is_prediction(), "{}", task.name());
        }
    }
}
