//! A console with a cartridge in it.

use crate::ffi::{Handle, Status};
use crate::{Action, Error, Palette, Result, Rom, Screen};

/// How a game is set up.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Probability with which, frame by frame, the last action is repeated in place of the new one: "sticky actions",
    /// 0.25 in Machado et al. 2018.
    pub repeat_action_probability: f32,
    /// Frames after which an episode is truncated; 0 = never.
    pub max_episode_frames: u32,
    /// The game's variant; `None` is its default one.
    pub mode: Option<u32>,
    /// Position of the difficulty switches; `None` is 0.
    pub difficulty: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self { repeat_action_probability: 0.0, max_episode_frames: 108_000, mode: None, difficulty: None }
    }
}

/// What a frame led to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Change of the score.
    pub reward: i32,
    /// The game is over.
    pub terminated: bool,
    /// The episode has reached its limit of frames.
    pub truncated: bool,
}

/// A console with a cartridge in it, switched on.
#[derive(Debug)]
pub struct Emulator {
    handle: Handle,
    rom: Rom,
    options: Options,
    palette: Palette,
    legal_actions: Vec<Action>,
    minimal_actions: Vec<Action>,
    status: Status,
}

impl Emulator {
    /// Puts the cartridge in and switches on. The random stream of sticky actions starts from seed 0.
    ///
    /// # Errors
    /// [`Error::Option`] for options that the game does not have.
    pub fn new(rom: Rom, options: Options) -> Result<Self> {
        let probability = options.repeat_action_probability;
        if !(0.0..=1.0).contains(&probability) {
            let problem = "from 0 to 1 expected";
            return Err(refused(&rom, "repeat_action_probability", probability, problem));
        }
        let mut handle = open(&rom, &options)?;
        let status = handle.reset().map_err(|problem| failed(&rom, problem))?;
        let palette = Palette::new(&handle.palette);
        let (legal_actions, minimal_actions) = (Action::of_bits(handle.legal), Action::of_bits(handle.minimal));
        Ok(Self { handle, rom, options, palette, legal_actions, minimal_actions, status })
    }

    /// The game's name.
    pub fn game(&self) -> &str {
        self.rom.game()
    }

    /// What the joystick can do in this game: all 18 actions in nearly all games.
    pub fn legal_actions(&self) -> &[Action] {
        &self.legal_actions
    }

    /// The actions that make a difference in this game.
    pub fn minimal_actions(&self) -> &[Action] {
        &self.minimal_actions
    }

    /// The colours.
    pub fn palette(&self) -> &Palette {
        &self.palette
    }

    /// Takes the cartridge out and puts it in again, with that seed for sticky actions: what follows does not depend
    /// on what was before. Then starts an episode.
    ///
    /// # Errors
    /// [`Error::Emulator`] if the cartridge cannot be read any more.
    pub fn seed(&mut self, seed: u32) -> Result<()> {
        self.handle = open(&self.rom, &self.options)?;
        self.handle.seed(seed);
        self.reset()
    }

    /// Starts an episode.
    ///
    /// # Errors
    /// [`Error::Emulator`] if the emulator fails.
    pub fn reset(&mut self) -> Result<()> {
        self.status = self.handle.reset().map_err(|problem| failed(&self.rom, problem))?;
        Ok(())
    }

    /// Plays one frame. After the end of an episode nothing moves until it is reset.
    ///
    /// # Errors
    /// [`Error::Emulator`] if the emulator fails.
    pub fn act(&mut self, action: Action) -> Result<Outcome> {
        self.status = self.handle.act(action).map_err(|problem| failed(&self.rom, problem))?;
        let Status { reward, over, truncated, .. } = self.status;
        Ok(Outcome { reward, terminated: over, truncated })
    }

    /// What the television shows.
    pub fn screen(&self) -> Screen<'_> {
        Screen { pixels: self.handle.screen(), height: self.handle.height, width: self.handle.width }
    }

    /// The console's memory.
    pub fn ram(&self) -> &[u8; 128] {
        self.handle.ram()
    }

    /// Lives left; 0 in games that have none, or 1 until the game is over.
    pub fn lives(&self) -> u32 {
        self.status.lives.max(0) as u32
    }

    /// Frames since the cartridge was put in.
    pub fn frame(&self) -> u32 {
        self.status.frame.max(0) as u32
    }

    /// Frames of this episode.
    pub fn episode_frame(&self) -> u32 {
        self.status.episode_frame.max(0) as u32
    }

    /// Appends the whole state: console, screen, lives and score, and the random stream of sticky actions.
    ///
    /// # Errors
    /// [`Error::Emulator`] if the emulator fails.
    pub fn save(&self, bytes: &mut Vec<u8>) -> Result<()> {
        let start = bytes.len();
        bytes.extend([0; size_of::<u64>()]);
        self.handle.save(bytes).map_err(|problem| failed(&self.rom, problem))?;
        let sum = checksum(&bytes[start + size_of::<u64>()..]);
        bytes[start..start + size_of::<u64>()].copy_from_slice(&sum.to_le_bytes());
        Ok(())
    }

    /// Takes over what [`Emulator::save`] wrote for the same game and options: what follows is as it would have been
    /// there.
    ///
    /// The state is told from a damaged one by its checksum. That is no defence against bytes made to deceive: they
    /// reach the emulator, which trusts them.
    ///
    /// # Errors
    /// [`Error::State`] for bytes that are not exactly such a state.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<()> {
        let refused = |problem: String| Error::State { game: self.rom.game().into(), problem };
        let (sum, state) =
            bytes.split_first_chunk().ok_or_else(|| refused(format!("it has only {} bytes", bytes.len())))?;
        if u64::from_le_bytes(*sum) != checksum(state) {
            return Err(refused("its checksum does not fit".into()));
        }
        self.status = self.handle.restore(state).map_err(refused)?;
        Ok(())
    }
}

/// The cartridge, newly put in.
fn open(rom: &Rom, options: &Options) -> Result<Handle> {
    let max_frames = i32::try_from(options.max_episode_frames).map_err(|_| {
        let problem = format!("at most {} expected", i32::MAX);
        refused(rom, "max_episode_frames", options.max_episode_frames, &problem)
    })?;
    let mut handle = Handle::open(rom.path(), options.repeat_action_probability, max_frames)
        .map_err(|problem| failed(rom, problem))?;
    if let Some(mode) = options.mode {
        handle.set_mode(mode).map_err(|problem| refused(rom, "mode", mode, &problem))?;
    }
    if let Some(difficulty) = options.difficulty {
        handle.set_difficulty(difficulty).map_err(|problem| refused(rom, "difficulty", difficulty, &problem))?;
    }
    Ok(handle)
}

fn refused(rom: &Rom, option: &'static str, value: impl ToString, problem: &str) -> Error {
    Error::Option { game: rom.game().into(), option, value: value.to_string(), problem: problem.into() }
}

fn failed(rom: &Rom, problem: String) -> Error {
    Error::Emulator { game: rom.game().into(), problem }
}

/// FNV-1a over words of eight bytes, the last one filled up with zeros.
fn checksum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let words = words.iter().chain([&last]).map(|word| u64::from_le_bytes(*word));
    words
        .chain([bytes.len() as u64])
        .fold(0xCBF2_9CE4_8422_2325, |sum, word| (sum ^ word).wrapping_mul(0x0000_0100_0000_01B3).rotate_left(29))
}
