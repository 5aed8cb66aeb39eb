//! Spaces, ends of episodes, and what is refused.

use stpn_envs::gymnasium::GymnasiumConfig;
use stpn_envs::{Action, Dtype, Env, ObservationMut, Space};

use crate::{Played, ours};

#[test]
#[ignore = "needs Python with Gymnasium"]
fn spaces_are_theirs() {
    let spaces = |config: GymnasiumConfig| {
        let env = config.make().unwrap();
        (env.observation_space().clone(), env.action_space().clone())
    };
    let choices = |space| spaces(ours("Choices", serde_json::json!({ "space": space })));
    let levers = Space::MultiDiscrete { counts: vec![2, 3] };
    assert_eq!(choices("multi-discrete"), (levers.clone(), levers));
    assert_eq!(choices("multi-binary"), (Space::MultiBinary { n: 3 }, Space::MultiBinary { n: 3 }));
    assert_eq!(choices("discrete"), (Space::discrete(3), Space::discrete(3)));
    // Gymnasium's own order of a Dict: its keys sorted. Choices one-hot.
    assert_eq!(spaces(ours("Maze", serde_json::json!({}))), (Space::boxed(0.0, 1.0, [9]), Space::discrete(4)));
    let uneven = Space::Box { low: vec![0.0, -4.0], high: vec![1.0, 2.0], shape: vec![2], dtype: Dtype::F32 };
    assert_eq!(spaces(ours("Images", serde_json::json!({}))), (Space::pixels([3, 2, 4]), uneven));
    let scaled = GymnasiumConfig { scale_actions: true, ..ours("Images", serde_json::json!({})) };
    assert_eq!(spaces(scaled).1, Space::boxed(-1.0, 1.0, [2]));
}

#[test]
#[ignore = "needs Python with Gymnasium"]
fn names_of_packages_are_known_once_these_are_imported() {
    let space = |id: &str, import: &str, wrappers: &[&str]| {
        let env = GymnasiumConfig {
            import: vec![import.into()],
            wrappers: wrappers.iter().map(|wrapper| (*wrapper).to_string()).collect(),
            ..GymnasiumConfig::new(id)
        };
        env.make().map(|env| env.observation_space().clone())
    };
    assert_eq!(space("ALE/Pong-v5", "ale_py", &[]).unwrap(), Space::pixels([3, 210, 160]));
    let pixels = "minigrid.wrappers:ImgObsWrapper";
    assert_eq!(space("MiniGrid-MemoryS7-v0", "minigrid", &[pixels]).unwrap(), Space::pixels([3, 7, 7]));
    let error = space("ALE/Pong-v5", "minigrid", &[]).unwrap_err().to_string();
    assert!(error.contains("ALE") && error.contains("env.import"), "{error}");
}

#[test]
#[ignore = "needs Python with Gymnasium"]
fn pictures_have_their_colours_first_and_actions_reach_the_bounds() {
    let config = ours("Images", serde_json::json!({}));
    let scaled = GymnasiumConfig { scale_actions: true, ..config.clone() };
    let mut seen = [0; 24];
    let mut env = config.make().unwrap();
    env.reset(Some(1), ObservationMut::U8(&mut seen)).unwrap();
    // The first colour of all pixels, row by row, then the second.
    assert_eq!(seen[..9], [0, 3, 6, 9, 12, 15, 18, 21, 1]);
    let step = env.step(Action::Continuous(&[0.25, 2.0]), ObservationMut::U8(&mut seen)).unwrap();
    assert_eq!((step.reward, seen[0]), (20.25, 1));
    let mut env = scaled.make().unwrap();
    env.reset(Some(1), ObservationMut::U8(&mut seen)).unwrap();
    let mut reward =
        |action: [f32; 2]| env.step(Action::Continuous(&action), ObservationMut::U8(&mut seen)).unwrap().reward;
    assert_eq!((reward([-1.0, 1.0]), reward([1.0, -1.0]), reward([0.0, 0.0])), (20.0, -39.0, -9.5));
}

#[test]
#[ignore = "needs Python with Gymnasium"]
fn episodes_end_as_they_should() {
    // Truncated after 5 steps: the last picture goes to the final observations, the first of the next to the others.
    let mut played = Played::new(&ours("Images", serde_json::json!({})), 3, 1);
    for number in 1..=12 {
        played.step().unwrap();
        let done = number % 5 == 0;
        assert_eq!((&played.terminated[..], &played.truncated[..]), (&[false; 3][..], &[done; 3][..]), "{number}");
        let [now, last] = &played.bytes;
        assert_eq!(now[0], number % 5, "{number}");
        assert!(!done || last[0] == 5);
    }
    let episodes = played.episodes();
    assert!(episodes.len() == 6 && episodes.iter().all(|episode| episode.length == 5));

    // The registry's limit, and another.
    let steps = |config: GymnasiumConfig| {
        let mut env = config.make().unwrap();
        let mut seen = [0.0; 2];
        env.reset(Some(1), ObservationMut::F32(&mut seen)).unwrap();
        let mut step = || env.step(Action::Discrete(1), ObservationMut::F32(&mut seen)).unwrap();
        (1..).find(|_| {
            let step = step();
            assert!(!step.terminated);
            step.truncated
        })
    };
    let car = GymnasiumConfig::new("MountainCar-v0");
    assert_eq!(steps(GymnasiumConfig { max_episode_steps: Some(17), ..car.clone() }), Some(17));
    assert_eq!(steps(car), Some(200));
}

#[test]
#[ignore = "needs Python with Gymnasium"]
fn episodes_that_an_environment_reports_are_taken() {
    let config = GymnasiumConfig {
        wrappers: vec!["gymnasium.wrappers:RecordEpisodeStatistics".into()],
        ..GymnasiumConfig::new("CartPole-v1")
    };
    let (mut theirs, mut counted) =
        (Played::new(&config, 2, 5), Played::new(&GymnasiumConfig::new("CartPole-v1"), 2, 5));
    assert!(config.make().unwrap().records_episodes());
    for _ in 0..100 {
        theirs.step().unwrap();
        counted.step().unwrap();
    }
    let episodes = theirs.episodes();
    assert!(episodes.len() > 3);
    assert_eq!(episodes, counted.episodes());
}

#[test]
#[ignore = "needs Python with Gymnasium"]
fn what_cannot_be_used_is_refused_by_name() {
    let refused = |config: GymnasiumConfig| config.make().map(drop).unwrap_err().to_string();
    for (space, said) in [
        ("text", "observations of Text are not supported"),
        ("sequence", "observations of Sequence"),
        ("image beside", "`image` of the observations is an image beside other parts"),
        ("text within", "`mission` of the observations is a Text"),
        ("dict action", "actions of Dict"),
        ("integers", "actions of Box"),
    ] {
        let error = refused(ours("Refused", serde_json::json!({ "space": space })));
        assert!(error.contains(said) && error.contains("wrapper") && !error.contains("Traceback"), "{space}: {error}");
    }
    let scaled = GymnasiumConfig { scale_actions: true, ..GymnasiumConfig::new("CartPole-v1") };
    assert!(scaled.make().is_ok(), "there is nothing to scale among choices");
    let error = refused(GymnasiumConfig::new("NoSuchThing-v0"));
    assert!(error.contains("NoSuchThing") && error.contains("env.import"), "{error}");
    let missing = GymnasiumConfig { import: vec!["no_such_package".into()], ..GymnasiumConfig::new("CartPole-v1") };
    let error = refused(missing);
    assert!(error.contains("no_such_package") && error.contains("-m pip install no_such_package"), "{error}");
    let error = refused(ours("no_such_function", serde_json::json!({})));
    assert!(error.contains("no_such_function"), "{error}");
}
