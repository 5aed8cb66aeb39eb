//! Playing episodes of random actions and recording what happened.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use stpn_random::{Purpose, Stream};

use super::CheckOptions;
use crate::{Dtype, Env, ObservationMut, Result, Sample};

/// A check's result: what is wrong, in words.
pub(super) type Verdict<T = ()> = std::result::Result<T, String>;

/// The environment under test.
pub(super) struct Subject<'a> {
    make: &'a (dyn Fn() -> Result<Box<dyn Env>> + Sync),
    pub options: CheckOptions,
}

impl<'a> Subject<'a> {
    pub fn new(make: &'a (dyn Fn() -> Result<Box<dyn Env>> + Sync), options: CheckOptions) -> Self {
        Self { make, options }
    }

    pub fn make(&self) -> Result<Box<dyn Env>> {
        (self.make)()
    }

    /// A new instance, not yet reset.
    pub fn player(&self) -> Verdict<Player> {
        let env = self.make().map_err(|error| format!("cannot be made: {error}"))?;
        Ok(Player::new(env, self.options.seed))
    }

    /// How many steps to play: one whole episode and a part of what follows, 200 at least.
    pub fn length(&self) -> Verdict<usize> {
        Ok(self.first_end()?.max(100) + 100)
    }

    /// Steps of the first episode.
    pub fn first_end(&self) -> Verdict<usize> {
        let mut player = self.player()?;
        player.reset(Some(self.options.seed))?;
        for number in 1..=self.options.steps {
            if player.step()?.done() {
                return Ok(number);
            }
        }
        Err(format!("no episode ended within {} steps", self.options.steps))
    }

    /// What the first `steps` steps are like.
    pub fn trace(&self, steps: usize) -> Verdict<Vec<Moment>> {
        self.player()?.play_from(self.options.seed, steps)
    }
}

/// What came of a step or reset; observations by their hash, for those of pixels are large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub observation: u64,
    /// The reward's bits, so that NaN equals NaN.
    pub reward: u64,
    pub terminated: bool,
    pub truncated: bool,
    /// Of the next episode, where this one ended.
    pub next_observation: Option<u64>,
}

impl Moment {
    pub fn done(self) -> bool {
        self.terminated || self.truncated
    }
}

/// The first difference of two traces, in words; `taken` is the number of steps behind their first moments.
pub(super) fn same(trace: &[Moment], expected: &[Moment], taken: usize) -> Verdict {
    let Some(at) = trace.iter().zip(expected).position(|(left, right)| left != right) else {
        return if trace.len() == expected.len() { Ok(()) } else { Err("another number of steps".into()) };
    };
    let (left, right) = (&trace[at], &expected[at]);
    let what = if left.reward != right.reward {
        format!("the reward is {} in place of {}", f64::from_bits(left.reward), f64::from_bits(right.reward))
    } else if (left.terminated, left.truncated) != (right.terminated, right.truncated) {
        "the end of the episode differs".into()
    } else if left.observation != right.observation {
        "the observation differs".into()
    } else {
        "the next episode's first observation differs".into()
    };
    Err(format!("after {} steps {what}", taken + at))
}

/// A buffer of observations.
#[derive(Clone, Debug)]
pub(super) enum Buffer {
    F32(Vec<f32>),
    U8(Vec<u8>),
}

impl Buffer {
    pub fn new(dtype: Dtype, len: usize) -> Self {
        match dtype {
            Dtype::F32 => Self::F32(vec![0.0; len]),
            Dtype::U8 => Self::U8(vec![0; len]),
        }
    }

    pub fn get(&mut self) -> ObservationMut<'_> {
        match self {
            Self::F32(values) => ObservationMut::F32(values),
            Self::U8(values) => ObservationMut::U8(values),
        }
    }

    pub fn fill(&mut self, value: u8) {
        match self {
            Self::F32(values) => values.fill(f32::from(value)),
            Self::U8(values) => values.fill(value),
        }
    }

    /// Hash of row `row` of `width` elements.
    pub fn hash(&self, row: usize, width: usize) -> u64 {
        let mut hasher = DefaultHasher::new();
        let range = row * width..(row + 1) * width;
        match self {
            Self::F32(values) => values[range].iter().for_each(|value| value.to_bits().hash(&mut hasher)),
            Self::U8(values) => values[range].hash(&mut hasher),
        }
        hasher.finish()
    }

    /// The elements as floats.
    pub fn values(&self) -> Vec<f32> {
        match self {
            Self::F32(values) => values.clone(),
            Self::U8(values) => values.iter().map(|&value| value.into()).collect(),
        }
    }
}

/// One instance with its stream of random actions. Errors become words.
pub(super) struct Player {
    pub env: Box<dyn Env>,
    pub actions: Stream,
    pub buffer: Buffer,
    /// What the buffer holds before every call.
    pub fill: u8,
    /// Elements of observations that are not looked at.
    pub skipped: Range<usize>,
    /// The action of the last step.
    pub taken: Option<Sample>,
}

impl Player {
    pub fn new(env: Box<dyn Env>, seed: u64) -> Self {
        let space = env.observation_space();
        let buffer = Buffer::new(space.dtype(), space.len());
        Self { env, actions: Stream::new(seed, Purpose::Test, 0), buffer, fill: 0, skipped: 0..0, taken: None }
    }

    fn hash(&self) -> u64 {
        let width = self.env.observation_space().len();
        if self.skipped.is_empty() {
            return self.buffer.hash(0, width);
        }
        let mut buffer = self.buffer.clone();
        match &mut buffer {
            Buffer::F32(values) => values[self.skipped.clone()].fill(0.0),
            Buffer::U8(values) => values[self.skipped.clone()].fill(0),
        }
        buffer.hash(0, width)
    }

    pub fn reset(&mut self, seed: Option<u64>) -> Verdict<Moment> {
        self.buffer.fill(self.fill);
        self.env.reset(seed, self.buffer.get()).map_err(|error| format!("reset failed: {error}"))?;
        let observation = self.hash();
        Ok(Moment { observation, reward: 0, terminated: false, truncated: false, next_observation: None })
    }

    /// A random step, without a reset.
    pub fn step(&mut self) -> Verdict<Moment> {
        let action = self.env.action_space().sample(&mut self.actions);
        self.buffer.fill(self.fill);
        let step = self.env.step(action.get(), self.buffer.get());
        let step = step.map_err(|error| format!("step failed: {error}"))?;
        self.taken = Some(action);
        Ok(Moment {
            observation: self.hash(),
            reward: step.reward.to_bits(),
            terminated: step.terminated,
            truncated: step.truncated,
            next_observation: None,
        })
    }

    /// A random step, and a reset where it ends the episode.
    pub fn step_on(&mut self) -> Verdict<Moment> {
        let mut moment = self.step()?;
        if moment.done() {
            moment.next_observation = Some(self.reset(None)?.observation);
        }
        Ok(moment)
    }

    /// That many steps from here.
    pub fn play(&mut self, steps: usize) -> Verdict<Vec<Moment>> {
        (0..steps).map(|_| self.step_on()).collect()
    }

    /// A reset with that seed, fresh random actions, and that many steps.
    pub fn play_from(&mut self, seed: u64, steps: usize) -> Verdict<Vec<Moment>> {
        self.actions = Stream::new(seed, Purpose::Test, 0);
        let mut trace = vec![self.reset(Some(seed))?];
        trace.extend(self.play(steps)?);
        Ok(trace)
    }
}
