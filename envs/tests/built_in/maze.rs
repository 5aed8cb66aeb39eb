//! Properties of the maze, and its oracle against a simulated walker.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use stpn_envs::maze::{Maze, MazeConfig, Position};
use stpn_envs::{Action, Env, ObservationMut, Step};
use stpn_random::{Purpose, Stream};

/// A maze with its latest observation.
struct Walk {
    maze: Maze,
    seen: Vec<f32>,
}

impl Walk {
    fn new(config: MazeConfig, seed: u64) -> Self {
        let mut walk = Self { seen: vec![f32::NAN; config.observation_len()], maze: Maze::new(config).unwrap() };
        walk.reset(Some(seed));
        walk
    }

    fn reset(&mut self, seed: Option<u64>) {
        self.maze.reset(seed, ObservationMut::F32(&mut self.seen)).unwrap();
    }

    fn step(&mut self, action: usize) -> Step {
        self.maze.step(Action::Discrete(action), ObservationMut::F32(&mut self.seen)).unwrap()
    }

    /// The first action that leads nearer to the goal; any open way where the agent stands on it.
    fn shortest(&self, from_goal: &[u32]) -> usize {
        let grid = self.maze.grid();
        let distance = |cell| grid.free().iter().position(|&free| free == cell).map(|at| from_goal[at]);
        let here = distance(self.maze.agent()).unwrap();
        (0..4)
            .find(|&action| {
                let next = distance(self.maze.agent().neighbour(action));
                next.is_some_and(|next| next < here || here == 0)
            })
            .unwrap()
    }
}

fn small() -> MazeConfig {
    MazeConfig { size: 9, episode_length: 50, ..MazeConfig::default() }
}

fn config() -> impl Strategy<Value = MazeConfig> {
    (2usize..9, 1u32..60, 0.5f64..20.0, 0.0f64..2.0, 1usize..4).prop_map(
        |(half, episode_length, reward, wall_penalty, view_radius)| MazeConfig {
            size: 2 * half + 1,
            episode_length,
            reward,
            wall_penalty,
            view_radius,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn every_step_obeys_the_rules(config in config(), seed: u64) {
        let mut actions = Stream::new(seed, Purpose::Test, 0);
        let mut walk = Walk::new(config.clone(), seed);
        for _ in 0..3 {
            prop_assert_eq!(walk.maze.agent(), walk.maze.grid().centre());
            let goal = walk.maze.goal();
            let mut length = 0;
            loop {
                let action = actions.below(4);
                let next = walk.maze.agent().neighbour(action);
                let before = walk.maze.agent();
                let step = walk.step(action);
                length += 1;
                let agent = walk.maze.agent();
                prop_assert!(!walk.maze.grid().is_wall(agent), "in a wall");
                prop_assert_eq!(walk.maze.goal(), goal, "the goal moved within an episode");
                if walk.maze.grid().is_wall(next) {
                    prop_assert_eq!((agent, step.reward), (before, -config.wall_penalty));
                } else if next == goal {
                    prop_assert_eq!(step.reward, config.reward);
                    prop_assert_ne!(agent, goal, "not moved off the goal");
                } else {
                    prop_assert_eq!((agent, step.reward), (next, 0.0));
                }
                prop_assert!(!step.truncated);
                if step.terminated {
                    break;
                }
            }
            prop_assert_eq!(length, config.episode_length);
            walk.reset(None);
        }
    }

    #[test]
    fn the_observation_is_laid_out_as_documented(config in config(), seed: u64) {
        let mut actions = Stream::new(seed, Purpose::Test, 1);
        let (radius, side) = (config.view_radius, config.view_side());
        let mut walk = Walk::new(config.clone(), seed);
        let (mut last_action, mut last_reward) = (0, 0.0);
        for steps in 0..=config.episode_length {
            let Position { row, column } = walk.maze.agent();
            for (at, &value) in walk.seen[..side * side].iter().enumerate() {
                let (row, column) = (row + at / side, column + at % side);
                let wall = row < radius || column < radius
                    || walk.maze.grid().is_wall(Position { row: row - radius, column: column - radius });
                prop_assert_eq!(value, f32::from(u8::from(wall)));
            }
            let mut rest = vec![0.0, 1.0, steps as f32 / config.episode_length as f32, last_reward as f32];
            rest.extend((0..4).map(|action| f32::from(u8::from(action == last_action))));
            prop_assert_eq!(&walk.seen[side * side..], &rest[..]);
            prop_assert_eq!(config.reward_index(), side * side + 3);
            if steps < config.episode_length {
                last_action = actions.below(4);
                last_reward = walk.step(last_action).reward;
            }
        }
    }

    #[test]
    fn same_seed_same_episode(config in config(), seed: u64) {
        let play = || {
            let mut actions = Stream::new(seed, Purpose::Test, 2);
            let mut walk = Walk::new(config.clone(), seed);
            let mut trace = vec![walk.seen.clone()];
            for _ in 0..2 {
                for _ in 0..config.episode_length {
                    walk.step(actions.below(4));
                    trace.push(walk.seen.clone());
                }
                walk.reset(None);
            }
            (trace, walk.maze.goal())
        };
        prop_assert_eq!(play(), play());
    }
}

/// Σ (observed − expected)² / expected for a uniform distribution.
fn chi_square(counts: &[u32]) -> f64 {
    let expected = f64::from(counts.iter().sum::<u32>()) / counts.len() as f64;
    counts.iter().map(|&count| (f64::from(count) - expected).powi(2) / expected).sum()
}

#[test]
fn goals_are_uniform_over_the_free_cells() {
    let mut walk = Walk::new(small(), 1);
    let free = walk.maze.grid().free().to_vec();
    let mut counts = vec![0; free.len()];
    for _ in 0..41_000 {
        walk.reset(None);
        counts[free.iter().position(|&cell| cell == walk.maze.goal()).unwrap()] += 1;
    }
    let statistic = chi_square(&counts);
    assert!(statistic < 73.4, "chi-square {statistic} above the 0.999 quantile of 40 degrees of freedom");
}

#[test]
fn relocation_is_uniform_over_the_free_cells_other_than_the_goal() {
    // One long episode, so one goal.
    let mut walk = Walk::new(MazeConfig { episode_length: 400_000, ..small() }, 5);
    let free = walk.maze.grid().free().to_vec();
    let from_goal = walk.maze.grid().distances(walk.maze.goal());
    let mut counts = vec![0; free.len()];
    loop {
        let step = walk.step(walk.shortest(&from_goal));
        if step.reward > 0.0 {
            counts[free.iter().position(|&cell| cell == walk.maze.agent()).unwrap()] += 1;
        }
        if step.terminated {
            break;
        }
    }
    let goal = free.iter().position(|&cell| cell == walk.maze.goal()).unwrap();
    assert_eq!(counts.remove(goal), 0);
    assert!(counts.iter().sum::<u32>() > 40_000);
    let statistic = chi_square(&counts);
    assert!(statistic < 72.1, "chi-square {statistic} above the 0.999 quantile of 39 degrees of freedom");
}

#[test]
fn the_oracle_is_what_a_shortest_path_walker_gets() {
    for (config, episodes) in [
        (MazeConfig { episode_length: 60, ..MazeConfig::default() }, 4_000),
        (MazeConfig { size: 5, episode_length: 7, reward: 1.0, ..MazeConfig::default() }, 20_000),
    ] {
        let mut walk = Walk::new(config.clone(), 11);
        let mut returns = Vec::with_capacity(episodes);
        for _ in 0..episodes {
            let from_goal = walk.maze.grid().distances(walk.maze.goal());
            returns.push((0..config.episode_length).map(|_| walk.step(walk.shortest(&from_goal)).reward).sum::<f64>());
            walk.reset(None);
        }
        let n = episodes as f64;
        let mean = returns.iter().sum::<f64>() / n;
        let error = (returns.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / n / n).sqrt();
        let oracle = walk.maze.oracle_return().unwrap();
        assert!((mean - oracle).abs() < 4.0 * error, "walker {mean} ± {error}, oracle {oracle}");
    }
}

#[test]
fn starting_on_the_goal_gives_nothing_until_the_agent_comes_back() {
    let mut walk = Walk::new(small(), 0);
    while walk.maze.goal() != walk.maze.grid().centre() {
        walk.reset(None);
    }
    assert_eq!(walk.seen[small().reward_index()], 0.0);
    assert_eq!(walk.step(0).reward, 0.0);
    assert_eq!(walk.step(1).reward, 10.0);
}

#[test]
fn a_step_needs_a_running_episode() {
    let mut maze = Maze::new(small()).unwrap();
    let mut seen = vec![0.0; 17];
    let needs_reset = "maze: no episode is running; reset comes first";
    let step = |maze: &mut Maze, seen: &mut [f32]| maze.step(Action::Discrete(0), ObservationMut::F32(seen));
    assert_eq!(step(&mut maze, &mut seen).unwrap_err().to_string(), needs_reset);
    maze.reset(Some(0), ObservationMut::F32(&mut seen)).unwrap();
    while !step(&mut maze, &mut seen).unwrap().done() {}
    assert_eq!(step(&mut maze, &mut seen).unwrap_err().to_string(), needs_reset);
}

#[test]
fn impossible_settings_are_refused_by_name() {
    let refused = |config: MazeConfig| Maze::new(config).unwrap_err().to_string();
    let default = MazeConfig::default;
    assert_eq!(refused(MazeConfig { size: 12, ..default() }), "env.size = 12: an odd number from 5 to 99");
    assert_eq!(refused(MazeConfig { size: 3, ..default() }), "env.size = 3: an odd number from 5 to 99");
    assert_eq!(refused(MazeConfig { episode_length: 0, ..default() }), "env.episode_length = 0: at least 1");
    for reward in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
        assert!(refused(MazeConfig { reward, ..default() }).starts_with("env.reward = "));
    }
    for wall_penalty in [-0.1, f64::NAN, f64::INFINITY] {
        assert!(refused(MazeConfig { wall_penalty, ..default() }).starts_with("env.wall_penalty = "));
    }
    assert_eq!(refused(MazeConfig { view_radius: 0, ..default() }), "env.view_radius = 0: 1 to 12, one less than size");
    assert!(refused(MazeConfig { view_radius: 13, ..default() }).starts_with("env.view_radius = 13"));
}

#[test]
fn a_state_of_other_settings_is_refused() {
    let mut bytes = Vec::new();
    let mut outside = Walk::new(MazeConfig::default(), 3);
    for _ in 0..5 {
        outside.step(3);
    }
    outside.maze.save_state(&mut bytes).unwrap();
    let error = Maze::new(MazeConfig { size: 5, ..MazeConfig::default() }).unwrap().restore_state(&bytes).unwrap_err();
    assert_eq!(error.to_string(), "saved state of `maze` refused: it is of a maze with other settings");
}

#[test]
fn the_terminal_view_shows_agent_and_goal() {
    let mut walk = Walk::new(MazeConfig { size: 5, ..MazeConfig::default() }, 0);
    while walk.maze.goal() != (Position { row: 1, column: 3 }) {
        walk.reset(None);
    }
    assert_eq!(walk.maze.render().unwrap(), "██████████\n██    $$██\n██  @@  ██\n██      ██\n██████████\n");
}
