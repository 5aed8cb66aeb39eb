//! Rollouts in mazes: what the kernel plays is what a plain maze and the layer's own forward pass give.
#![allow(clippy::unwrap_used, reason = "a failing unwrap fails the test")]

mod support;

use stpn_cuda::maze::{ACTIONS, MazeRollout, MazeRules, MazeState, OUTPUTS, Played};
use stpn_cuda::shim::{self, Inputs, Machine, MazeBackward, Order};
use stpn_cuda::{
    AnyLayer, Extent, Gated, GatedKind, Granularity, Layer, Modulated, Modulation, NormalizeState, Place, Plastic,
    Rule, Synapses,
};
use support::energy::measured;
use support::maze::{Case, DRAWS, observation, rules};
use support::{SHARED, distance, gated_plan, gated_there_and_back, plan, there_and_back};

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

fn played(layer: &AnyLayer, machine: Machine, rollout: &MazeRollout<'_, f64>) -> (Played<f64>, MazeBackward<f64>) {
    let (played, back, problems) = shim::maze_rollout(layer, SHARED, machine, rollout);
    assert_eq!(problems.count, 0, "{layer:?}: {}", problems.first);
    (played, back)
}

/// Activities, final state, and the gradient of the parameters from gradients that are all ones.
fn apart(layer: &AnyLayer, inputs: Inputs<'_, f64>) -> [Vec<f64>; 3] {
    let Extent { steps, batch } = inputs.extent;
    let (grad_hidden, grad_end) = (vec![1.0; steps * batch * layer.hidden()], vec![1.0; inputs.start.len()]);
    match layer {
        AnyLayer::Plastic(layer) => {
            let plan = plan::<f64>(layer, inputs.extent);
            let (there, back) = there_and_back(layer, &plan, Machine::default(), inputs, &grad_hidden, &grad_end);
            [there.hidden, there.end, back.parameters]
        }
        AnyLayer::Gated(layer) => {
            let plan = gated_plan::<f64>(layer, inputs.extent);
            let (there, back) = gated_there_and_back(layer, &plan, Machine::default(), inputs, &grad_hidden, &grad_end);
            [there.hidden, there.end, back.parameters]
        }
    }
}

/// Plays a case and holds everything against the plain maze and the layer's own forward pass; returns how often a goal
/// was reached.
fn check(layer: &AnyLayer, case: &Case<f64>, rules: &MazeRules) -> usize {
    let (rollout, input, size) = (case.rollout(rules), layer.input(), layer.hidden());
    let (got, back) = played(layer, Machine::default(), &rollout);
    let Extent { steps, batch } = case.extent;

    let (mut x, mut resets) = (vec![Vec::new(); steps * batch], vec![0; steps * batch]);
    let mut rewarded = 0;
    for env in 0..batch {
        let (mut maze, mut draws) = (case.mazes[env], &case.draws[env * DRAWS..(env + 1) * DRAWS]);
        let mut seen = case.x[env * input..(env + 1) * input].to_vec();
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
        assert_eq!(got.next[env * input..(env + 1) * input], seen);
    }

    let x = x.concat();
    let inputs =
        Inputs { extent: case.extent, parameters: &case.parameters, x: &x, resets: Some(&resets), start: &case.state };
    let [activities, last, gradient] = apart(layer, inputs);
    assert!(distance(&got.state, &last) < 1e-12, "{layer:?}");

    // What is kept for a backward pass.
    assert_eq!((&back.x, &back.starts, &got.observed), (&x, &resets, &x));
    assert!(distance(&back.hidden, &activities) < 1e-12);
    assert!(distance(&back.parameters, &gradient) < 1e-12);

    let (weights, biases) = case.heads.split_at(OUTPUTS * size);
    for (env, t) in (0..batch).flat_map(|env| (0..steps).map(move |t| (env, t))) {
        let hidden = &activities[(t * batch + env) * size..][..size];
        let rows = weights.chunks(size).zip(biases);
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
    let wanted = measured(layer, inputs, &rollout.energy.unwrap());
    assert!(distance(&got.energy, &wanted) < 1e-12, "energy");
    rewarded
}

#[test]
fn a_rollout_is_a_plain_maze_and_the_forward_pass_of_the_layer() {
    let rules = rules();
    let input = rules.observation_len();
    let maze = Plastic::maze(input, 6);
    let stpn = Plastic::stpn(input, 5);
    let plastic = [
        maze.clone(),
        stpn.clone(),
        Plastic { recurrent: false, normalize_state: NormalizeState::None, ..stpn.clone() },
        Plastic::hebbff(input, 7),
        Plastic { layer_norm: true, plastic_bias: true, synapses: Synapses::Input, ..stpn.clone() },
        Plastic { granularity: Granularity::Presynaptic, synapses: Synapses::Recurrent, ..stpn },
        // In shared memory.
        Plastic { hidden: 64, ..maze },
    ];
    let modulated = |modulation, rule| Layer::Modulated(Modulated { input, hidden: 6, modulation, rule });
    let modulated = [
        modulated(Modulation::Constant, Rule::Decay),
        modulated(Modulation::Network, Rule::SoftClamp),
        modulated(Modulation::Retroactive, Rule::HardClamp),
    ];
    let lstm = Gated::new(GatedKind::Lstm, input, 6);
    let gated = [
        lstm.clone(),
        Gated { split: true, layer_norm: true, ..lstm },
        Gated::new(GatedKind::Gru, input, 7),
        Gated::new(GatedKind::Rnn, input, 6),
        Gated { split: true, ..Gated::new(GatedKind::Rnn, input, 6) },
    ];
    let plastic = plastic.map(Layer::Plastic).into_iter().chain(modulated).map(AnyLayer::from);
    let mut rewarded = 0;
    for layer in plastic.chain(gated.map(AnyLayer::from)) {
        let extent = Extent { steps: if layer.hidden() > 10 { 6 } else { 15 }, batch: 5 };
        if let AnyLayer::Plastic(layer) = &layer
            && layer.hidden() == 64
        {
            assert_eq!(plan::<f64>(layer, extent).threads.place, Place::Shared);
        }
        rewarded += check(&layer, &Case::new(&layer, extent, &rules), &rules);
    }
    assert!(rewarded > 10, "goals were reached {rewarded} times");
}

#[test]
fn no_bit_of_a_rollout_depends_on_an_order() {
    let rules = rules();
    let input = rules.observation_len();
    let plastic = Layer::Plastic(Plastic { layer_norm: true, ..Plastic::maze(input, 19) });
    for layer in [AnyLayer::from(plastic), Gated::new(GatedKind::Lstm, input, 19).into()] {
        let case = Case::new(&layer, Extent { steps: 7, batch: 5 }, &rules);
        let rollout = case.rollout(&rules);
        let in_order = played(&layer, Machine::default(), &rollout);
        for order in [Order::Reversed, Order::Shuffled] {
            assert_eq!(played(&layer, Machine { order, ..Machine::default() }, &rollout), in_order, "{order:?}");
        }
        for site in [70, 71, 72] {
            let machine = Machine { without_barrier: Some(site), ..Machine::default() };
            let (.., problems) = shim::maze_rollout(&layer, SHARED, machine, &rollout);
            assert!(problems.count > 0, "without barrier {site} there is a race: {layer:?}");
        }
    }
}

#[test]
fn a_rollout_without_drawn_words_says_so_and_what_does_not_fit_is_refused() {
    let rules = rules();
    let layer = AnyLayer::from(Layer::Plastic(Plastic::maze(rules.observation_len(), 6)));
    let case = Case::new(&layer, Extent { steps: 23, batch: 3 }, &rules);
    let (got, _) = played(&layer, Machine::default(), &MazeRollout { draws: &case.draws[..3], ..case.rollout(&rules) });
    assert!(got.actions.contains(&(ACTIONS as u32)), "an episode has ended without a new goal");

    let other = MazeState { agent: 3, ..case.mazes[0] };
    let outside = [other, case.mazes[1], case.mazes[2]];
    let open = MazeRules { walls: vec![0; 49], ..rules.clone() };
    let (heads, nowhere) = (&case.heads[1..], MazeRules { size: 0, walls: Vec::new(), ..rules.clone() });
    let endless = MazeRules { episode_length: 0, ..rules.clone() };
    for wrong in [
        MazeRollout { mazes: &outside, ..case.rollout(&rules) },
        MazeRollout { rules: &open, ..case.rollout(&rules) },
        MazeRollout { heads, ..case.rollout(&rules) },
        MazeRollout { rules: &nowhere, ..case.rollout(&rules) },
        MazeRollout { rules: &endless, ..case.rollout(&rules) },
        MazeRollout { draws: &[], ..case.rollout(&rules) },
        MazeRollout { draws: &case.draws[1..], ..case.rollout(&rules) },
    ] {
        let refused = std::panic::catch_unwind(|| shim::maze_rollout(&layer, SHARED, Machine::default(), &wrong));
        assert!(refused.is_err(), "{wrong:?}");
    }
}
