//! The same as without the bridge, and the same however it is built.

use stpn_envs::check_env::check_env;
use stpn_envs::classic::CartPoleConfig;
use stpn_envs::gymnasium::{GymnasiumConfig, Saving};
use stpn_envs::{Action, Env, EnvConfig, ObservationMut};
use stpn_random::Stream;

use crate::{Played, Seen, ours};

#[test]
#[ignore = "needs Python with Gymnasium"]
fn cartpole_is_the_built_in_one_step_for_step() {
    let mut theirs = ours("cartpole", serde_json::json!({})).make().unwrap();
    let mut built_in = CartPoleConfig::default().make().unwrap();
    let (mut seen, mut expected) = ([0f32; 4], [0f32; 4]);
    let mut actions = Stream::from_seed(3);
    let (mut exact, mut steps) = (0, 0);
    for seed in 0..20 {
        theirs.reset((seed < 10).then_some(seed), ObservationMut::F32(&mut seen)).unwrap();
        built_in.reset(Some(0), ObservationMut::F32(&mut expected)).unwrap();
        built_in.inner_mut().start_at(seen.map(f64::from));
        for number in 0..500 {
            // Now and then well, so that episodes are long.
            let choice = if actions.below(4) == 0 { actions.below(2) } else { usize::from(seen[2] + seen[3] > 0.0) };
            let step = theirs.step(Action::Discrete(choice), ObservationMut::F32(&mut seen)).unwrap();
            let ours = built_in.step(Action::Discrete(choice), ObservationMut::F32(&mut expected)).unwrap();
            assert_eq!(step, ours, "episode {seed}, step {number}");
            // NumPy's sine and cosine may differ from Rust's in the last of 53 bits, which can round another way.
            let near = seen.iter().zip(expected).all(|(seen, expected)| (seen - expected).abs() < 3e-7);
            assert!(near, "episode {seed}, step {number}: {seen:?} {expected:?}");
            exact += usize::from(seen.map(f32::to_bits) == expected.map(f32::to_bits));
            steps += 1;
            built_in.inner_mut().start_at(seen.map(f64::from));
            if step.done() {
                break;
            }
        }
    }
    assert!(steps > 1000 && exact * 1000 > steps * 999, "{exact} of {steps} steps bit for bit");
}

#[cfg(feature = "mujoco")]
#[test]
#[ignore = "needs Python with Gymnasium"]
fn inverted_pendulum_is_the_built_in_one_step_for_step() {
    let mut theirs = ours("inverted_pendulum", serde_json::json!({})).make().unwrap();
    let mut built_in = stpn_envs::mujoco::InvertedPendulumConfig::default().make().unwrap();
    let (mut seen, mut expected) = ([0f32; 4], [0f32; 4]);
    let mut random = Stream::from_seed(4);
    let (mut steps, mut ends) = (0, 0);
    for seed in 0..20 {
        theirs.reset(Some(seed), ObservationMut::F32(&mut seen)).unwrap();
        built_in.reset(Some(0), ObservationMut::F32(&mut expected)).unwrap();
        let start = seen.map(f64::from);
        built_in.inner_mut().start_at(&start[..2], &start[2..]).unwrap();
        for number in 0..1200 {
            // Mostly well, so that episodes are long: the last of them reach the limit.
            let balance = 3.0 * seen[1] + 0.6 * seen[3] + 0.02 * seen[0];
            let force = if seed < 15 { random.uniform(-0.2, 0.2) as f32 } else { 0.0 } + balance;
            let action = Action::Continuous(&[force.clamp(-3.0, 3.0)]);
            let step = theirs.step(action, ObservationMut::F32(&mut seen)).unwrap();
            let ours = built_in.step(action, ObservationMut::F32(&mut expected)).unwrap();
            assert_eq!(step, ours, "episode {seed}, step {number}");
            assert_eq!(seen.map(f32::to_bits), expected.map(f32::to_bits), "episode {seed}, step {number}");
            steps += 1;
            if step.done() {
                ends += 1;
                break;
            }
        }
    }
    assert!(steps > 1000 && ends == 20, "{steps} steps, {ends} ends");
}

#[test]
#[ignore = "needs Python with Gymnasium"]
fn a_seed_is_gymnasiums() {
    // gymnasium.make("CartPole-v1").reset(seed=42)[0], Gymnasium 1.4.0, NumPy's PCG64.
    let expected = [0.027_395_6, -0.006_112_16, 0.035_859_8, 0.019_736_8];
    let mut env = GymnasiumConfig::new("CartPole-v1").make().unwrap();
    let mut seen = [0f32; 4];
    for seed in [42, 42 + (1 << 31)] {
        env.reset(Some(seed), ObservationMut::F32(&mut seen)).unwrap();
        assert!(seen.iter().zip(expected).all(|(seen, expected)| (seen - expected).abs() < 1e-7), "{seen:?}");
    }
}

#[test]
#[ignore = "needs Python with Gymnasium"]
fn environments_saved_in_every_way_keep_the_rules() {
    let json = |json| serde_json::json!(json);
    for (config, saving) in [
        (GymnasiumConfig::new("CartPole-v1"), Saving::Pickle),
        (GymnasiumConfig::new("FrozenLake-v1"), Saving::Pickle),
        (GymnasiumConfig::new("Blackjack-v1"), Saving::Pickle),
        (ours("Maze", json(serde_json::json!({}))), Saving::Hooks),
        (ours("Maze", serde_json::json!({ "hooks": false })), Saving::Pickle),
        (ours("Choices", serde_json::json!({ "space": "multi-discrete" })), Saving::Pickle),
        (ours("Choices", serde_json::json!({ "space": "multi-binary" })), Saving::Pickle),
        (ours("Choices", serde_json::json!({ "space": "discrete" })), Saving::Pickle),
        (ours("Images", serde_json::json!({})), Saving::Pickle),
        (GymnasiumConfig::new("LunarLander-v3"), Saving::Replay),
        (GymnasiumConfig::new("InvertedPendulum-v5"), Saving::Replay),
    ] {
        assert_eq!(config.make_whole().unwrap().saving(), saving, "{config:?}");
        let env = EnvConfig::Gymnasium(config);
        let report = check_env(|| env.make()).unwrap();
        assert!(report.passed(), "{report}");
    }
}

#[test]
#[ignore = "needs Python with Gymnasium"]
fn the_number_of_workers_changes_nothing() {
    for name in ["Maze", "Images"] {
        let run = |workers| {
            let mut played = Played::new(&GymnasiumConfig { workers, ..ours(name, serde_json::json!({})) }, 6, 7);
            (0..120)
                .map(|_| {
                    played.step().unwrap();
                    (played.seen(), played.episodes())
                })
                .collect::<Vec<_>>()
        };
        let one = run(1);
        assert!(run(2) == one && run(4) == one, "{name}");
    }
}

#[test]
#[ignore = "needs Python with Gymnasium"]
fn a_group_restored_in_other_processes_goes_on_as_the_saved_one() {
    for kwargs in [serde_json::json!({}), serde_json::json!({ "hooks": false })] {
        let config = ours("Maze", kwargs);
        let mut whole = Played::new(&config, 5, 3);
        (0..33).for_each(|_| whole.step().unwrap());
        let mut bytes = Vec::new();
        whole.group.save_state(&mut bytes).unwrap();
        let actions = whole.actions.clone();
        let expected: Vec<_> = (0..60).map(|_| (whole.step().unwrap(), whole.seen()).1).collect();
        let mut other = Played::new(&GymnasiumConfig { workers: 3, ..config }, 5, 99);
        other.group.restore_state(&bytes).unwrap();
        other.finals.clone_from(&whole.finals);
        other.actions = actions;
        let found: Vec<_> = (0..60).map(|_| (other.step().unwrap(), other.seen()).1).collect();
        let visible = |seen: &[Seen]| {
            seen.iter().map(|seen| (seen.0.clone(), seen.3.clone(), seen.4.clone(), seen.5.clone())).collect::<Vec<_>>()
        };
        assert!(visible(&found) == visible(&expected));
    }
}
