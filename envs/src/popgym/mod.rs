//! The tasks of POPGym (Morad et al., ICLR 2023), a benchmark of memory: by the published rules of version 1.0.7 of its
//! Python package, in the package's three levels.
//!
//! Each task is a file with its rules ([`Game`]); [`Play`] makes an environment of them. Chance is apart from the
//! rules: what it decides before an episode is a game's `Deal`, what it decides at a step its `Luck`, so that an
//! episode of the package can be played again here.
//!
//! Where the package does something else than it says, the tasks here do what it does, and say so under "Fault".

mod autoencode;
mod battleship;
mod concentration;
mod config;
mod count_recall;
mod deck;
mod game;
mod higher_lower;
mod labyrinth;
mod labyrinth_escape;
mod labyrinth_explore;
mod level;
mod mine_sweeper;
mod multiarmed_bandit;
mod on_device;
mod partial;
mod position_only_cartpole;
mod position_only_pendulum;
mod repeat_first;
mod repeat_previous;
mod staging;
mod task;
mod velocity_only_cartpole;

pub use autoencode::Autoencode;
pub use battleship::Battleship;
pub use concentration::Concentration;
pub use config::PopgymConfig;
pub use count_recall::{CountRecall, Decks};
pub use deck::{Card, Deck};
pub use game::{Game, Play};
pub use higher_lower::HigherLower;
pub use labyrinth::Labyrinth;
pub use labyrinth_escape::LabyrinthEscape;
pub use labyrinth_explore::LabyrinthExplore;
pub use level::Level;
pub use mine_sweeper::MineSweeper;
pub use multiarmed_bandit::MultiarmedBandit;
pub use on_device::{GameKind, GameOnDevice, GameRules, GameState};
pub use partial::Partial;
pub use position_only_cartpole::{noisy_position_only_cartpole, position_only_cartpole};
pub use position_only_pendulum::{noisy_position_only_pendulum, position_only_pendulum};
pub use repeat_first::RepeatFirst;
pub use repeat_previous::RepeatPrevious;
pub use task::Task;
pub use velocity_only_cartpole::velocity_only_cartpole;
