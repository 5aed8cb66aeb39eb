//! Rollouts in mazes: what the kernel plays is what a plain maze and the layer's own forward pass give.
#![allow(clippy::unwrap_used, reason = "a failing unwrap fails the test")]

mod support;

use stpn_cuda::maze::{ACTIONS, MazeRollout, MazeRules, MazeState, OUTPUTS, Played};
use stpn_cuda::shim::{self, Inputs, Machine, MazeBackward, Order};
use stpn_cuda::{Extent, Granularity, Layer, NormalizeState, Place, Plastic, Synapses};
use support::maze::{Case, DRAWS, observation, rules};
use support::{distance, plan};

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

fn played(layer: &Plastic, machine: Machine, rollout: &MazeRollout<'_, f64>) -> (Played<f64>, MazeBackward<f64>) {
    let plan = plan::<f64>(&Layer::Plastic(layer.clone()), rollout.extent);
    let (played, back, problems) = shim::maze_rollout(layer, &plan, machine, rollout);
    assert_eq!(problems.count, 0, "{layer:?}: {}", problems.first);
    (played, back)
}

/// Energy of every unit by its equation: Σ |G| z², G divided by the norm of its row if products are.
fn energy(layer: &Plastic, parameters: &[f64], state: &[f64], x: &[f64], mask: &[f64]) -> Vec<f64> {
    let (first, plastic) = layer.plastic();
    let (activity, rest) = state.split_at(if layer.recurrent { layer.hidden } else { 0 });
    let z: Vec<f64> = x.iter().chain(activity).copied().collect();
    let unit = |row: usize| {
        let weights = &parameters[row * layer.width()..][..layer.width()];
        let g: Vec<f64> = (0..layer.width())
            .map(|column| {
                let fast = (first..first + plastic).contains(&column);
                weights[column] + if fast { rest[row * plastic + column - first] } else { 0.0 }
            })
            .collect();
        let norm = if layer.normalize_forward { g.iter().map(|g| g * g).sum::<f64>().sqrt() } else { 1.0 };
        let masked = |column: usize| z[column] * mask.get(column).copied().unwrap_or(1.0);
        (0..g.len()).map(|column| (g[column] / norm).abs() * masked(column).powi(2)).sum::<f64>()
    };
    (0..layer.hidden).map(unit).collect()
}

/// Plays a case and holds everything against the plain maze and the layer's own forward pass; returns how often a goal was
/// reached.
fn check(layer: &Plastic, case: &Case<f64>, rules: &MazeRules) -> usize {
    let (any, rollout) = (Layer::Plastic(layer.clone()), case.rollout(rules));
    let (got, back) = played(layer, Machine::default(), &rollout);
    let Extent { steps, batch } = case.extent;

    let (mut x, mut resets) = (vec![Vec::new(); steps * batch], vec![0; steps * batch]);
    let mut rewarded = 0;
    for env in 0..batch {
        let (mut maze, mut draws) = (case.mazes[env], &case.draws[env * DRAWS..(env + 1) * DRAWS]);
        let mut seen = case.x[env * layer.input..(env + 1) * layer.input].to_vec();
        let mut start = case.starts[env] == 1;
        for t in 0..steps {
            x[t * batch + env] = seen;
            resets[t * batch + env] = u8::from(start);
            let action = got.actions[env * steps + t] as usize;
            let (reward, next, ended) = moved(rules, &mut maze, &mut draws, action);
            assert_eq!(got.rewards[env * steps + t], reward, "environment {env}, step {t}");
            rewarded += usize::from(reward > 0.0);
            (seen, start) = (next, ended);
        }
        assert_eq!(got.next[env * layer.input..(env + 1) * layer.input], seen);
    }

    let x = x.concat();
    let inputs =
        Inputs { extent: case.extent, parameters: &case.parameters, x: &x, resets: Some(&resets), start: &case.state };
    let whole = |steps: usize| {
        let extent = Extent { steps, batch };
        let (x, resets) = (&x[..steps * batch * layer.input], Some(&resets[..steps * batch]));
        shim::forward(&any, &plan::<f64>(&any, extent), Machine::default(), Inputs { extent, x, resets, ..inputs })
    };
    let forward = whole(steps);
    assert!(distance(&got.state, &forward.end) < 1e-12);

    // What is kept for a backward pass.
    assert_eq!((&back.x, &back.starts), (&x, &resets));
    assert!(distance(&back.hidden, &forward.hidden) < 1e-12);
    let (grad_hidden, grad_end) = (vec![1.0; forward.hidden.len()], vec![1.0; forward.end.len()]);
    let plan = plan::<f64>(&any, case.extent);
    let apart = shim::backward(&any, &plan, Machine::default(), inputs, &forward, &grad_hidden, &grad_end);
    assert!(distance(&back.parameters, &apart.parameters) < 1e-12);

    let (weights, biases) = case.heads.split_at(OUTPUTS * layer.hidden);
    for (env, t) in (0..batch).flat_map(|env| (0..steps).map(move |t| (env, t))) {
        let hidden = &forward.hidden[(t * batch + env) * layer.hidden..][..layer.hidden];
        let rows = weights.chunks(layer.hidden).zip(biases);
        let outputs: Vec<f64> =
            rows.map(|(row, bias)| bias + row.iter().zip(hidden).map(|(w, h)| w * h).sum::<f64>()).collect();
        let at = env * steps + t;
        assert!(distance(&got.outputs[at * OUTPUTS..(at + 1) * OUTPUTS], &outputs) < 1e-12);
        let total: f64 = outputs[..ACTIONS].iter().map(|logit| logit.exp()).sum();
        let action = got.actions[at] as usize;
        assert!((got.log_probs[at] - (outputs[action].exp() / total).ln()).abs() < 1e-12);
        let below = |actions: usize| outputs[..actions].iter().map(|logit| logit.exp()).sum::<f64>() / total;
        assert!((below(action)..=below(action + 1)).contains(&case.uniform[at]), "the choice of environment {env}");
    }
    let (mut wanted, width) = (Vec::new(), any.state_len());
    for t in (1..steps).step_by(4) {
        let before = whole(t).end;
        for env in 0..2 {
            let (mut state, at) = (before[env * width..(env + 1) * width].to_vec(), t * batch + env);
            if resets[at] == 1 {
                state.fill(0.0);
            }
            let x = &x[at * layer.input..(at + 1) * layer.input];
            wanted.extend(energy(layer, &case.parameters, &state, x, &case.mask));
        }
    }
    assert!(distance(&got.energy, &wanted) < 1e-12, "energy");
    rewarded
}

#[test]
fn a_rollout_is_a_plain_maze_and_the_forward_pass_of_the_layer() {
    let rules = rules();
    let input = rules.observation_len();
    let maze = Plastic::maze(input, 6);
    let stpn = Plastic::stpn(input, 5);
    let layers = [
        maze.clone(),
        stpn.clone(),
        Plastic { recurrent: false, normalize_state: NormalizeState::None, ..stpn.clone() },
        Plastic::hebbff(input, 7),
        Plastic { layer_norm: true, plastic_bias: true, synapses: Synapses::Input, ..stpn.clone() },
        Plastic { granularity: Granularity::Presynaptic, synapses: Synapses::Recurrent, ..stpn },
        // In shared memory.
        Plastic { hidden: 64, ..maze },
    ];
    let mut rewarded = 0;
    for layer in layers {
        let any = Layer::Plastic(layer.clone());
        let extent = Extent { steps: if layer.hidden > 10 { 12 } else { 23 }, batch: 3 };
        if layer.hidden == 64 {
            assert_eq!(plan::<f64>(&any, extent).threads.place, Place::Shared);
        }
        rewarded += check(&layer, &Case::new(&any, extent, &rules), &rules);
    }
    assert!(rewarded > 5, "goals were reached {rewarded} times");
}

#[test]
fn no_bit_of_a_rollout_depends_on_an_order() {
    let rules = rules();
    let layer = Plastic { layer_norm: true, ..Plastic::maze(rules.observation_len(), 19) };
    let any = Layer::Plastic(layer.clone());
    let case = Case::new(&any, Extent { steps: 11, batch: 4 }, &rules);
    let rollout = case.rollout(&rules);
    let in_order = played(&layer, Machine::default(), &rollout);
    for order in [Order::Reversed, Order::Shuffled] {
        assert_eq!(played(&layer, Machine { order, ..Machine::default() }, &rollout), in_order, "{order:?}");
    }
    let plan = plan::<f64>(&any, rollout.extent);
    for site in [70, 71, 72] {
        let machine = Machine { without_barrier: Some(site), ..Machine::default() };
        let (.., problems) = shim::maze_rollout(&layer, &plan, machine, &rollout);
        assert!(problems.count > 0, "without barrier {site} there is a race");
    }
}

#[test]
fn a_rollout_without_drawn_words_says_so_and_what_does_not_fit_is_refused() {
    let rules = rules();
    let layer = Plastic::maze(rules.observation_len(), 6);
    let any = Layer::Plastic(layer.clone());
    let case = Case::new(&any, Extent { steps: 23, batch: 3 }, &rules);
    let (got, _) = played(&layer, Machine::default(), &MazeRollout { draws: &[], ..case.rollout(&rules) });
    assert!(got.actions.contains(&(ACTIONS as u32)), "an episode has ended without a new goal");

    let other = MazeState { agent: 3, ..case.mazes[0] };
    let outside = [other, case.mazes[1], case.mazes[2]];
    let open = MazeRules { walls: vec![0; 49], ..rules.clone() };
    let heads = &case.heads[1..];
    for wrong in [
        MazeRollout { mazes: &outside, ..case.rollout(&rules) },
        MazeRollout { rules: &open, ..case.rollout(&rules) },
        MazeRollout { heads, ..case.rollout(&rules) },
        MazeRollout { draws: &case.draws[1..], ..case.rollout(&rules) },
    ] {
        let plan = plan::<f64>(&any, wrong.extent);
        let refused = std::panic::catch_unwind(|| shim::maze_rollout(&layer, &plan, Machine::default(), &wrong));
        assert!(refused.is_err(), "{wrong:?}");
    }
}
