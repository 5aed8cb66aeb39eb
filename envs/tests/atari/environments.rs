//! Atari games as environments: the rules, the stages, exact continuation.

use stpn_atari::{Emulator, Options, Rom};
use stpn_envs::atari::{AtariConfig, Game, NoopStart, Play, Preprocessing};
use stpn_envs::check_env::check_env;
use stpn_envs::{Action, Env, EnvConfig, ObservationMut, Step, VectorEnv, vector::Actions};
use stpn_random::Stream;

fn game(game: &str) -> AtariConfig {
    AtariConfig { game: game.into(), ..AtariConfig::default() }
}

fn make(config: &AtariConfig) -> Box<dyn Env> {
    config.make().unwrap()
}

/// An environment with its observation.
struct Player {
    env: Box<dyn Env>,
    seen: Vec<u8>,
}

impl Player {
    fn new(config: &AtariConfig, seed: u64) -> Self {
        let env = make(config);
        let seen = vec![0; env.observation_space().len()];
        let mut player = Self { env, seen };
        player.reset(Some(seed));
        player
    }

    fn reset(&mut self, seed: Option<u64>) {
        self.env.reset(seed, ObservationMut::U8(&mut self.seen)).unwrap();
    }

    fn step(&mut self, action: usize) -> Step {
        self.env.step(Action::Discrete(action), ObservationMut::U8(&mut self.seen)).unwrap()
    }

    /// Random actions to the end of the episode.
    fn finish(&mut self, stream: &mut Stream) -> (f64, u64, Step) {
        let (mut total, mut length) = (0.0, 0);
        loop {
            let actions = match self.env.action_space() {
                stpn_envs::Space::Discrete { n } => *n,
                other => panic!("{other}"),
            };
            let step = self.step(stream.below(actions));
            (total, length) = (total + step.reward, length + 1);
            if step.done() {
                return (total, length, step);
            }
        }
    }
}

#[test]
fn the_rules_are_kept() {
    // Short episodes, for the checks play some dozens of them.
    let short = AtariConfig { max_episode_frames: 240, ..AtariConfig::default() };
    for config in [
        short.clone(),
        AtariConfig { frame_stack: 4, max_episode_frames: 500, ..AtariConfig::deepmind("breakout") },
        AtariConfig { preprocessing: Preprocessing::Rgb, repeat_action_probability: 0.25, frame_skip: 3, ..short },
    ] {
        let report = check_env(|| config.make()).unwrap();
        assert!(report.passed(), "{config:?}\n{report}");
    }
}

#[test]
fn observations_have_the_shapes_of_their_preprocessing() {
    for (preprocessing, frame_stack, shape) in [
        (Preprocessing::Paper, 1, [1, 84, 84]),
        (Preprocessing::Deepmind, 4, [4, 84, 84]),
        (Preprocessing::Gray, 1, [1, 210, 160]),
        (Preprocessing::Rgb, 2, [6, 210, 160]),
    ] {
        let env = make(&AtariConfig { preprocessing, frame_stack, ..AtariConfig::default() });
        assert_eq!(env.observation_space().shape(), shape);
        assert_eq!(env.action_space(), &stpn_envs::Space::discrete(6));
    }
    let full = make(&AtariConfig { full_action_space: true, ..AtariConfig::default() });
    assert_eq!(full.action_space(), &stpn_envs::Space::discrete(18));
    // A European console has more rows.
    let tall = make(&AtariConfig { preprocessing: Preprocessing::Gray, ..game("atlantis2") });
    assert_eq!(tall.observation_space().shape()[1..], [tall.observation_space().shape()[1], 160]);
}

#[test]
fn pictures_of_a_game_were_gray() {
    let rgb = AtariConfig { preprocessing: Preprocessing::Rgb, frame_skip: 4, ..game("seaquest") };
    let mut shown = Player::new(&rgb, 3);
    for _ in 0..60 {
        shown.step(1);
    }
    let screen = shown.env.screen().unwrap();
    assert_eq!((screen.width, screen.height), (160, 210));
    let planes: Vec<&[u8]> = shown.seen.chunks_exact(160 * 210).collect();
    let colours: Vec<[u8; 3]> = (0..160 * 210).map(|at| [planes[0][at], planes[1][at], planes[2][at]]).collect();
    assert!(colours.iter().any(|[r, g, b]| r != g || g != b), "a game without a colour");
    assert_eq!(screen.rgb, colours.concat());
    // Whatever the agent sees.
    for preprocessing in [Preprocessing::Paper, Preprocessing::Deepmind, Preprocessing::Gray] {
        let mut player = Player::new(&AtariConfig { preprocessing, frame_stack: 2, ..rgb.clone() }, 3);
        for _ in 0..60 {
            player.step(1);
        }
        assert_eq!(player.env.screen(), Some(screen.clone()), "{preprocessing:?}");
    }
}

#[test]
fn pong_ends_at_21_points() {
    let mut player = Player::new(&AtariConfig { frame_skip: 4, ..AtariConfig::default() }, 1);
    let (total, length, step) = player.finish(&mut Stream::from_seed(1));
    let episode = step.episode.unwrap();
    assert!(step.terminated && !step.truncated);
    assert!((-21.0..=-18.0).contains(&total), "{total}");
    assert_eq!((episode.total_reward, episode.length), (total, length));
}

#[test]
fn lost_lives_end_episodes_but_not_games() {
    let config = AtariConfig::deepmind("breakout");
    let mut player = Player::new(&config, 3);
    let mut stream = Stream::from_seed(3);
    assert!(player.env.records_episodes());
    for _ in 0..2 {
        let (mut total, mut length) = (0.0, 0);
        for life in 1..=5 {
            let (reward, steps, step) = player.finish(&mut stream);
            (total, length) = (total + reward, length + steps);
            assert!(step.terminated, "life {life}");
            match step.episode {
                None => assert!(life < 5, "the game is over"),
                Some(episode) => {
                    assert_eq!(life, 5, "the game is not over");
                    assert_eq!((episode.total_reward, episode.length), (total, length));
                }
            }
            player.reset(None);
        }
    }
    // The vector counts whole games, too.
    let make = |_| config.make();
    let mut vector = VectorEnv::new(&make, 2, 1, 0).unwrap();
    let width = vector.observation_space().len();
    let (mut seen, mut last) = (vec![0; 2 * width], vec![0; 2 * width]);
    let (mut rewards, mut terminated, mut truncated) = ([0.0; 2], [false; 2], [false; 2]);
    vector.reset(ObservationMut::U8(&mut seen)).unwrap();
    let (mut ends, mut games) = (0, 0);
    for _ in 0..800 {
        let mut out = stpn_envs::Transition {
            observations: ObservationMut::U8(&mut seen),
            final_observations: ObservationMut::U8(&mut last),
            rewards: &mut rewards,
            terminated: &mut terminated,
            truncated: &mut truncated,
        };
        vector.step(Actions::Discrete(&[0, 0]), &mut out).unwrap();
        ends += terminated.iter().filter(|&&end| end).count();
        games += vector.drain_episodes().count();
    }
    assert_eq!((ends / 5, ends > 5), (games, true), "{ends} lives, {games} games");
}

#[test]
fn without_episodic_life_games_are_episodes() {
    let config = AtariConfig { episodic_life: false, ..AtariConfig::deepmind("breakout") };
    let mut player = Player::new(&config, 4);
    let (total, length, step) = player.finish(&mut Stream::from_seed(4));
    assert_eq!(step.episode.map(|episode| (episode.total_reward, episode.length)), Some((total, length)));
    assert!(length > 100);
}

#[test]
fn noop_starts_differ_and_are_within_their_range() {
    let emulator = Emulator::new(Rom::named("pong").unwrap(), Options::default()).unwrap();
    let mut play = NoopStart::new(Game::new(emulator, false), 30).unwrap();
    let mut frames = |seed| {
        play.start(seed).unwrap();
        play.inner().emulator().episode_frame()
    };
    let mut starts: Vec<_> = (0..30).map(|_| frames(None)).collect();
    assert!(starts.iter().all(|start| (1..=30).contains(start)), "{starts:?}");
    assert_eq!([frames(Some(4)), frames(None), frames(Some(4))], [frames(Some(4)), frames(None), frames(Some(4))]);
    starts.sort_unstable();
    starts.dedup();
    assert!(starts.len() > 12, "{starts:?}");
}

#[test]
fn frame_skip_repeats_the_action_and_adds_up_the_rewards() {
    let config = AtariConfig { preprocessing: Preprocessing::Gray, ..game("space_invaders") };
    let mut single = Player::new(&config, 1);
    let mut skipping = Player::new(&AtariConfig { frame_skip: 4, ..config }, 1);
    let mut stream = Stream::from_seed(8);
    let mut scored = 0.0;
    for number in 0..400 {
        let action = stream.below(6);
        let (mut reward, mut frames) = (0.0, vec![]);
        let mut done = false;
        for _ in 0..4 {
            let step = single.step(action);
            reward += step.reward;
            frames.push(single.seen.clone());
            done |= step.done();
            if done {
                break;
            }
        }
        let step = skipping.step(action);
        assert_eq!((step.reward, step.done()), (reward, done), "step {number}");
        if done {
            return;
        }
        let brighter: Vec<u8> = frames[2].iter().zip(&frames[3]).map(|(a, b)| *a.max(b)).collect();
        assert!(skipping.seen == brighter, "step {number}");
        scored += reward;
    }
    assert!(scored > 0.0);
}

#[test]
fn games_that_wait_for_the_button_start() {
    // Without it, Breakout has no ball, and nothing ever moves.
    let moved = |fire_reset| {
        let config = AtariConfig { fire_reset, ..game("breakout") };
        let mut player = Player::new(&config, 0);
        let first = player.seen.clone();
        (0..60).any(|_| {
            player.step(0);
            player.seen != first
        })
    };
    assert!(moved(true) && !moved(false));
    // And a game without a button is none the worse.
    Player::new(&AtariConfig { fire_reset: true, ..game("freeway") }, 0);
}

#[test]
fn a_restored_game_continues_as_the_saved_one() {
    let config = AtariConfig {
        repeat_action_probability: 0.25,
        frame_stack: 4,
        max_episode_frames: 800,
        ..AtariConfig::deepmind("seaquest")
    };
    let mut player = Player::new(&config, 5);
    let mut stream = Stream::from_seed(5);
    for _ in 0..150 {
        if player.step(stream.below(18)).done() {
            player.reset(None);
        }
    }
    let mut bytes = Vec::new();
    player.env.save_state(&mut bytes).unwrap();
    println!("{} bytes saved", bytes.len());
    let mut twin = Player::new(&config, 99);
    twin.env.restore_state(&bytes).unwrap();
    for number in 0..400 {
        let action = stream.below(18);
        let (step, same) = (player.step(action), twin.step(action));
        assert_eq!(step, same, "step {number}");
        assert!(player.seen == twin.seen, "step {number}");
        if step.done() {
            player.reset(None);
            twin.reset(None);
            assert!(player.seen == twin.seen, "after the reset at step {number}");
        }
    }
}

#[test]
fn impossible_settings_name_their_key() {
    let refused = |config: AtariConfig| EnvConfig::Atari(config).validate().unwrap_err().to_string();
    let error = refused(game("pongg"));
    assert!(error.starts_with("env.game = pongg: one of adventure, ") && error.contains("zaxxon"), "{error}");
    let error = refused(game("no-such-file.bin"));
    assert!(error.starts_with("env.game = no-such-file.bin: the file cannot be read"), "{error}");
    for (config, key) in [
        (AtariConfig { frame_skip: 0, ..game("pong") }, "frame_skip"),
        (AtariConfig { frame_stack: 0, ..game("pong") }, "frame_stack"),
        (AtariConfig { max_episode_frames: 0, ..game("pong") }, "max_episode_frames"),
        (AtariConfig { max_episode_frames: u32::MAX, ..game("pong") }, "max_episode_frames"),
        (AtariConfig { repeat_action_probability: 2.0, ..game("pong") }, "repeat_action_probability"),
        (AtariConfig { mode: Some(77), ..game("pong") }, "mode"),
        (AtariConfig { difficulty: Some(77), ..game("pong") }, "difficulty"),
    ] {
        let error = refused(config);
        assert!(error.starts_with(&format!("env.{key} = ")), "{error}");
    }
    let unknown = serde_json::from_str::<EnvConfig>(r#"{"name": "atari", "gmae": "pong"}"#).unwrap_err().to_string();
    assert!(unknown.contains("`gmae`") && unknown.contains("`game`"), "{unknown}");
}
