//! The tasks of POPGym: equal to the Python package's step for step, and sound as environments.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod recording;

use allocation_counter::measure;
use recording::{Recorded, recording};
use serde::de::DeserializeOwned;
use stpn_envs::check_env::check_env;
use stpn_envs::popgym::{
    Autoencode, Battleship, Concentration, CountRecall, Game, HigherLower, LabyrinthEscape, LabyrinthExplore, Level,
    MineSweeper, MultiarmedBandit, Play, PopgymConfig, RepeatFirst, RepeatPrevious, Task, noisy_position_only_cartpole,
    noisy_position_only_pendulum, position_only_cartpole, position_only_pendulum, velocity_only_cartpole,
};
use stpn_envs::wrappers::{Antialias, PreviousAction};
use stpn_envs::{Action, Env, EnvConfig, ObservationMut, Space, Step};
use stpn_random::Stream;

/// What numbers of classic control may differ by, whose sines and cosines are not the same everywhere.
const ROUNDING: f64 = 1e-6;

/// What the network is fed with: choices one-hot.
fn features(space: &Space, observation: &[f32]) -> Vec<f32> {
    let feature = |(at, &value): (usize, &f32)| match space.choices(at) {
        Some(count) => (0..count).map(|choice| f32::from(u8::from(choice as f32 == value))).collect(),
        None => vec![value],
    };
    observation.iter().enumerate().flat_map(feature).collect()
}

fn near(left: f64, right: f64, exact: bool) -> bool {
    if exact { left.to_bits() == right.to_bits() } else { (left - right).abs() < ROUNDING }
}

/// Plays recorded episodes with the chance of the recording: every observation, reward and end is the recorded one, to
/// the bit if observations are whole numbers.
fn follow<G>(task: Task, game: impl Fn(Level) -> G)
where
    G: Game + 'static,
    G::Luck: Default + DeserializeOwned,
{
    let recording = recording(task);
    for level in Level::ALL {
        assert!(recording.episodes.iter().any(|episode| episode.level == level), "{task:?} {level:?}");
    }
    for (number, episode) in recording.episodes.iter().enumerate() {
        let mut env = Play::new(game(episode.level));
        let (width, action_space) = (env.observation_space().len(), env.action_space().clone());
        let exact = !matches!(env.observation_space(), Space::Box { .. });
        let (observations, rewards) = (episode.observations(width), episode.rewards());
        assert_eq!(observations.len(), rewards.len() + 1);
        let what = format!("{} {}, episode {number}", task.name(), episode.level.name());
        let same = |seen: &[f32], moment: usize| {
            let expected = &observations[moment];
            let close = seen.iter().zip(expected).all(|(&seen, &other)| near(seen.into(), other.into(), exact));
            assert!(close, "{what}, moment {moment}: {seen:?} for {expected:?}");
        };
        let mut seen = vec![0.0; width];
        env.start_with(episode.deal(), episode.luck(0), ObservationMut::F32(&mut seen)).unwrap();
        same(&seen, 0);
        let (mut taken, mut last) = (0, Step::default());
        episode.each_action(&action_space, |action| {
            assert!(!last.done(), "{what}: over after {taken} steps");
            last = env.step_with(action, episode.luck(taken + 1), ObservationMut::F32(&mut seen)).unwrap();
            assert!(near(last.reward, rewards[taken], exact), "{what}, step {taken}: {}", last.reward);
            taken += 1;
            same(&seen, taken);
        });
        assert_eq!(taken, rewards.len(), "{what}");
        assert_eq!((last.terminated, last.truncated), (episode.terminated, episode.truncated), "{what}");
        shows_what_the_published_wrappers_do(&what, Play::new(game(episode.level)), episode);
    }
}

/// What `Antialias(PreviousAction(env))` shows of the first two moments, flattened, is what the network is fed with.
fn shows_what_the_published_wrappers_do<G>(what: &str, env: Play<G>, episode: &Recorded)
where
    G: Game + 'static,
{
    let Some(expected) = &episode.interface else { return };
    let (width, action_space) = (env.observation_space().len(), env.action_space().clone());
    // Stands still, so that the wrappers are seen by themselves.
    let still = Still { env, observations: episode.observations(width), moment: 0 };
    let mut env = Antialias::new(PreviousAction::new(still).unwrap()).unwrap();
    let space = env.observation_space().clone();
    let mut seen = vec![0.0; space.len()];
    env.reset(None, ObservationMut::F32(&mut seen)).unwrap();
    assert_eq!(features(&space, &seen), expected[0], "{what}");
    let mut first = true;
    episode.each_action(&action_space, |action| {
        if std::mem::take(&mut first) {
            env.step(action, ObservationMut::F32(&mut seen)).unwrap();
            let mut expected = expected[1].clone();
            if let Space::Box { low, high, .. } = &action_space {
                // Torques beyond the bounds are shown clipped here.
                let at = width..width + low.len();
                expected[at]
                    .iter_mut()
                    .zip(low.iter().zip(high))
                    .for_each(|(x, (&low, &high))| *x = x.clamp(low, high));
            }
            assert_eq!(features(&space, &seen), expected, "{what}");
        }
    });
}

/// Shows recorded observations.
struct Still<E> {
    env: E,
    observations: Vec<Vec<f32>>,
    moment: usize,
}

impl<E: Env> Env for Still<E> {
    fn name(&self) -> &str {
        self.env.name()
    }
    fn observation_space(&self) -> &Space {
        self.env.observation_space()
    }
    fn action_space(&self) -> &Space {
        self.env.action_space()
    }
    fn reset(&mut self, _: Option<u64>, observation: ObservationMut<'_>) -> stpn_envs::Result<()> {
        observation.f32(self.observations[0].len())?.copy_from_slice(&self.observations[0]);
        Ok(())
    }
    fn step(&mut self, _: Action<'_>, observation: ObservationMut<'_>) -> stpn_envs::Result<Step> {
        self.moment += 1;
        observation.f32(self.observations[0].len())?.copy_from_slice(&self.observations[self.moment]);
        Ok(Step::default())
    }
    fn save_state(&self, bytes: &mut Vec<u8>) -> stpn_envs::Result<()> {
        self.env.save_state(bytes)
    }
    fn restore_state(&mut self, bytes: &[u8]) -> stpn_envs::Result<()> {
        self.env.restore_state(bytes)
    }
}

#[test]
fn every_task_is_the_packages_step_for_step() {
    for task in Task::ALL {
        match task {
            Task::Autoencode => follow(task, Autoencode::new),
            Task::RepeatFirst => follow(task, RepeatFirst::new),
            Task::RepeatPrevious => follow(task, RepeatPrevious::new),
            Task::CountRecall => follow(task, CountRecall::new),
            Task::PositionOnlyCartpole => follow(task, position_only_cartpole),
            Task::VelocityOnlyCartpole => follow(task, velocity_only_cartpole),
            Task::PositionOnlyPendulum => follow(task, position_only_pendulum),
            Task::NoisyPositionOnlyCartpole => follow(task, noisy_position_only_cartpole),
            Task::NoisyPositionOnlyPendulum => follow(task, noisy_position_only_pendulum),
            Task::MultiarmedBandit => follow(task, MultiarmedBandit::new),
            Task::HigherLower => follow(task, HigherLower::new),
            Task::Battleship => follow(task, Battleship::new),
            Task::Concentration => follow(task, Concentration::new),
            Task::MineSweeper => follow(task, MineSweeper::new),
            Task::LabyrinthEscape => follow(task, LabyrinthEscape::new),
            Task::LabyrinthExplore => follow(task, LabyrinthExplore::new),
            other => panic!("{other:?} has no recording"),
        }
    }
}

/// Every task at every level, as it is and with the published interface.
fn configs() -> impl Iterator<Item = EnvConfig> {
    let of = |task| {
        Level::ALL.into_iter().flat_map(move |level| {
            [PopgymConfig { task, level, ..PopgymConfig::default() }, PopgymConfig::published(task, level)]
        })
    };
    Task::ALL.into_iter().flat_map(of).map(EnvConfig::Popgym)
}

#[test]
fn every_task_and_level_keeps_the_rules() {
    for config in configs() {
        let report = check_env(|| config.make()).unwrap();
        assert!(report.passed(), "{config:?}: {report}");
    }
}

#[test]
fn steps_and_resets_allocate_nothing() {
    for config in configs() {
        let mut env = config.make().unwrap();
        let mut stream = Stream::from_seed(1);
        let actions: Vec<_> = (0..50).map(|_| env.action_space().sample(&mut stream)).collect();
        let mut seen = vec![0.0; env.observation_space().len()];
        env.reset(Some(1), ObservationMut::F32(&mut seen)).unwrap();
        let allocations = measure(|| {
            for at in 0..3_000 {
                let step = env.step(actions[at % 50].get(), ObservationMut::F32(&mut seen)).unwrap();
                if step.done() {
                    env.reset(None, ObservationMut::F32(&mut seen)).unwrap();
                }
            }
        });
        assert_eq!(allocations.count_total, 0, "{config:?}");
    }
}

#[test]
fn returns_lie_within_their_bounds() {
    for config in configs() {
        let (bounds, mut env) = (config.return_bounds(), config.make().unwrap());
        let mut seen = vec![0.0; env.observation_space().len()];
        for seed in 0..5 {
            let mut stream = Stream::from_seed(seed);
            env.reset(Some(seed), ObservationMut::F32(&mut seen)).unwrap();
            let mut total = 0.0;
            loop {
                let action = env.action_space().sample(&mut stream);
                let step = env.step(action.get(), ObservationMut::F32(&mut seen)).unwrap();
                total += step.reward;
                if step.done() {
                    break;
                }
            }
            assert!(bounds.contains(&total), "{config:?}: {total}");
        }
    }
}

#[test]
fn a_state_of_another_task_or_level_is_refused() {
    let saved: Vec<Vec<u8>> = configs()
        .map(|config| {
            let mut env = config.make().unwrap();
            let mut seen = vec![0.0; env.observation_space().len()];
            env.reset(Some(1), ObservationMut::F32(&mut seen)).unwrap();
            let mut bytes = Vec::new();
            env.save_state(&mut bytes).unwrap();
            bytes
        })
        .collect();
    let of =
        |task: Task, level: Level| 6 * Task::ALL.iter().position(|&other| other == task).unwrap() + 2 * level as usize;
    let restores = |from: (Task, Level), to: (Task, Level)| {
        let mut env = PopgymConfig { task: to.0, level: to.1, ..PopgymConfig::default() }.make().unwrap();
        env.restore_state(&saved[of(from.0, from.1)]).is_ok()
    };
    let (easy, hard) = (Level::Easy, Level::Hard);
    // The levels of these differ in nothing that a state tells.
    let alike = |task: Task| task.name().contains("cartpole") || task.name().contains("pendulum");
    for task in Task::ALL {
        assert!(restores((task, easy), (task, easy)), "{task:?}");
        assert!(alike(task) || !restores((task, easy), (task, hard)), "{task:?}");
    }
    assert!(!restores((Task::Autoencode, easy), (Task::Battleship, easy)));
}

/// The recordings hold no balanced pole of more than 200 steps: by then roundings have grown too large.
#[test]
fn a_balanced_pole_is_left_at_the_limit_of_its_level() {
    for (level, limit) in Level::ALL.into_iter().zip([200, 400, 600]) {
        let task = Task::PositionOnlyCartpole;
        let mut env = PopgymConfig { task, level, ..PopgymConfig::default() }.make().unwrap();
        let (mut before, mut seen) = ([0.0; 2], [0.0; 2]);
        env.reset(Some(1), ObservationMut::F32(&mut before)).unwrap();
        let (mut action, mut taken, mut total) = (0, 0, 0.0);
        loop {
            let step = env.step(Action::Discrete(action), ObservationMut::F32(&mut seen)).unwrap();
            (taken, total) = (taken + 1, total + step.reward);
            assert!(!step.terminated, "fell after {taken} steps");
            if step.truncated {
                break;
            }
            let [x, angle] = seen;
            // Velocities from two positions, a fiftieth of a second apart.
            let [speed, turning] = [0, 1].map(|at| (seen[at] - before[at]) * 50.0);
            action = usize::from(angle + 0.3 * turning + 0.02 * x + 0.05 * speed > 0.0);
            before = seen;
        }
        assert_eq!(taken, limit);
        assert!((total - 1.0).abs() < 1e-12, "{total}");
    }
}
