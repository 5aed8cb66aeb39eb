//! Rollouts in mazes: what the kernel plays is what a plain maze and the layer's own forward pass give.
#![allow(clippy::unwrap_used, reason = "a failing unwrap fails the test")]

mod support;

use stpn_cuda::maze::{ACTIONS, MazeRules, MazeState, Mazes};
use stpn_cuda::rollout::{EncoderLayer, Environments, Rollout};
use stpn_cuda::shim::{self, Machine};
use stpn_cuda::{AnyLayer, Extent, Gated, GatedKind, Layer, Place, Plastic};
use support::encoder::OwnEncoder;
use support::maze::{Case, DRAWS, observation, rules};
use support::rollout::{check_orders, compare, layers, played};
use support::{SHARED, plan};

/// A plain maze's step: reward, what is seen next, and whether that begins an episode.
fn moved(rules: &MazeRules, maze: &mut MazeState, draws: &mut &[u64], action: usize) -> (f64, Vec<f64>, bool) {
    let mut below = |bound: usize| {
        let (word, rest) = draws.split_first().unwrap();
        *draws = rest;
        ((u128::from(*word) * bound as u128) >> 64) as usize
    };
    let free = &rules.free_cells;
    let next = [maze.agent - 7, maze.agent + 7, maze.agent - 1, maze.agent + 1][action];
    let mut reward = 0.0;
    if rules.walls[next] == 1 {
        reward -= rules.wall_penalty;
    } else {
        maze.agent = next;
    }
    if maze.agent == free[maze.goal] as usize {
        reward += rules.reward;
        let others: Vec<i32> = free.iter().copied().filter(|cell| *cell != free[maze.goal]).collect();
        maze.agent = others[below(others.len())] as usize;
    }
    maze.step += 1;
    let ended = maze.step == rules.episode_length;
    if ended {
        *maze = MazeState { agent: 24, goal: below(free.len()), step: 0 };
    }
    let (shown_reward, shown_action) = if ended { (0.0, 0) } else { (reward, action) };
    (reward, observation(rules, maze, shown_reward, shown_action), ended)
}

/// Plays a case, perhaps with an encoder, and holds everything against the plain maze and the layer's own forward pass;
/// returns how often a goal was reached.
fn check(layer: &AnyLayer, case: &Case<f64>, rules: &MazeRules, encoder: &[EncoderLayer<'_, [f64]>]) -> usize {
    let (rollout, input) = (Rollout { encoder, ..case.rollout(rules) }, rules.observation_len());
    let (got, back) = played(layer, Machine::default(), &rollout);
    let Extent { steps, batch } = case.given.extent;

    let (mut x, mut resets) = (vec![Vec::new(); steps * batch], vec![0; steps * batch]);
    let mut rewarded = 0;
    for env in 0..batch {
        let (mut maze, mut draws) = (case.states[env], &case.draws[env * DRAWS..(env + 1) * DRAWS]);
        let mut seen = case.given.x[env * input..(env + 1) * input].to_vec();
        let mut start = case.given.starts[env] == 1;
        for t in 0..steps {
            x[t * batch + env] = seen;
            resets[t * batch + env] = u8::from(start);
            let action = got.actions[env * steps + t] as usize;
            let (reward, next, ended) = moved(rules, &mut maze, &mut draws, action);
            assert_eq!(got.rewards[env * steps + t], reward, "environment {env}, step {t}");
            rewarded += usize::from(reward > 0.0);
            (seen, start) = (next, ended);
        }
        assert_eq!(got.next[env * input..(env + 1) * input], seen);
    }

    compare(layer, &rollout, (&got, back.as_ref()), (&x.concat(), &resets));
    rewarded
}

#[test]
fn a_rollout_is_a_plain_maze_and_the_forward_pass_of_the_layer() {
    let rules = rules();
    let mut rewarded = 0;
    for layer in layers(rules.observation_len()) {
        let extent = Extent { steps: if layer.hidden() > 10 { 6 } else { 15 }, batch: 5 };
        if let AnyLayer::Plastic(layer) = &layer
            && layer.hidden() == 64
        {
            assert_eq!(plan::<f64>(layer, extent).threads.place, Place::Shared);
        }
        rewarded += check(&layer, &Case::new(&layer, extent, &rules), &rules, &[]);
    }
    assert!(rewarded > 10, "goals were reached {rewarded} times");
}

#[test]
fn a_rollout_with_an_encoder_is_a_plain_maze_and_the_forward_pass_of_all_layers() {
    let rules = rules();
    let plastic = Layer::Plastic(Plastic::maze(12, 6));
    for layer in [AnyLayer::from(plastic), Gated::new(GatedKind::Gru, 12, 6).into()] {
        let encoder = OwnEncoder::new(rules.observation_len(), layer.input());
        let case = Case::new(&layer, Extent { steps: 15, batch: 5 }, &rules);
        check(&layer, &case, &rules, &encoder.layers());
    }
}

#[test]
fn no_bit_of_a_rollout_depends_on_an_order() {
    let rules = rules();
    let input = rules.observation_len();
    let plastic = Layer::Plastic(Plastic { layer_norm: true, ..Plastic::maze(input, 19) });
    for layer in [AnyLayer::from(plastic), Gated::new(GatedKind::Lstm, input, 19).into()] {
        let case = Case::new(&layer, Extent { steps: 7, batch: 5 }, &rules);
        check_orders(&layer, &case.rollout(&rules));
    }
}

#[test]
fn a_rollout_without_drawn_words_says_so_and_what_does_not_fit_is_refused() {
    let rules = rules();
    let layer = AnyLayer::from(Layer::Plastic(Plastic::maze(rules.observation_len(), 6)));
    let case = Case::new(&layer, Extent { steps: 23, batch: 3 }, &rules);
    let of = |mazes| Rollout { environments: Environments::Mazes(mazes), ..case.rollout(&rules) };
    let mazes = case.mazes(&rules);
    let (got, _) = played(&layer, Machine::default(), &of(Mazes { draws: &case.draws[..3], ..mazes }));
    assert!(got.actions.contains(&(ACTIONS as u32)), "an episode has ended without a new goal");

    let other = MazeState { agent: 3, ..case.states[0] };
    let outside = [other, case.states[1], case.states[2]];
    let open = MazeRules { walls: vec![0; 49], ..rules.clone() };
    let (heads, nowhere) = (&case.given.heads[1..], MazeRules { size: 0, walls: Vec::new(), ..rules.clone() });
    let endless = MazeRules { episode_length: 0, ..rules.clone() };
    for wrong in [
        of(Mazes { states: &outside, ..mazes }),
        of(Mazes { rules: &open, ..mazes }),
        Rollout { heads, ..case.rollout(&rules) },
        of(Mazes { rules: &nowhere, ..mazes }),
        of(Mazes { rules: &endless, ..mazes }),
        of(Mazes { draws: &[], ..mazes }),
        of(Mazes { draws: &case.draws[1..], ..mazes }),
    ] {
        let refused = std::panic::catch_unwind(|| shim::rollout(&layer, SHARED, Machine::default(), &wrong));
        assert!(refused.is_err(), "{wrong:?}");
    }
}
