//! Classic control beyond the equations: limits, start states, what is hidden, and the delayed-recall task.

use stpn_envs::classic::{
    AcrobotConfig, CartPoleConfig, Dynamics, MemoryConfig, MountainCarConfig, MountainCarContinuousConfig,
    PendulumConfig,
};
use stpn_envs::wrappers::TimeLimit;
use stpn_envs::{Action, Env, EnvConfig, ObservationMut, RulesEnv};

fn reset(env: &mut impl Env, seed: Option<u64>) -> Vec<f32> {
    let mut seen = vec![f32::NAN; env.observation_space().len()];
    env.reset(seed, ObservationMut::F32(&mut seen)).unwrap();
    seen
}

/// Steps taken until the episode is truncated, where `keep` brings the state back after every step.
fn steps_to_truncation<D: Dynamics>(mut env: TimeLimit<RulesEnv<D>>, action: Action<'_>) -> u32 {
    let mut seen = reset(&mut env, Some(0));
    let start = *env.inner().state();
    for number in 1.. {
        let step = env.step(action, ObservationMut::F32(&mut seen)).unwrap();
        assert!(!step.terminated);
        if step.truncated {
            assert!(env.step(action, ObservationMut::F32(&mut seen)).is_err(), "a step after the end");
            return number;
        }
        env.inner_mut().start_at(start);
    }
    unreachable!("an episode without end")
}

#[test]
fn gymnasiums_limits() {
    let (choice, push) = (Action::Discrete(1), Action::Continuous(&[0.0]));
    assert_eq!(steps_to_truncation(CartPoleConfig::default().make().unwrap(), choice), 500);
    assert_eq!(steps_to_truncation(PendulumConfig::default().make().unwrap(), push), 200);
    assert_eq!(steps_to_truncation(MountainCarConfig::default().make().unwrap(), choice), 200);
    assert_eq!(steps_to_truncation(MountainCarContinuousConfig::default().make().unwrap(), push), 999);
    assert_eq!(steps_to_truncation(AcrobotConfig::default().make().unwrap(), choice), 500);
    assert_eq!(steps_to_truncation(CartPoleConfig { max_episode_steps: 7 }.make().unwrap(), choice), 7);
}

/// Least and greatest of every number of the start state over many episodes.
fn start_ranges<D: Dynamics>(mut env: TimeLimit<RulesEnv<D>>) -> Vec<(f64, f64)> {
    reset(&mut env, Some(1));
    let mut ranges = vec![(f64::INFINITY, f64::NEG_INFINITY); env.inner().state().as_ref().len()];
    for _ in 0..2_000 {
        reset(&mut env, None);
        for (range, &number) in ranges.iter_mut().zip(env.inner().state().as_ref()) {
            *range = (range.0.min(number), range.1.max(number));
        }
    }
    ranges
}

#[test]
fn start_states_fill_their_ranges() {
    let fills = |ranges: Vec<(f64, f64)>, expected: &[(f64, f64)]| {
        assert_eq!(ranges.len(), expected.len());
        for (range, expected) in ranges.iter().zip(expected) {
            let slack = 0.01 * (expected.1 - expected.0);
            assert!(range.0 >= expected.0 && range.1 <= expected.1, "{range:?} outside {expected:?}");
            assert!(range.0 <= expected.0 + slack && range.1 >= expected.1 - slack, "{range:?} in {expected:?}");
        }
    };
    let pi = std::f64::consts::PI;
    fills(start_ranges(CartPoleConfig::default().make().unwrap()), &[(-0.05, 0.05); 4]);
    fills(start_ranges(PendulumConfig::default().make().unwrap()), &[(-pi, pi), (-1.0, 1.0)]);
    fills(start_ranges(MountainCarConfig::default().make().unwrap()), &[(-0.6, -0.4), (0.0, 0.0)]);
    fills(start_ranges(MountainCarContinuousConfig::default().make().unwrap()), &[(-0.6, -0.4), (0.0, 0.0)]);
    fills(start_ranges(AcrobotConfig::default().make().unwrap()), &[(-0.1, 0.1); 4]);
}

#[test]
fn masked_cartpole_shows_the_positions_alone() {
    let mut whole = CartPoleConfig::default().make().unwrap();
    let mut masked = CartPoleConfig::default().make_masked().unwrap();
    assert_eq!(masked.observation_space().shape(), [2]);
    let (mut all, mut shown) = (reset(&mut whole, Some(3)), reset(&mut masked, Some(3)));
    assert_eq!(shown, [all[0], all[2]]);
    loop {
        let step = whole.step(Action::Discrete(1), ObservationMut::F32(&mut all)).unwrap();
        assert_eq!(masked.step(Action::Discrete(1), ObservationMut::F32(&mut shown)).unwrap(), step);
        assert_eq!(shown, [all[0], all[2]]);
        if step.done() {
            break;
        }
    }
}

#[test]
fn actions_beyond_the_bounds_are_clipped() {
    let after = |action: f32| {
        let mut env = PendulumConfig::default().make().unwrap();
        let mut seen = reset(&mut env, Some(0));
        let step = env.step(Action::Continuous(&[action]), ObservationMut::F32(&mut seen)).unwrap();
        (seen, step)
    };
    assert_eq!(after(2.0), after(1e6));
    assert_ne!(after(2.0), after(-1e6));
}

#[test]
fn a_step_needs_a_running_episode() {
    let mut env = MountainCarConfig::default().make().unwrap();
    let mut seen = vec![0.0; 2];
    let said = env.step(Action::Discrete(0), ObservationMut::F32(&mut seen)).unwrap_err().to_string();
    assert_eq!(said, "mountain-car: no episode is running; reset comes first");
    // Past the goal the car terminates the episode.
    reset(&mut env, Some(0));
    env.inner_mut().start_at([0.49, 0.06]);
    assert!(env.step(Action::Discrete(2), ObservationMut::F32(&mut seen)).unwrap().terminated);
    assert!(env.step(Action::Discrete(2), ObservationMut::F32(&mut seen)).is_err());
}

#[test]
fn memory_shows_the_cue_then_distractors_then_asks() {
    let config = MemoryConfig { cues: 3, delay: 5 };
    let mut env = config.make().unwrap();
    let (mut distractors, mut cues) = ([0; 3], [0; 3]);
    let mut seen = reset(&mut env, Some(1));
    for episode in 0..600 {
        let cue = env.state().cue;
        cues[cue] += 1;
        let mut expected = vec![0.0; 6];
        (expected[cue], expected[3]) = (1.0, 1.0);
        assert_eq!(seen, expected);
        for _ in 0..config.delay {
            let step = env.step(Action::Discrete(0), ObservationMut::F32(&mut seen)).unwrap();
            assert_eq!((step.reward, step.done()), (0.0, false));
            assert_eq!(seen[3..], [0.0, 1.0, 0.0]);
            let symbol = seen[..3].iter().position(|&value| value == 1.0).unwrap();
            assert_eq!(seen[..3].iter().sum::<f32>(), 1.0);
            distractors[symbol] += 1;
        }
        env.step(Action::Discrete(0), ObservationMut::F32(&mut seen)).unwrap();
        assert_eq!(seen, [0.0, 0.0, 0.0, 0.0, 0.0, 1.0], "the question");
        let answer = if episode % 2 == 0 { cue } else { (cue + 1) % 3 };
        let step = env.step(Action::Discrete(answer), ObservationMut::F32(&mut seen)).unwrap();
        assert_eq!(step.reward, if answer == cue { 1.0 } else { -1.0 });
        assert!(step.terminated && !step.truncated);
        assert_eq!(seen, [0.0; 6]);
        seen = reset(&mut env, None);
    }
    let even = |counts: [i32; 3]| counts.iter().all(|&count| (count - counts.iter().sum::<i32>() / 3).abs() < 150);
    assert!(even(cues) && even(distractors), "{cues:?} {distractors:?}");
    assert_eq!(env.oracle_return(), Some(1.0));
}

#[test]
fn memory_without_delay_asks_at_once() {
    let config = MemoryConfig { cues: 2, delay: 0 };
    let mut env = config.make().unwrap();
    let mut seen = reset(&mut env, Some(0));
    let steps: Vec<bool> =
        (0..2).map(|_| env.step(Action::Discrete(0), ObservationMut::F32(&mut seen)).unwrap().done()).collect();
    assert_eq!((steps, config.episode_length()), (vec![false, true], 2));
}

#[test]
fn impossible_settings_are_refused_by_name() {
    let refused = |json: serde_json::Value| {
        serde_json::from_value::<EnvConfig>(json.clone()).unwrap().make().err().unwrap_or_else(|| panic!("{json}"))
    };
    for (json, said) in [
        (serde_json::json!({"name": "cartpole", "max_episode_steps": 0}), "env.max_episode_steps = 0: at least 1"),
        (
            serde_json::json!({"name": "mountain-car", "goal_velocity": 0.1}),
            "env.goal_velocity = 0.1: 0 to 0.07, the highest speed",
        ),
        (serde_json::json!({"name": "mountain-car-continuous", "goal_velocity": -1}), "env.goal_velocity = -1"),
        (serde_json::json!({"name": "memory", "cues": 1}), "env.cues = 1: 2 to 1000"),
        (serde_json::json!({"name": "memory", "delay": 2_000_000}), "env.delay = 2000000: at most 1000000"),
    ] {
        let error = refused(json).to_string();
        assert!(error.starts_with(said), "{error}");
    }
    let error = PendulumConfig { gravity: f64::NAN, ..PendulumConfig::default() }.make().unwrap_err().to_string();
    assert_eq!(error, "env.gravity = NaN: a finite number");
}
