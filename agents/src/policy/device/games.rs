//! Games as the kernel plays them.

use stpn_cuda::game::{Game, GameRules, GameState, Games};
use stpn_envs::OnDevice;
use stpn_envs::popgym::{self, GameKind, GameOnDevice};

use super::obstacle::no_kernel;
use crate::Result;

/// The games of a rollout, with what chance decides in them.
pub(super) struct StagedGames {
    rules: GameRules,
    states: Vec<GameState>,
    dealt: Vec<i32>,
    luck: Vec<i32>,
}

impl StagedGames {
    /// All have the rules of the first.
    ///
    /// # Errors
    /// [`crate::Error::Config`] for an environment of another kind.
    pub fn new(environments: &[OnDevice]) -> Result<Self> {
        let games: Option<Vec<&GameOnDevice>> = environments.iter().map(game).collect();
        let games = games.ok_or_else(no_kernel)?;
        let rules = rules(&games.first().ok_or_else(no_kernel)?.rules)?;
        let deals = games.iter().map(|game| game.deals.len()).max().unwrap_or(0);
        let mut dealt = Vec::with_capacity(games.len() * deals * rules.deal_len());
        for game in &games {
            dealt.extend(game.deals.iter().flatten());
            // Fewer suffice where fewer episodes can end; the last one stands for those that are missing.
            let last = game.deals.last().ok_or_else(no_kernel)?;
            (game.deals.len()..deals).for_each(|_| dealt.extend(last));
        }
        let luck = games.iter().flat_map(|game| &game.luck).copied().collect();
        Ok(Self { rules, states: games.iter().map(|game| state(&game.state)).collect(), dealt, luck })
    }

    /// As the kernel takes them.
    pub fn games(&self) -> Games<'_> {
        Games { rules: &self.rules, states: &self.states, dealt: &self.dealt, luck: &self.luck }
    }
}

fn game(environment: &OnDevice) -> Option<&GameOnDevice> {
    match environment {
        OnDevice::Game(game) => Some(game),
        _ => None,
    }
}

/// A game's rules as the kernel has them.
fn rules(rules: &popgym::GameRules) -> Result<GameRules> {
    let game = match rules.game {
        GameKind::Battleship => Game::Battleship,
        GameKind::Concentration => Game::Concentration,
        GameKind::MineSweeper => Game::MineSweeper,
        GameKind::MultiarmedBandit => Game::MultiarmedBandit,
        GameKind::LabyrinthEscape => Game::LabyrinthEscape,
        GameKind::LabyrinthExplore => Game::LabyrinthExplore,
        _ => return Err(no_kernel()),
    };
    Ok(GameRules {
        game,
        side: rules.side,
        limit: rules.limit,
        goal: rules.goal,
        face_down: rules.face_down,
        rewards: rules.rewards,
        choices: rules.choices.clone(),
        own: rules.own.clone(),
        shows_action: rules.shows_action,
        shows_start: rules.shows_start,
    })
}

fn state(state: &popgym::GameState) -> GameState {
    let popgym::GameState { step, count, place, back, ref table } = *state;
    GameState { step, count, place, back, table: table.clone() }
}
