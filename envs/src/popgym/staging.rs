//! How a game gets the form in which a device can play it.

use stpn_random::Stream;

use super::Game;
use super::on_device::{GameOnDevice, GameRules, GameState};

/// A game that a device knows.
pub(super) trait Staged: Game {
    /// Its rules.
    fn rules(&self) -> GameRules;

    /// Where it stands.
    fn stands(&self, deal: &Self::Deal, state: &Self::State) -> GameState;

    /// A deal in numbers: whether a ship or a mine lies on a square, row by row; the kind of a card; the probability of
    /// a machine; or what is on the squares of a labyrinth, then its entrance, and the number of free squares.
    fn deal_numbers(&self, deal: &Self::Deal) -> Vec<i32>;

    /// What chance decides at a step, if that is anything.
    fn luck_number(&self, _: Self::Luck) -> Option<i32> {
        None
    }

    /// The fewest steps of an episode with that deal; exactly its steps if chance decides anything at them.
    fn least_steps(&self, deal: &Self::Deal) -> usize;
}

/// The game from a state of an episode on, for so many steps.
pub(super) fn staged<G: Staged>(
    game: &G,
    deal: &G::Deal,
    state: &G::State,
    mut stream: Stream,
    steps: usize,
) -> GameOnDevice {
    let (rules, state, mut next) = (game.rules(), game.stands(deal, state), deal.clone());
    let (mut deals, mut luck) = (vec![game.deal_numbers(deal)], Vec::new());
    // Steps until this episode can end at the earliest.
    let mut left = game.least_steps(deal).saturating_sub(state.step).max(1);
    for _ in 0..steps {
        luck.extend(game.luck_number(game.luck(&mut stream)));
        left -= 1;
        if left == 0 {
            game.deal(&mut next, &mut stream);
            // Of the start, where it decides nothing.
            game.luck(&mut stream);
            deals.push(game.deal_numbers(&next));
            left = game.least_steps(&next).max(1);
        }
    }
    GameOnDevice { rules, state, deals, luck }
}

/// Numbers of a board.
pub(super) fn board(squares: &[bool]) -> Vec<i32> {
    squares.iter().map(|&set| i32::from(set)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::popgym::{Level, PopgymConfig, Task};
    use crate::{Action, Env, ObservationMut, OnDevice, Space};

    const GAMES: [Task; 6] = [
        Task::Battleship,
        Task::Concentration,
        Task::MineSweeper,
        Task::MultiarmedBandit,
        Task::LabyrinthEscape,
        Task::LabyrinthExplore,
    ];

    fn on_device(env: &dyn Env, steps: usize) -> Option<GameOnDevice> {
        env.on_device(steps).map(|there| match there {
            OnDevice::Game(game) => game,
            OnDevice::Maze(_) => panic!("a maze"),
        })
    }

    /// A move along the wall at the right hand: left, right, up and down turn to the others.
    fn along_the_wall(game: &GameOnDevice, last: &mut usize) -> usize {
        const RIGHT_OF: [usize; 4] = [2, 3, 1, 0];
        let (at, side) = (game.state.place.unwrap(), game.rules.side);
        let mut direction = RIGHT_OF[*last];
        for _ in 0..4 {
            let next = match direction {
                0 if at % side > 0 => at - 1,
                1 if at % side + 1 < side => at + 1,
                2 if at >= side => at - side,
                3 if at + side < side * side => at + side,
                _ => at,
            };
            if next != at && game.deals[0][next] != 1 {
                break;
            }
            direction = RIGHT_OF.iter().position(|&right| right == direction).unwrap();
        }
        *last = direction;
        direction
    }

    #[test]
    fn deals_and_luck_are_those_that_the_environment_draws() {
        let (steps, mut stream) = (700, Stream::from_seed(3));
        for (task, level) in GAMES.into_iter().flat_map(|task| Level::ALL.map(|level| (task, level))) {
            let mut env = PopgymConfig { task, level, ..PopgymConfig::default() }.make().unwrap();
            let mut seen = vec![0.0; env.observation_space().len()];
            assert!(on_device(&env, 5).is_none(), "no episode is under way");
            env.reset(Some(5), ObservationMut::F32(&mut seen)).unwrap();
            let (mut there, mut begun, mut last) = (on_device(&env, steps).unwrap(), 0, 0);
            // From within an episode on.
            for t in 0..steps + 9 {
                if t == 9 {
                    (there, begun) = (on_device(&env, steps).unwrap(), 0);
                }
                let now = on_device(&env, 0).unwrap();
                let (choices, space) = ([0, 1].map(|_| stream.below(4) as u32), env.action_space().clone());
                let action = match space {
                    Space::Discrete { .. } if now.state.place.is_some() && task != Task::Concentration => {
                        Action::Discrete(along_the_wall(&now, &mut last))
                    }
                    Space::Discrete { n } => Action::Discrete(stream.below(n)),
                    _ => Action::Choices(&choices),
                };
                let step = env.step(action, ObservationMut::F32(&mut seen)).unwrap();
                if let (Some(luck), Action::Discrete(machine)) = (there.luck.get(t.wrapping_sub(9)), action) {
                    assert_eq!(*luck < now.deals[0][machine], step.reward > 0.0);
                }
                if step.done() {
                    env.reset(None, ObservationMut::F32(&mut seen)).unwrap();
                    begun += 1;
                    assert_eq!(on_device(&env, 0).unwrap().deals[0], there.deals[begun], "{task:?}: episode {begun}");
                }
            }
            assert!(begun > 0, "{task:?}: no episode has ended");
            assert_eq!(there.luck.len(), if task == Task::MultiarmedBandit { steps } else { 0 });
        }
    }

    #[test]
    fn wrappers_say_what_they_show_and_other_tasks_have_no_kernel() {
        for task in Task::ALL {
            for (previous_action, antialias) in [(false, false), (true, false), (false, true), (true, true)] {
                let mut env =
                    PopgymConfig { task, previous_action, antialias, ..PopgymConfig::default() }.make().unwrap();
                let mut seen = vec![0.0; env.observation_space().len()];
                env.reset(Some(5), ObservationMut::F32(&mut seen)).unwrap();
                let Some(GameOnDevice { rules, .. }) = on_device(&env, 1) else {
                    assert!(!GAMES.contains(&task));
                    continue;
                };
                assert_eq!((rules.shows_action, rules.shows_start), (previous_action, antialias));
                let named = format!("{:?}", rules.game);
                assert_eq!(named, format!("{task:?}"));
                let action: &[usize] = if previous_action { &rules.choices } else { &[] };
                let start: &[usize] = if antialias { &[2] } else { &[] };
                let elements = [&rules.own, action, start].concat();
                let space = env.observation_space();
                let counts: Vec<usize> = (0..space.len()).filter_map(|at| space.choices(at)).collect();
                assert_eq!(elements, counts, "{task:?}");
            }
        }
    }
}
