//! The last few observations as one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Action, Dtype, Env, Error, ObservationMut, Result, Screen, Space, Step, state};

/// Shows the last n observations, oldest first, joined along the first axis: `[1, 84, 84]` becomes `[n, 84, 84]`.
/// At the start of an episode all n are the first observation.
#[derive(Debug)]
pub struct FrameStack<E> {
    env: E,
    /// Elements of one frame.
    frame: usize,
    observation_space: Space,
    frames: Frames,
}

/// The stacked frames, oldest first, and behind them the place where the environment writes the next one: a step that
/// is refused leaves the stack as it was.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Frames {
    F32(Vec<f32>),
    U8(Vec<u8>),
}

impl Frames {
    /// The place of the next frame.
    fn next(&mut self, frame: usize) -> ObservationMut<'_> {
        match self {
            Self::F32(values) => {
                let at = values.len() - frame;
                ObservationMut::F32(&mut values[at..])
            }
            Self::U8(values) => {
                let at = values.len() - frame;
                ObservationMut::U8(&mut values[at..])
            }
        }
    }

    /// Drops the oldest frame and takes in the next one.
    fn push(&mut self, frame: usize) {
        match self {
            Self::F32(values) => values.copy_within(frame.., 0),
            Self::U8(values) => values.copy_within(frame.., 0),
        }
    }

    /// Writes the stack.
    fn write(&self, frame: usize, observation: ObservationMut<'_>) -> Result<()> {
        match self {
            Self::F32(values) => {
                let stack = &values[..values.len() - frame];
                observation.f32(stack.len())?.copy_from_slice(stack);
            }
            Self::U8(values) => {
                let stack = &values[..values.len() - frame];
                observation.u8(stack.len())?.copy_from_slice(stack);
            }
        }
        Ok(())
    }

    /// Length and element type.
    fn kind(&self) -> (usize, Dtype) {
        match self {
            Self::F32(values) => (values.len(), Dtype::F32),
            Self::U8(values) => (values.len(), Dtype::U8),
        }
    }
}

impl<E: Env> FrameStack<E> {
    /// Stacks `frames` observations.
    ///
    /// # Errors
    /// [`Error::Config`], key `frame_stack`, for 0 frames, and [`Error::Buffer`] for discrete observations.
    pub fn new(env: E, frames: usize) -> Result<Self> {
        if frames == 0 {
            return Err(Error::Config { key: "frame_stack", value: "0".into(), allowed: "at least 1".into() });
        }
        let Space::Box { low, high, shape, dtype } = env.observation_space() else {
            let got = env.observation_space().to_string();
            return Err(Error::Buffer { what: "observation", expected: "a box".into(), got });
        };
        let mut shape = shape.clone();
        match shape.first_mut() {
            Some(first) => *first *= frames,
            None => shape.push(frames),
        }
        let (frame, dtype) = (low.len(), *dtype);
        let observation_space = Space::Box { low: low.repeat(frames), high: high.repeat(frames), shape, dtype };
        let frames = match dtype {
            Dtype::F32 => Frames::F32(vec![0.0; frame * (frames + 1)]),
            Dtype::U8 => Frames::U8(vec![0; frame * (frames + 1)]),
        };
        Ok(Self { env, frame, observation_space, frames })
    }

    /// Refuses a buffer that does not fit, before the environment inside moves.
    fn check(&self, observation: &mut ObservationMut<'_>) -> Result<()> {
        let len = self.observation_space.len();
        match self.observation_space.dtype() {
            Dtype::F32 => observation.reborrow().f32(len).map(drop),
            Dtype::U8 => observation.reborrow().u8(len).map(drop),
        }
    }

    /// The environment inside.
    pub fn inner(&self) -> &E {
        &self.env
    }
}

impl<E: Env> Env for FrameStack<E> {
    fn name(&self) -> &str {
        self.env.name()
    }

    fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    fn action_space(&self) -> &Space {
        self.env.action_space()
    }

    fn reset(&mut self, seed: Option<u64>, mut observation: ObservationMut<'_>) -> Result<()> {
        self.check(&mut observation)?;
        self.env.reset(seed, self.frames.next(self.frame))?;
        for _ in 0..self.observation_space.len() / self.frame.max(1) {
            self.frames.push(self.frame);
        }
        self.frames.write(self.frame, observation)
    }

    fn step(&mut self, action: Action<'_>, mut observation: ObservationMut<'_>) -> Result<Step> {
        self.check(&mut observation)?;
        let step = self.env.step(action, self.frames.next(self.frame))?;
        self.frames.push(self.frame);
        self.frames.write(self.frame, observation)?;
        Ok(step)
    }

    fn lost_its_episode(&self) -> bool {
        self.env.lost_its_episode()
    }

    fn begin_step(&mut self, action: Action<'_>) -> Result<()> {
        self.env.begin_step(action)
    }

    fn limit_calls(&mut self, limit: Option<Duration>) -> bool {
        self.env.limit_calls(limit)
    }

    fn save_state(&self, bytes: &mut Vec<u8>) -> Result<()> {
        state::save(self.name(), &self.frames, bytes)?;
        self.env.save_state(bytes)
    }

    fn restore_state(&mut self, bytes: &[u8]) -> Result<()> {
        let (frames, inner): (Frames, _) = state::split(self.name(), bytes)?;
        if frames.kind() != self.frames.kind() {
            let ((len, dtype), (expected, _)) = (frames.kind(), self.frames.kind());
            let problem = format!("stacked frames of {len} × {dtype:?}, expected {expected}");
            return Err(state::refused(self.name(), problem));
        }
        self.env.restore_state(inner)?;
        self.frames = frames;
        Ok(())
    }

    fn records_episodes(&self) -> bool {
        self.env.records_episodes()
    }

    fn oracle_return(&self) -> Option<f64> {
        self.env.oracle_return()
    }

    fn render(&self) -> Option<String> {
        self.env.render()
    }

    fn screen(&self) -> Option<Screen> {
        self.env.screen()
    }
}
