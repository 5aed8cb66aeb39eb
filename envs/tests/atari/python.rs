//! Atari games against recordings of ale_py and Gymnasium by `python/atari_recordings.py`.
//!
//! The committed copy is compared by default; it is short. `STPN_ATARI_RECORDINGS=DIRECTORY` names another one:
//! `cargo xtask check` makes one of 2,000 frames a game.

use std::fs;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use stpn_atari::{Action as Joystick, Emulator, Options, Rom};
use stpn_envs::atari::{AtariConfig, Preprocessing};
use stpn_envs::{Action, ObservationMut};

const GAMES: [&str; 4] = ["pong", "breakout", "seaquest", "space_invaders"];

#[derive(Deserialize)]
struct Game {
    ale: String,
    game: String,
    seed: u32,
    probability: f32,
    /// Action, reward, lives, end of the episode, hash of memory and screens.
    frames: Vec<(u8, i32, u32, bool, String)>,
}

#[derive(Deserialize)]
struct Pictures {
    gymnasium: String,
    opencv: String,
    /// Action, reward, end of the episode.
    steps: Vec<(usize, f64, bool)>,
}

fn directory() -> PathBuf {
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/trajectories/atari");
    std::env::var_os("STPN_ATARI_RECORDINGS").map_or_else(|| committed.into(), PathBuf::from)
}

fn read(name: &str) -> Vec<u8> {
    let path = directory().join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn recording<T: DeserializeOwned>(name: &str) -> T {
    serde_json::from_slice(&read(name)).unwrap()
}

/// Memory, palette screen, gray screen, colour screen.
fn digest(emulator: &Emulator) -> String {
    let (pixels, palette) = (emulator.screen().pixels, emulator.palette());
    let mut hasher = Sha256::new();
    hasher.update(emulator.ram());
    hasher.update(pixels);
    hasher.update(pixels.iter().map(|&pixel| palette.gray[usize::from(pixel)]).collect::<Vec<_>>());
    hasher.update(pixels.iter().flat_map(|&pixel| palette.rgb[usize::from(pixel)]).collect::<Vec<_>>());
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn play(kind: &str) {
    for game in GAMES {
        let recording: Game = recording(&format!("{game}-{kind}.json"));
        assert_eq!((recording.ale.as_str(), recording.game.as_str()), (stpn_atari::VERSION, game));
        let options = Options {
            repeat_action_probability: recording.probability,
            max_episode_frames: 1500,
            ..Options::default()
        };
        let mut emulator = Emulator::new(Rom::named(game).unwrap(), options).unwrap();
        emulator.seed(recording.seed).unwrap();
        let (mut total, mut ends) = (0, 0);
        for (number, (action, reward, lives, over, hash)) in recording.frames.iter().enumerate() {
            let outcome = emulator.act(Joystick::ALL[usize::from(*action)]).unwrap();
            let ended = outcome.terminated || outcome.truncated;
            assert_eq!((outcome.reward, ended), (*reward, *over), "{game}: frame {number}");
            assert_eq!(emulator.lives(), *lives, "{game}: frame {number}");
            assert_eq!(&digest(&emulator), hash, "{game}: memory or screens of frame {number}");
            total += outcome.reward.abs();
            if ended {
                ends += 1;
                emulator.reset().unwrap();
            }
        }
        let (frames, ale) = (recording.frames.len(), &recording.ale);
        println!("{game}, {kind}: {frames} frames as ale_py {ale}; rewards of {total}, {ends} episodes ended");
        assert!(frames > 0);
    }
}

#[test]
fn games_are_those_of_ale_py() {
    play("plain");
}

#[test]
fn sticky_actions_are_those_of_ale_py() {
    play("sticky");
}

fn pictures(kind: &str, config: &AtariConfig) {
    for game in GAMES {
        let recording: Pictures = recording(&format!("{game}-{kind}.json"));
        let pictures = read(&format!("{game}-{kind}.u8"));
        let mut pictures = pictures.chunks_exact(84 * 84);
        let mut env = AtariConfig { game: game.into(), ..config.clone() }.make().unwrap();
        let mut seen = vec![0; 84 * 84];
        env.reset(Some(1), ObservationMut::U8(&mut seen)).unwrap();
        let mut largest = 0;
        let mut compare = |seen: &[u8], number: usize| {
            let off =
                seen.iter().zip(pictures.next().unwrap()).map(|(left, right)| left.abs_diff(*right)).max().unwrap();
            assert!(off <= 1, "{game}: picture {number} is {off} gray levels off");
            largest = largest.max(off);
        };
        compare(&seen, 0);
        for (number, (action, reward, end)) in recording.steps.iter().enumerate() {
            let step = env.step(Action::Discrete(*action), ObservationMut::U8(&mut seen)).unwrap();
            assert_eq!((step.reward, step.done()), (*reward, *end), "{game}: step {number}");
            if *end {
                env.reset(None, ObservationMut::U8(&mut seen)).unwrap();
            }
            compare(&seen, number + 1);
        }
        assert!(pictures.next().is_none());
        let (count, Pictures { gymnasium, opencv, .. }) = (recording.steps.len() + 1, &recording);
        println!("{game}, {kind}: {count} pictures at most {largest} off Gymnasium {gymnasium}, OpenCV {opencv}");
    }
}

#[test]
fn standard_pictures_are_those_of_gymnasium() {
    let preprocessing = Preprocessing::Deepmind;
    pictures("deepmind", &AtariConfig { preprocessing, frame_skip: 4, ..AtariConfig::default() });
}

#[test]
fn pictures_of_the_paper_are_those_of_opencv() {
    pictures("paper", &AtariConfig::default());
}
