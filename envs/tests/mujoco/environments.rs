//! The MuJoCo tasks by themselves: saving, starting, options. Their rules are compared with Gymnasium's in
//! `gymnasium.rs`.

use std::sync::Arc;
use std::thread;

use stpn_envs::mujoco::{
    Ant, AntConfig, HalfCheetahConfig, HopperConfig, HumanoidConfig, InvertedDoublePendulumConfig,
    InvertedPendulumConfig, MujocoEnv, PusherConfig, ReacherConfig, SwimmerConfig, Task, Walker2dConfig,
};
use stpn_envs::wrappers::TimeLimit;
use stpn_envs::{Action, Env, EnvConfig, ObservationMut, Space, Step};
use stpn_random::Stream;

type Limited<T> = TimeLimit<MujocoEnv<T>>;

/// Something to be shown of every task.
trait Claim {
    fn check<T: Task>(&self, make: &dyn Fn() -> Limited<T>);
}

fn every_task(claim: &impl Claim) {
    claim.check(&|| InvertedPendulumConfig::default().make().unwrap());
    claim.check(&|| InvertedDoublePendulumConfig::default().make().unwrap());
    claim.check(&|| HopperConfig::default().make().unwrap());
    claim.check(&|| HalfCheetahConfig::default().make().unwrap());
    claim.check(&|| Walker2dConfig::default().make().unwrap());
    claim.check(&|| AntConfig::default().make().unwrap());
    claim.check(&|| HumanoidConfig::default().make().unwrap());
    claim.check(&|| ReacherConfig::default().make().unwrap());
    claim.check(&|| SwimmerConfig::default().make().unwrap());
    claim.check(&|| PusherConfig::default().make().unwrap());
}

fn reset<T: Task>(env: &mut Limited<T>, seed: Option<u64>) {
    let mut observation = vec![0.0; env.observation_space().len()];
    env.reset(seed, ObservationMut::F32(&mut observation)).unwrap();
}

/// A step with a random action, and a reset where it ends the episode.
fn step<T: Task>(env: &mut Limited<T>, actions: &mut Stream) -> Step {
    let action = env.action_space().sample(actions);
    let mut observation = vec![0.0; env.observation_space().len()];
    let step = env.step(action.get(), ObservationMut::F32(&mut observation)).unwrap();
    if step.done() {
        reset(env, None);
    }
    step
}

fn play<T: Task>(env: &mut Limited<T>, actions: &mut Stream, steps: usize) {
    for _ in 0..steps {
        step(env, actions);
    }
}

/// All that can be seen, bit for bit.
fn seen<T: Task>(env: &Limited<T>) -> Vec<u64> {
    let (env, simulation) = (env.inner(), env.inner().simulation());
    let parts = [
        env.observation(),
        simulation.positions(),
        simulation.velocities(),
        simulation.data().qacc_warmstart(),
        simulation.data().qacc(),
    ];
    parts.into_iter().flatten().map(|number| number.to_bits()).collect()
}

#[test]
fn a_restored_state_continues_bit_for_bit() {
    struct Continues;
    impl Claim for Continues {
        fn check<T: Task>(&self, make: &dyn Fn() -> Limited<T>) {
            let (mut env, mut other) = (make(), make());
            let mut actions = Stream::from_seed(3);
            reset(&mut env, Some(1));
            // Another history, so that nothing of it may be left.
            reset(&mut other, Some(2));
            play(&mut other, &mut Stream::from_seed(4), 30);
            // Right after a reset, and within episodes.
            for steps in [0, 7, 40, 23] {
                play(&mut env, &mut actions, steps);
                let mut bytes = Vec::new();
                env.save_state(&mut bytes).unwrap();
                other.restore_state(&bytes).unwrap();
                let mut same_actions = actions.clone();
                for at in 0..60 {
                    let (left, right) = (step(&mut env, &mut actions), step(&mut other, &mut same_actions));
                    assert_eq!(left.reward.to_bits(), right.reward.to_bits(), "{} after {at} steps", T::NAME);
                    assert_eq!(left, right, "{} after {at} steps", T::NAME);
                    assert_eq!(seen(&env), seen(&other), "{} after {at} steps", T::NAME);
                }
            }
        }
    }
    every_task(&Continues);
}

#[test]
fn mujoco_tasks_had_no_pictures() {
    struct Drawn;
    impl Claim for Drawn {
        fn check<T: Task>(&self, make: &dyn Fn() -> Limited<T>) {
            let mut env = make();
            let mut actions = Stream::from_seed(5);
            reset(&mut env, Some(1));
            play(&mut env, &mut actions, 1);
            let first = env.screen().unwrap();
            assert_eq!(first.rgb.len(), first.width * first.height * 3);
            // Of a thin pole the outline alone.
            let parts = [[50, 55, 64], [209, 73, 91], [0, 121, 140], [237, 174, 73], [48, 99, 142]];
            let shown = first.rgb.chunks_exact(3).filter(|&pixel| parts.iter().any(|part| pixel == part)).count();
            assert!(shown > 20, "{}: {shown} pixels of the body", T::NAME);
            let (before, picture) = (seen(&env), env.screen().unwrap());
            assert!(picture == first && seen(&env) == before, "{}: looking changes nothing", T::NAME);
            play(&mut env, &mut actions, 8);
            assert!(env.screen().unwrap() != first, "{}: its picture stands still", T::NAME);
        }
    }
    every_task(&Drawn);
}

#[test]
fn threads_do_not_change_a_trajectory() {
    let run = |seed| {
        let mut env = AntConfig::default().make().unwrap();
        let mut actions = Stream::from_seed(seed);
        reset(&mut env, Some(seed));
        (0..100).flat_map(|_| (step(&mut env, &mut actions), seen(&env)).1).collect::<Vec<_>>()
    };
    let alone: Vec<_> = (0..4).map(run).collect();
    let together: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|seed| scope.spawn(move || run(seed))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(alone == together);
    assert_ne!(alone[0], alone[1]);
}

#[test]
fn simulations_share_one_model() {
    let model = |env: &Limited<Ant>| env.inner().simulation().data().model_clone();
    let (first, second) = (AntConfig::default().make().unwrap(), AntConfig::default().make().unwrap());
    assert!(Arc::ptr_eq(&model(&first), &model(&second)));
}

#[test]
fn spaces_are_gymnasiums() {
    for (name, observations, actions, bound) in [
        ("inverted-pendulum", 4, 1, 3.0),
        ("inverted-double-pendulum", 9, 1, 1.0),
        ("hopper", 11, 3, 1.0),
        ("half-cheetah", 17, 6, 1.0),
        ("walker2d", 17, 6, 1.0),
        ("ant", 105, 8, 1.0),
        ("humanoid", 348, 17, 0.4),
        ("reacher", 10, 2, 1.0),
        ("swimmer", 8, 2, 1.0),
        ("pusher", 23, 7, 2.0),
    ] {
        let env = EnvConfig::from_name(name).unwrap().make().unwrap();
        let unbounded = Space::boxed(f32::NEG_INFINITY, f32::INFINITY, [observations]);
        assert_eq!(*env.observation_space(), unbounded, "{name}");
        assert_eq!(*env.action_space(), Space::boxed(-bound, bound, [actions]), "{name}");
    }
}

/// How far starts lie from the default pose: for each position, then for each velocity, the values of many resets.
fn starts<T: Task>(env: &mut Limited<T>) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let model = env.inner().simulation().data().model_clone();
    let (mut positions, mut velocities) = (vec![Vec::new(); model.qpos0().len()], Vec::new());
    velocities.resize(env.inner().simulation().velocities().len(), Vec::new());
    for seed in 0..2_000 {
        reset(env, Some(seed));
        let simulation = env.inner().simulation();
        let offsets = simulation.positions().iter().zip(model.qpos0()).map(|(now, default)| now - default);
        positions.iter_mut().zip(offsets).for_each(|(values, offset)| values.push(offset));
        let speeds = simulation.velocities().iter();
        velocities.iter_mut().zip(speeds).for_each(|(values, &speed)| values.push(speed));
    }
    (positions, velocities)
}

fn assert_uniform(values: &[f64], low: f64, high: f64, name: &str) {
    let (least, greatest) = values.iter().fold((f64::MAX, f64::MIN), |(a, b), &v| (a.min(v), b.max(v)));
    let margin = (high - low) / 100.0;
    assert!((low..low + margin).contains(&least), "{name}: {least} of {low}");
    assert!((high - margin..=high).contains(&greatest), "{name}: {greatest} of {high}");
    let below = values.iter().filter(|&&value| value < (low + high) / 2.0).count();
    assert!((900..1_100).contains(&below), "{name}: {below} of 2000 below the middle");
}

fn assert_normal(values: &[f64], scale: f64, name: &str) {
    let deviation = (values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64).sqrt();
    assert!((deviation / scale - 1.0).abs() < 0.07, "{name}: {deviation} of {scale}");
    let beyond = values.iter().filter(|value| value.abs() > 2.0 * scale).count();
    assert!((55..130).contains(&beyond), "{name}: {beyond} of 2000 beyond two deviations");
}

#[test]
fn starts_have_gymnasiums_noise() {
    let noisy = |(positions, velocities): (Vec<Vec<f64>>, Vec<Vec<f64>>), scale: f64, normal: bool, name: &str| {
        positions.iter().for_each(|values| assert_uniform(values, -scale, scale, name));
        for values in &velocities {
            if normal { assert_normal(values, scale, name) } else { assert_uniform(values, -scale, scale, name) }
        }
    };
    noisy(starts(&mut InvertedPendulumConfig::default().make().unwrap()), 0.01, false, "inverted-pendulum");
    noisy(starts(&mut InvertedDoublePendulumConfig::default().make().unwrap()), 0.1, true, "inverted-double-pendulum");
    noisy(starts(&mut HopperConfig::default().make().unwrap()), 0.005, false, "hopper");
    noisy(starts(&mut HalfCheetahConfig::default().make().unwrap()), 0.1, true, "half-cheetah");
    noisy(starts(&mut Walker2dConfig::default().make().unwrap()), 0.005, false, "walker2d");
    noisy(starts(&mut AntConfig::default().make().unwrap()), 0.1, true, "ant");
    noisy(starts(&mut HumanoidConfig::default().make().unwrap()), 0.01, false, "humanoid");
    noisy(starts(&mut SwimmerConfig::default().make().unwrap()), 0.1, false, "swimmer");

    let (positions, velocities) = starts(&mut ReacherConfig::default().make().unwrap());
    positions[..2].iter().for_each(|values| assert_uniform(values, -0.1, 0.1, "reacher"));
    // The target's default place is (0.1, −0.1).
    let inside = positions[2].iter().zip(&positions[3]).map(|(x, y)| (x + 0.1).hypot(y - 0.1));
    let (count, near) = inside.fold((0, 0), |(count, near), distance| {
        assert!(distance < 0.2);
        (count + 1, near + usize::from(distance < 0.1))
    });
    assert!((count / 5..count / 3).contains(&near), "a quarter of a disc lies within half its radius, not {near}");
    velocities[..2].iter().for_each(|values| assert_uniform(values, -0.005, 0.005, "reacher"));
    assert!(velocities[2..].iter().flatten().all(|&speed| speed == 0.0));

    let (positions, velocities) = starts(&mut PusherConfig::default().make().unwrap());
    assert!(positions[..7].iter().chain(&positions[9..]).flatten().all(|&offset| offset == 0.0));
    for (x, y) in positions[7].iter().zip(&positions[8]) {
        assert!((-0.3..0.0).contains(x) && (-0.2..0.2).contains(y) && x.hypot(*y) > 0.17, "{x} {y}");
    }
    velocities[..7].iter().for_each(|values| assert_uniform(values, -0.005, 0.005, "pusher"));
    assert!(velocities[7..].iter().flatten().all(|&speed| speed == 0.0));
}

#[test]
fn time_limits_are_gymnasiums() {
    for (name, limit) in [("half-cheetah", 1_000), ("swimmer", 1_000), ("reacher", 50), ("pusher", 100)] {
        let mut env = EnvConfig::from_name(name).unwrap().make().unwrap();
        let mut observation = vec![0.0; env.observation_space().len()];
        let action = vec![0.1; env.action_space().len()];
        env.reset(Some(1), ObservationMut::F32(&mut observation)).unwrap();
        let mut step = || env.step(Action::Continuous(&action), ObservationMut::F32(&mut observation)).unwrap();
        assert!((1..limit).all(|_| !step().done()), "{name}");
        let last = step();
        assert!(last.truncated && !last.terminated, "{name}");
    }
}

#[test]
fn impossible_options_are_refused_by_name() {
    let refused = |json: &str| {
        let config: EnvConfig = serde_json::from_str(json).unwrap();
        config.make().map(drop).unwrap_err().to_string()
    };
    for (json, said) in [
        (r#"{"name": "hopper", "frame_skip": 0}"#, "env.frame_skip = 0"),
        (r#"{"name": "hopper", "max_episode_steps": 0}"#, "env.max_episode_steps = 0"),
        (r#"{"name": "ant", "reset_noise_scale": -1}"#, "env.reset_noise_scale = -1"),
        (r#"{"name": "walker2d", "healthy_z_range": {"min": 2, "max": 1}}"#, "env.healthy_z_range"),
        (r#"{"name": "ant", "main_body": "tail"}"#, "no body named `tail`"),
        (r#"{"name": "ant", "xml_file": "no/such.xml"}"#, "no/such.xml"),
    ] {
        let error = refused(json);
        assert!(error.contains(said), "{json}: {error}");
    }
    let config = SwimmerConfig { ctrl_cost_weight: f64::NAN, ..SwimmerConfig::default() };
    assert!(config.make().map(drop).unwrap_err().to_string().contains("env.ctrl_cost_weight = NaN"));
    let error = serde_json::from_str::<EnvConfig>(r#"{"name": "ant", "frame_skp": 2}"#).unwrap_err().to_string();
    assert!(error.contains("`frame_skp`") && error.contains("`frame_skip`"), "{error}");
}

#[test]
fn another_model_is_used_where_it_fits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("two.xml");
    let config = |path| InvertedPendulumConfig { xml_file: Some(path), ..InvertedPendulumConfig::default() };
    let body = |joints: &str| {
        let geom = r#"<geom type="sphere" size="0.1"/>"#;
        format!("<mujoco><worldbody><body>{joints}{geom}</body></worldbody></mujoco>")
    };
    let slides = r#"<joint type="slide" axis="1 0 0"/><joint type="slide" axis="0 1 0"/>"#;
    std::fs::write(&path, body(slides)).unwrap();
    assert_eq!(config(path.clone()).make().unwrap().observation_space().len(), 4);
    std::fs::write(&path, body(r#"<joint type="slide"/>"#)).unwrap();
    let error = config(path.clone()).make().map(drop).unwrap_err().to_string();
    assert!(error.contains("1 positions, the task needs 2"), "{error}");
    std::fs::write(&path, "<mujoco><worldbody>").unwrap();
    let error = config(path).make().map(drop).unwrap_err().to_string();
    assert!(error.contains("cannot load the model") && error.contains("two.xml"), "{error}");
}

#[test]
fn a_diverged_simulation_went_on_as_if_nothing_had_been() {
    // MuJoCo resets a simulation whose numbers blow up, and logs a warning, by default to a file in the working folder.
    let mut env = HopperConfig { terminate_when_unhealthy: false, ..HopperConfig::default() }.make().unwrap();
    reset(&mut env, Some(1));
    let mut sound = Vec::new();
    env.save_state(&mut sound).unwrap();
    let mut observation = vec![0.0; 11];
    let mut step = |env: &mut Limited<_>| {
        env.step(Action::Continuous(&[0.0; 3]), ObservationMut::F32(&mut observation))
            .map_err(|error| error.to_string())
    };
    env.inner_mut().start_at(&[0.0, 1.25, 0.0, 0.0, 0.0, 0.0], &[1e12; 6]).unwrap();
    let error = step(&mut env).unwrap_err();
    assert!(error.contains("hopper: MuJoCo warns that a velocity") && error.contains("timestep"), "{error}");
    assert!(step(&mut env).unwrap_err().contains("reset comes first"), "the episode is over");
    assert!(!std::path::Path::new("MUJOCO_LOG.TXT").exists());
    // What was restored or started anew knows nothing of it.
    env.restore_state(&sound).unwrap();
    assert!(step(&mut env).is_ok());
    reset(&mut env, None);
    assert!(step(&mut env).is_ok());
}

/// Gymnasium's cheetah with another timestep, integrator or actuators.
fn altered_cheetah(folder: &std::path::Path, change: impl Fn(&str) -> String) -> HalfCheetahConfig {
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../native/mujoco-models/half_cheetah.xml");
    let (text, path) = (std::fs::read_to_string(model).unwrap(), folder.join("altered.xml"));
    let changed = change(&text);
    assert_ne!(changed, text);
    std::fs::write(&path, changed).unwrap();
    HalfCheetahConfig { xml_file: Some(path), ..HalfCheetahConfig::default() }
}

#[test]
fn bad_accelerations_were_rewards() {
    for option in [r#"timestep="0.1" integrator="Euler""#, r#"timestep="0.5" integrator="RK4""#] {
        let folder = tempfile::tempdir().unwrap();
        let config = altered_cheetah(folder.path(), |text| {
            text.replace(r#"timestep="0.01""#, "").replacen("<option ", &format!("<option {option} "), 1)
        });
        let mut env = config.make().unwrap();
        let mut actions = Stream::from_seed(1);
        reset(&mut env, Some(1));
        let mut observation = vec![0.0; 17];
        let failed = (0..1_000).find_map(|_| {
            let action = env.action_space().sample(&mut actions);
            env.step(action.get(), ObservationMut::F32(&mut observation)).err()
        });
        let error = failed.unwrap_or_else(|| panic!("{option}: no failure")).to_string();
        assert!(error.contains("half-cheetah: MuJoCo warns that a"), "{option}: {error}");
    }
}

#[test]
fn an_actuator_without_a_control_range_was_clamped_to_0() {
    let folder = tempfile::tempdir().unwrap();
    let config = altered_cheetah(folder.path(), |text| {
        text.replace(r#"ctrllimited="true""#, "").replace(r#"ctrlrange="-1 1""#, "")
    });
    let env = config.make().unwrap();
    assert_eq!(*env.action_space(), Space::boxed(f32::NEG_INFINITY, f32::INFINITY, [6]));
    assert_eq!(*HalfCheetahConfig::default().make().unwrap().action_space(), Space::boxed(-1.0, 1.0, [6]));
}

#[test]
fn hidden_velocities_leave_the_positions_of_the_same_episode() {
    fn same(whole: &mut dyn Env, masked: &mut dyn Env, positions: usize) {
        let (mut seen, mut shown) = (vec![0.0; whole.observation_space().len()], vec![0.0; positions]);
        assert_eq!(masked.observation_space().len(), positions);
        let mut actions = Stream::from_seed(5);
        whole.reset(Some(7), ObservationMut::F32(&mut seen)).unwrap();
        masked.reset(Some(7), ObservationMut::F32(&mut shown)).unwrap();
        for _ in 0..10 {
            assert_eq!(seen[..positions], shown);
            let action = whole.action_space().sample(&mut actions);
            let step = whole.step(action.get(), ObservationMut::F32(&mut seen)).unwrap();
            let other = masked.step(action.get(), ObservationMut::F32(&mut shown)).unwrap();
            assert_eq!(step.reward, other.reward);
        }
    }
    let (hopper, walker) = (HopperConfig::default(), Walker2dConfig::default());
    same(&mut hopper.make().unwrap(), &mut hopper.make_masked().unwrap(), 5);
    same(&mut walker.make().unwrap(), &mut walker.make_masked().unwrap(), 8);
    // With the distance covered among the observations, it stays among the positions.
    let whole = HopperConfig { exclude_current_positions_from_observation: false, ..hopper };
    same(&mut whole.make().unwrap(), &mut whole.make_masked().unwrap(), 6);
}
