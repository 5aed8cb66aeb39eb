//! Every game of the archive: plays, and goes on from a saved state exactly as without.

#![cfg(feature = "emulator")]
#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

use stpn_atari::{Action, Emulator, Error, Options, Rom, games};

fn open(game: &str, options: &Options) -> Emulator {
    Emulator::new(Rom::named(game).unwrap(), options.clone()).unwrap()
}

fn sticky() -> Options {
    Options { repeat_action_probability: 0.25, ..Options::default() }
}

/// Pseudo-random legal actions by a linear congruence, new episodes where they end.
struct Player(u64);

impl Player {
    fn act(&mut self, emulator: &mut Emulator) -> (i32, bool) {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let actions = emulator.minimal_actions();
        let action = actions[(self.0 >> 33) as usize % actions.len()];
        let outcome = emulator.act(action).unwrap();
        let over = outcome.terminated || outcome.truncated;
        if over {
            emulator.reset().unwrap();
        }
        (outcome.reward, over)
    }
}

/// Everything that can be seen of a frame.
fn seen(emulator: &Emulator) -> (Vec<u8>, [u8; 128], u32, u32) {
    let screen = emulator.screen();
    (screen.pixels.to_vec(), *emulator.ram(), emulator.lives(), emulator.frame())
}

#[test]
fn every_game_goes_on_from_a_saved_state_in_another_emulator() {
    // Episodes are short, so that new ones start in between.
    let options = Options { max_episode_frames: 300, ..sticky() };
    for (index, game) in games().unwrap().iter().enumerate() {
        let mut emulator = open(game, &options);
        emulator.seed(index as u32).unwrap();
        let mut player = Player(index as u64);
        for _ in 0..150 + index {
            player.act(&mut emulator);
        }
        let mut saved = Vec::new();
        emulator.save(&mut saved).unwrap();
        let mut other = open(game, &options);
        other.restore(&saved).unwrap();
        assert_eq!(seen(&other), seen(&emulator), "{game}: right after");
        let mut again = Vec::new();
        other.save(&mut again).unwrap();
        assert!(again == saved, "{game}: saved again");
        let mut twin = Player(player.0);
        for frame in 0..250 {
            assert_eq!(twin.act(&mut other), player.act(&mut emulator), "{game}: frame {frame}");
            assert_eq!(seen(&other), seen(&emulator), "{game}: frame {frame}");
        }
    }
}

#[test]
fn there_are_all_games_but_those_for_two_players() {
    let games = games().unwrap();
    assert_eq!(games.len(), 104);
    for game in &games {
        assert_eq!(Rom::named(game).unwrap().game(), game);
    }
}

#[test]
fn threads_play_as_one_does() {
    let play = |game: &str, seed: u32| {
        let mut emulator = open(game, &sticky());
        emulator.seed(seed).unwrap();
        let mut player = Player(u64::from(seed));
        (0..400).map(|_| (player.act(&mut emulator), seen(&emulator))).collect::<Vec<_>>()
    };
    let cases = [("pong", 1), ("breakout", 2), ("pong", 3), ("seaquest", 4)];
    let expected: Vec<_> = cases.map(|(game, seed)| play(game, seed)).into();
    let threads: Vec<_> = cases.map(|(game, seed)| std::thread::spawn(move || play(game, seed))).into();
    for (thread, expected) in threads.into_iter().zip(expected) {
        assert!(thread.join().unwrap() == expected);
    }
}

#[test]
fn a_seed_starts_anew_and_decides_what_sticks() {
    let trace = |emulator: &mut Emulator, seed: u32| {
        emulator.seed(seed).unwrap();
        let mut player = Player(5);
        (0..600).map(|_| (player.act(emulator), *emulator.ram())).collect::<Vec<_>>()
    };
    let mut emulator = open("breakout", &sticky());
    let first = trace(&mut emulator, 7);
    assert!(first != trace(&mut emulator, 8), "another seed, the same game");
    assert!(first == trace(&mut emulator, 7), "the same seed, another game");
    assert!(first == trace(&mut open("breakout", &sticky()), 7), "a new emulator differs");
}

#[test]
fn episodes_are_truncated_at_their_limit() {
    let mut emulator = open("pong", &Options { max_episode_frames: 10, ..Options::default() });
    for _ in 0..2 {
        emulator.reset().unwrap();
        let truncated: Vec<bool> = (0..10).map(|_| emulator.act(Action::Noop).unwrap().truncated).collect();
        assert_eq!(truncated, [false, false, false, false, false, false, false, false, false, true]);
        assert_eq!(emulator.episode_frame(), 10);
    }
}

#[test]
fn actions_and_colours_are_those_of_the_game() {
    use Action::{Fire, Left, LeftFire, Noop, Right, RightFire};
    let emulator = open("pong", &Options::default());
    assert_eq!(emulator.minimal_actions(), [Noop, Fire, Right, Left, RightFire, LeftFire]);
    assert_eq!(emulator.legal_actions(), Action::ALL);
    assert_eq!((emulator.screen().height, emulator.screen().width), (210, 160));
    for index in (0..256).step_by(2) {
        let [red, green, blue] = emulator.palette().rgb[index].map(f64::from);
        let gray = (0.2989 * red + 0.587 * green + 0.114 * blue).round() as u8;
        assert_eq!(emulator.palette().gray[index], gray, "colour {index}");
    }
    assert_eq!(open("breakout", &Options::default()).lives(), 5);
}

#[test]
fn modes_and_difficulties_are_the_games() {
    let with = |mode, difficulty| {
        let options = Options { mode, difficulty, ..Options::default() };
        Emulator::new(Rom::named("pong").unwrap(), options)
    };
    let ram = |emulator: Emulator| *emulator.ram();
    assert_ne!(ram(with(Some(1), None).unwrap()), ram(with(None, None).unwrap()));
    with(None, Some(3)).unwrap();
    let error = with(Some(99), None).unwrap_err().to_string();
    assert_eq!(error, "pong: mode 99: Invalid game mode requested");
    let error = with(None, Some(9)).unwrap_err().to_string();
    assert_eq!(error, "pong: difficulty 9: Invalid difficulty requested");
}

#[test]
fn what_is_no_game_is_refused() {
    let error = Rom::named("pongg").unwrap_err().to_string();
    assert!(error.starts_with("no game named `pongg`; there are: adventure, ") && error.contains(" pong, "), "{error}");
    assert!(matches!(Rom::named("../roms/pong"), Err(Error::UnknownGame { .. })));
    let directory = std::env::temp_dir().join(format!("stpn-atari-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("pong.bin");
    for (bytes, problem) in [
        (&b"no cartridge"[..], "is none of the games"),
        (&[], "is none of the games"),
        (&[0; 600 * 1024], "no cartridge has more than"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let error = Rom::file(&path).unwrap_err().to_string();
        assert!(error.contains("pong.bin") && error.contains(problem), "{error}");
    }
    // By its bytes alone, whatever its name.
    let copy = directory.join("mine.bin");
    std::fs::copy(Rom::named("breakout").unwrap().path(), &copy).unwrap();
    assert_eq!(Rom::file(&copy).unwrap().game(), "breakout");
    std::fs::remove_dir_all(&directory).unwrap();
    assert!(Rom::file(&copy).unwrap_err().to_string().contains("cannot be read"));
    let probability = |repeat_action_probability| {
        let options = Options { repeat_action_probability, ..Options::default() };
        Emulator::new(Rom::named("pong").unwrap(), options)
    };
    assert!(probability(1.5).is_err() && probability(f32::NAN).is_err() && probability(1.0).is_ok());
}

#[test]
fn damaged_states_and_those_of_other_games_are_refused() {
    let mut pong = open("pong", &Options::default());
    let mut saved = Vec::new();
    pong.save(&mut saved).unwrap();
    let mut refused = |bytes: &[u8]| pong.restore(bytes).unwrap_err().to_string();
    for length in [0, 7, 8, 100, saved.len() - 1] {
        assert!(refused(&saved[..length]).starts_with("pong: saved state refused"));
    }
    for at in [8, 1000, saved.len() - 1] {
        let mut flipped = saved.clone();
        flipped[at] ^= 4;
        assert!(refused(&flipped).contains("checksum"));
    }
    let error = open("breakout", &Options::default()).restore(&saved).unwrap_err().to_string();
    assert!(error.starts_with("breakout: saved state refused: "), "{error}");
}
