//! An environment with a flaw of one's choice.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use stpn_envs::{Action, Dtype, Env, Error, ObservationMut, Result, Space, Step, state};
use stpn_random::Stream;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Flaw {
    None,
    NewSpaces,
    InvertedBounds,
    TooFewBounds,
    NoChoice,
    Endless,
    Panics,
    NanObservation,
    InfiniteReward,
    OutOfBounds,
    Unwritten,
    UnwrittenAtReset,
    OwnEntropy,
    SharedState,
    SeedIgnoresRest,
    SameWithoutSeed,
    MindsActions,
    MindsActionsBesides,
    EchoesAnotherForm,
    EchoesBeyond,
    EchoesWrongly,
    EchoesAtReset,
    ForgetsTheSteps,
    ForgetsTheSeed,
    ForgetsTheStream,
    SavingOverwrites,
    TakesLongStates,
    TakesEmptyStates,
    StepsBeforeReset,
    StepsAfterTheEnd,
    ClampsActions,
    RefusedActionCounts,
    TakesShortBuffers,
    HugeReward,
}

/// Each flaw, the rule that must catch it, and a part of what it must say.
pub const FLAWS: &[(Flaw, &str, &str)] = &[
    (Flaw::NewSpaces, "spaces", "the action space is Discrete("),
    (Flaw::InvertedBounds, "spaces", "element 1 of the observation space is from 2 to 1"),
    (Flaw::TooFewBounds, "spaces", "of shape [3] has 2 lower, 2 upper bounds"),
    (Flaw::NoChoice, "spaces", "nothing to choose from"),
    (Flaw::Endless, "episodes", "no episode ended within 500 steps"),
    (Flaw::Panics, "episodes", "panicked: out of luck"),
    (Flaw::NanObservation, "finite", "element 1 of the observation is NaN"),
    (Flaw::InfiniteReward, "finite", "the reward is inf"),
    (Flaw::OutOfBounds, "bounds", "element 1 of the observation is 7, 0 to 1 expected"),
    (Flaw::Unwritten, "whole", "the observation differs"),
    (Flaw::UnwrittenAtReset, "whole", "after 0 steps the observation differs"),
    (Flaw::OwnEntropy, "determinism", "in a second instance, after"),
    (Flaw::SharedState, "determinism", "beside another instance, after"),
    (Flaw::SeedIgnoresRest, "seeding", "reset with the same seed within an episode"),
    (Flaw::SameWithoutSeed, "seeding", "without a seed are all the same"),
    (Flaw::MindsActions, "foresight", "with other actions, after"),
    (Flaw::MindsActionsBesides, "foresight", "the observation differs: `echoes_actions` must say no"),
    (Flaw::EchoesAnotherForm, "foresight", "cannot show a choice"),
    (Flaw::EchoesBeyond, "foresight", "`echoes_actions` says 2..4 of 3 elements"),
    (Flaw::EchoesWrongly, "foresight", "does not show the action before"),
    (Flaw::EchoesAtReset, "foresight", "an episode begins with another observation"),
    (Flaw::ForgetsTheSteps, "save-restore", "restored in the same instance"),
    // The same instance still has what the saved state lacks.
    (Flaw::ForgetsTheSeed, "save-restore", "restored in a new instance"),
    (Flaw::ForgetsTheStream, "save-restore", "restored in the same instance"),
    (Flaw::SavingOverwrites, "save-restore", "does not append"),
    (Flaw::TakesLongStates, "bad-states", "a byte too many is restored"),
    (Flaw::TakesEmptyStates, "bad-states", "no bytes is restored"),
    (Flaw::StepsBeforeReset, "order", "before the first reset"),
    (Flaw::StepsAfterTheEnd, "order", "after the end of the episode"),
    (Flaw::ClampsActions, "actions", "Discrete(2) is taken"),
    (Flaw::RefusedActionCounts, "actions", "after refused actions, after"),
    (Flaw::TakesShortBuffers, "buffers", "reset writes into a buffer one element short"),
    (Flaw::HugeReward, "auto-reset", "its reward is 1"),
];

static INSTANCES: AtomicU64 = AtomicU64::new(0);
static STEPS: AtomicU64 = AtomicU64::new(0);

/// A walk between 0 and 9 with random pushes; the observation is place / 9, a random number, and 1 for place 5.
pub struct Flawed {
    flaw: Flaw,
    observation_space: Space,
    action_space: Space,
    instance: u64,
    seed: u64,
    state: State,
}

#[derive(Clone, Serialize, Deserialize)]
struct State {
    stream: Stream,
    place: i64,
    steps: u64,
    running: bool,
    last: usize,
}

impl Flawed {
    pub fn new(flaw: Flaw) -> Self {
        let instance = INSTANCES.fetch_add(1, Ordering::Relaxed);
        let mut observation_space = Space::boxed(0.0, 1.0, [3]);
        if let Space::Box { low, high, .. } = &mut observation_space {
            match flaw {
                Flaw::InvertedBounds => (low[1], high[1]) = (2.0, 1.0),
                Flaw::TooFewBounds => (low.truncate(2), high.truncate(2)).0,
                _ => {}
            }
        }
        let choices = match flaw {
            Flaw::NoChoice => 0,
            Flaw::NewSpaces => 2 + instance as usize,
            _ => 2,
        };
        let state = State { stream: Stream::from_seed(0), place: 0, steps: 0, running: false, last: 0 };
        Self { flaw, observation_space, action_space: Space::discrete(choices), instance, seed: 0, state }
    }

    /// A sound one that observes bytes.
    pub fn pixels() -> Self {
        Self { observation_space: Space::pixels([1, 1, 3]), ..Self::new(Flaw::None) }
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }

    fn observe(&mut self, observation: ObservationMut<'_>, reset: bool) -> Result<()> {
        if self.has(Flaw::TakesShortBuffers) && observation.len() < 3 {
            return Ok(());
        }
        let noise = self.state.stream.unit() as f32;
        let whole = [self.state.place.clamp(0, 9) as f32 / 9.0, noise, f32::from(u8::from(self.state.place == 5))];
        if self.observation_space.dtype() == Dtype::U8 {
            observation.u8(3)?.copy_from_slice(&whole.map(|value| (value * 255.0) as u8));
            return Ok(());
        }
        let values = observation.f32(3)?;
        values[..2].copy_from_slice(&whole[..2]);
        let late = self.state.steps > 3;
        match self.flaw {
            Flaw::Unwritten if late => return Ok(()),
            Flaw::UnwrittenAtReset if reset => return Ok(()),
            Flaw::NanObservation if late => values[1] = f32::NAN,
            Flaw::OutOfBounds if late => values[1] = 7.0,
            _ => {}
        }
        values[2] = whole[2];
        if self.has(Flaw::EchoesAtReset) {
            (values[1], values[2]) = if self.state.last == 0 { (1.0, 0.0) } else { (0.0, 1.0) };
        }
        Ok(())
    }
}

impl Env for Flawed {
    fn ignores_actions(&self) -> bool {
        self.has(Flaw::MindsActions)
    }

    fn echoes_actions(&self) -> Option<Range<usize>> {
        match self.flaw {
            Flaw::MindsActionsBesides | Flaw::EchoesWrongly | Flaw::EchoesAtReset => Some(1..3),
            Flaw::EchoesAnotherForm => Some(0..3),
            Flaw::EchoesBeyond => Some(2..4),
            _ => None,
        }
    }

    fn name(&self) -> &str {
        "flawed"
    }

    fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    fn action_space(&self) -> &Space {
        &self.action_space
    }

    fn reset(&mut self, seed: Option<u64>, observation: ObservationMut<'_>) -> Result<()> {
        match seed {
            Some(seed) => (self.state.stream, self.seed) = (Stream::from_seed(seed), seed),
            None if self.has(Flaw::SameWithoutSeed) => self.state.stream = Stream::from_seed(0),
            None => {}
        }
        if !self.has(Flaw::SeedIgnoresRest) {
            self.state.steps = 0;
        }
        if self.has(Flaw::SharedState) {
            STEPS.store(0, Ordering::Relaxed);
        }
        self.state.place = 5;
        self.state.running = true;
        self.observe(observation, true)
    }

    fn step(&mut self, action: Action<'_>, observation: ObservationMut<'_>) -> Result<Step> {
        if self.has(Flaw::RefusedActionCounts) {
            self.state.steps += 1;
        }
        let action = match action {
            Action::Discrete(choice) if self.has(Flaw::ClampsActions) => choice.min(1),
            action if self.has(Flaw::NewSpaces) => action.discrete(usize::MAX)?.min(1),
            action => action.discrete(2)?,
        };
        let runs = self.state.running
            || (self.has(Flaw::StepsBeforeReset) && self.state.steps == 0)
            || (self.has(Flaw::StepsAfterTheEnd) && self.state.steps > 0);
        if !runs {
            return Err(Error::ResetNeeded { environment: "flawed".into() });
        }
        self.state.steps += 1;
        let push = self.state.stream.below(3) as i64 - 1;
        let ignored = [Flaw::EchoesAnotherForm, Flaw::EchoesWrongly, Flaw::EchoesAtReset].contains(&self.flaw);
        self.state.place += if action == 1 || ignored { 1 } else { -1 } + push;
        self.state.last = action;
        assert!(!(self.has(Flaw::Panics) && self.state.steps > 3), "out of luck");
        let terminated = !self.has(Flaw::Endless) && !(0..10).contains(&self.state.place);
        self.state.running = !terminated;
        self.observe(observation, false)?;
        let reward = match self.flaw {
            Flaw::OwnEntropy => self.instance as f64,
            Flaw::ForgetsTheSeed => self.seed as f64,
            Flaw::SharedState => STEPS.fetch_add(1, Ordering::Relaxed) as f64,
            Flaw::SeedIgnoresRest | Flaw::RefusedActionCounts => self.state.steps as f64,
            Flaw::InfiniteReward => f64::INFINITY,
            Flaw::HugeReward => 1e300,
            _ if terminated => 1.0,
            // Depends on the number of steps, so that a state without them shows.
            _ => (self.state.steps % 3) as f64,
        };
        Ok(Step { reward, terminated, ..Step::default() })
    }

    fn save_state(&self, bytes: &mut Vec<u8>) -> Result<()> {
        if self.has(Flaw::SavingOverwrites) {
            bytes.clear();
        }
        let mut saved = self.state.clone();
        match self.flaw {
            Flaw::ForgetsTheSteps => saved.steps = 0,
            Flaw::ForgetsTheStream => saved.stream = Stream::from_seed(0),
            _ => {}
        }
        state::save("flawed", &saved, bytes)
    }

    fn restore_state(&mut self, bytes: &[u8]) -> Result<()> {
        match self.flaw {
            Flaw::TakesEmptyStates if bytes.is_empty() => {}
            Flaw::TakesLongStates => self.state = state::split("flawed", bytes)?.0,
            _ => self.state = state::restore("flawed", bytes)?,
        }
        Ok(())
    }
}
