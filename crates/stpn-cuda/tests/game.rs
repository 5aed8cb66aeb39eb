//! Rollouts in games: what the kernel plays is what a plain game and the layer's own forward pass give. Against the
//! environments themselves, games are tested in `agents/tests/cuda`.
#![allow(clippy::unwrap_used, reason = "a failing unwrap fails the test")]

mod support;

use stpn_cuda::game::{Game, GameRules, GameState, Games};
use stpn_cuda::rollout::{EncoderLayer, Environments, Rollout};
use stpn_cuda::shim::{self, Machine};
use stpn_cuda::{AnyLayer, Extent, Gated, GatedKind, Layer, Plastic};
use support::SHARED;
use support::encoder::OwnEncoder;
use support::game::{ALL, Case, fresh, rules};
use support::rollout::{check_orders, compare, layers, played};

/// A plain game's step: the reward, the element that is shown beside cards or squares, and whether a goal is reached.
fn moved(rules: &GameRules, deal: &[i32], game: &mut GameState, chosen: &[u32], luck: i32) -> (f64, i32, bool) {
    let (side, choice) = (rules.side, chosen[0] as usize);
    let [first, second, third] = rules.rewards;
    game.step += 1;
    match rules.game {
        Game::Battleship => {
            let square = choice * side + chosen[1] as usize;
            let hit = deal[square] == 1 && game.table[square] == 0;
            game.table[square] = 1;
            game.count += usize::from(hit);
            (if hit { first } else { second }, i32::from(hit), game.count == rules.goal)
        }
        Game::MineSweeper => {
            let (row, column) = (choice, chosen[1] as usize);
            let near = |square: &usize| (square / side).abs_diff(row) < 2 && (square % side).abs_diff(column) < 2;
            let around = (0..side * side).filter(near).map(|square| deal[square]).sum();
            let square = row * side + column;
            let (new, mine) = (game.table[square] == 0, deal[square] == 1);
            if new && !mine {
                (game.table[square], game.count) = (1, game.count + 1);
            }
            (
                if mine {
                    third
                } else if new {
                    first
                } else {
                    second
                },
                around,
                mine || game.count == rules.goal,
            )
        }
        Game::Concentration => {
            for card in std::mem::take(&mut game.back).into_iter().flatten() {
                game.table[card] = rules.face_down;
            }
            let (other, lay_open) = (game.place.take(), game.table[choice] != rules.face_down);
            game.table[choice] = deal[choice];
            let reward = match other {
                _ if lay_open && other != Some(choice) => {
                    game.back = [other, None];
                    if other.is_some() { third } else { second }
                }
                None => {
                    game.place = Some(choice);
                    0.0
                }
                Some(other) if other != choice && deal[other] == deal[choice] => {
                    game.count += 2;
                    first
                }
                Some(_) => {
                    game.back = [other, Some(choice)];
                    third
                }
            };
            (reward, 0, game.count == rules.goal)
        }
        Game::MultiarmedBandit => {
            let paid = luck < deal[choice];
            (if paid { first } else { second }, i32::from(paid), false)
        }
        Game::LabyrinthEscape | Game::LabyrinthExplore => {
            let at = game.place.unwrap();
            let (row, column, last) = (at / side, at % side, side - 1);
            let next = [
                row * side + column.max(1) - 1,
                row * side + last.min(column + 1),
                (row.max(1) - 1) * side + column,
                last.min(row + 1) * side + column,
            ][choice];
            let place = if deal[next] == 1 { at } else { next };
            game.place = Some(place);
            let (reward, won) = if rules.game == Game::LabyrinthEscape {
                let out = deal[place] == 3;
                (if out { first } else { second }, out)
            } else if game.table[place] == 1 {
                (second, false)
            } else {
                (game.table[place], game.count) = (1, game.count + 1);
                let free = deal[side * side + 1];
                (1.0 / f64::from(free), game.count == free as usize)
            };
            (reward, choice as i32, won)
        }
    }
}

/// What is seen of a game, one-hot; `beside` is what it shows beside cards and squares.
fn observation(rules: &GameRules, deal: &[i32], game: &GameState, beside: i32, shown: (&[u32], bool)) -> Vec<f64> {
    let side = rules.side as i32;
    let mut elements = match rules.game {
        Game::Concentration => game.table.clone(),
        Game::LabyrinthEscape | Game::LabyrinthExplore => {
            let (row, column) = (game.place.unwrap() as i32 / side, game.place.unwrap() as i32 % side);
            let (rows, columns) = ((row - 1).max(0)..row + 2, (column - 1).max(0)..column + 2);
            // Squares beyond the edge are wall; those that are missing behind the last are as well.
            let at = |row: i32, column: i32| match rows.contains(&row) && columns.contains(&column) {
                true if row < side && column < side => deal[(row * side + column) as usize],
                _ => 1,
            };
            let nine = (0..9).map(|number| at(rows.start + number / 3, columns.start + number % 3));
            nine.chain([beside]).collect()
        }
        _ => vec![beside],
    };
    elements.extend(shown.0.iter().map(|&choice| choice as i32));
    elements.push(i32::from(shown.1));
    let counts = rules.own.iter().chain(&rules.choices).chain(&[2]);
    let one_hot =
        |(element, &count): (i32, &usize)| (0..count as i32).map(move |choice| f64::from(u8::from(choice == element)));
    elements.into_iter().zip(counts).flat_map(one_hot).collect()
}

/// Plays a case, perhaps with an encoder, and holds everything against the plain game and the layer's own forward pass;
/// returns how many episodes reached their goal, and how many were cut off.
fn check(layer: &AnyLayer, case: &Case<f64>, rules: &GameRules, encoder: &[EncoderLayer<'_, [f64]>]) -> [usize; 2] {
    let (rollout, input, lists) =
        (Rollout { encoder, ..case.rollout(rules) }, rules.observation_len(), rules.choices.len());
    let (got, back) = played(layer, Machine::default(), &rollout);
    let Extent { steps, batch } = case.given.extent;
    let (mut x, mut resets, mut ends) = (vec![Vec::new(); steps * batch], vec![0; steps * batch], [0; 2]);
    for env in 0..batch {
        let (mut game, mut number) = (case.states[env].clone(), 0);
        let mut seen = (case.given.x[env * input..(env + 1) * input].to_vec(), case.given.starts[env] == 1);
        for t in 0..steps {
            (x[t * batch + env], resets[t * batch + env]) = (seen.0, u8::from(seen.1));
            let at = env * steps + t;
            let chosen = &got.actions[at * lists..(at + 1) * lists];
            let luck = case.luck.get(at).copied().unwrap_or(0);
            let (reward, mut beside, won) = moved(rules, case.deal(rules, env, number), &mut game, chosen, luck);
            assert_eq!(got.rewards[at], reward, "{:?}: environment {env}, step {t}", rules.game);
            let (ended, none) = (won || game.step == rules.limit, vec![0; lists]);
            if ended {
                ends[usize::from(!won)] += 1;
                number += 1;
                game = fresh(rules, case.deal(rules, env, number));
                beside = if game.place.is_some() { 4 } else { 0 };
            }
            let shown = (if ended { &none } else { chosen }, ended);
            seen = (observation(rules, case.deal(rules, env, number), &game, beside, shown), ended);
        }
        assert_eq!(got.next[env * input..(env + 1) * input], seen.0, "{:?}", rules.game);
    }
    compare(layer, &rollout, (&got, back.as_ref()), (&x.concat(), &resets));
    ends
}

#[test]
fn a_rollout_is_a_plain_game_and_the_forward_pass_of_the_layer() {
    for game in ALL {
        let (rules, mut ends) = (rules(game), [0; 2]);
        // Each game with some of the layers.
        for layer in layers(rules.observation_len()).into_iter().skip(game as usize % 3).step_by(3) {
            let extent = Extent { steps: if layer.hidden() > 10 { 6 } else { 30 }, batch: 5 };
            let own = check(&layer, &Case::new(&layer, extent, &rules), &rules, &[]);
            ends.iter_mut().zip(own).for_each(|(sum, own)| *sum += own);
        }
        // The goals of the bandit and of all pairs are not reached by chance.
        let winnable = !matches!(game, Game::MultiarmedBandit | Game::Concentration);
        assert!(ends[1] > 2 && (ends[0] > 2 || !winnable), "{game:?}: {ends:?}");
    }
}

#[test]
fn a_rollout_with_an_encoder_is_a_plain_game_and_the_forward_pass_of_all_layers() {
    for game in [Game::Battleship, Game::Concentration] {
        let rules = rules(game);
        for layer in [AnyLayer::from(Layer::Plastic(Plastic::maze(12, 6))), Gated::new(GatedKind::Gru, 12, 6).into()] {
            let encoder = OwnEncoder::new(rules.observation_len(), layer.input());
            let case = Case::new(&layer, Extent { steps: 15, batch: 5 }, &rules);
            check(&layer, &case, &rules, &encoder.layers());
        }
    }
}

#[test]
fn no_bit_of_a_rollout_depends_on_an_order() {
    for (game, kind) in [(Game::MineSweeper, None), (Game::LabyrinthExplore, Some(GatedKind::Lstm))] {
        let rules = rules(game);
        let input = rules.observation_len();
        let layer = match kind {
            Some(kind) => Gated::new(kind, input, 19).into(),
            None => AnyLayer::from(Layer::Plastic(Plastic { layer_norm: true, ..Plastic::maze(input, 19) })),
        };
        let case = Case::new(&layer, Extent { steps: 9, batch: 5 }, &rules);
        check_orders(&layer, &case.rollout(&rules));
    }
}

#[test]
fn a_rollout_without_a_deal_says_so_and_what_does_not_fit_is_refused() {
    let rules = rules(Game::LabyrinthExplore);
    let layer = AnyLayer::from(Layer::Plastic(Plastic::maze(rules.observation_len(), 6)));
    let case = Case::new(&layer, Extent { steps: 15, batch: 3 }, &rules);
    let of = |games| Rollout { environments: Environments::Games(games), ..case.rollout(&rules) };
    let games = case.games(&rules);
    let one: Vec<i32> = (0..3).flat_map(|env| case.deal(&rules, env, 0)).copied().collect();
    let (got, _) = played(&layer, Machine::default(), &of(Games { dealt: &one, ..games }));
    assert!(got.actions.contains(&4), "an episode has ended without another deal");

    let wrong = |change: &dyn Fn(&mut GameRules)| {
        let mut rules = rules.clone();
        change(&mut rules);
        rules
    };
    let [endless, moves, side, inputs] = [
        wrong(&|rules| rules.limit = 0),
        wrong(&|rules| rules.choices = vec![5]),
        wrong(&|rules| rules.side = 4),
        wrong(&|rules| rules.shows_start = false),
    ];
    let nowhere = vec![GameState { place: None, ..case.states[0].clone() }; 3];
    let outside = vec![GameState { place: Some(9), ..case.states[0].clone() }; 3];
    let late = vec![GameState { step: 7, ..case.states[0].clone() }; 3];
    let mut entrance = case.dealt.clone();
    entrance[9] = -1;
    for wrong in [
        of(Games { rules: &endless, ..games }),
        of(Games { rules: &moves, ..games }),
        of(Games { rules: &side, ..games }),
        of(Games { rules: &inputs, ..games }),
        of(Games { states: &nowhere, ..games }),
        of(Games { states: &outside, ..games }),
        of(Games { states: &late, ..games }),
        of(Games { states: &case.states[1..], ..games }),
        of(Games { dealt: &case.dealt[1..], ..games }),
        of(Games { dealt: &[], ..games }),
        of(Games { dealt: &entrance, ..games }),
        of(Games { luck: &[1], ..games }),
    ] {
        let refused = std::panic::catch_unwind(|| shim::rollout(&layer, SHARED, Machine::default(), &wrong));
        assert!(refused.is_err(), "{wrong:?}");
    }
}
