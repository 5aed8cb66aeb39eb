//! MultiarmedBandit: find the machine that pays best, and stay with it.

use serde::{Deserialize, Serialize};
use stpn_random::Stream;

use super::on_device::{GameKind, GameOnDevice, GameRules, GameState};
use super::staging::{Staged, staged};
use super::{Game, Level};
use crate::{Action, Result, Space, Step};

/// 2²⁴
const GRAIN: f32 = (1 << 24) as f32;

/// Each of some machines pays with a probability of its own, drawn uniformly for the episode.
///
/// Observation: whether the machine just tried paid; 0 at the start. Action: a machine. Reward: ±1/T in an episode of T
/// steps, paid or not. Truncated after T steps, never terminated. Machines and steps by level: 10 and 200, 20 and 400,
/// 30 and 600.
///
/// Fault: the documentation says that a machine that does not pay costs nothing. It costs as much as the other gains.
#[derive(Clone, Debug)]
pub struct MultiarmedBandit {
    machines: usize,
    steps: u32,
}

/// How far an episode has come.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    steps: u32,
    paid: bool,
}

impl MultiarmedBandit {
    /// The task of that level.
    pub fn new(level: Level) -> Self {
        let (machines, steps) = level.of([(10, 200), (20, 400), (30, 600)]);
        Self { machines, steps }
    }
}

impl Game for MultiarmedBandit {
    /// The machines' probabilities.
    type Deal = Vec<f32>;
    /// The machine pays if this lies below its probability.
    type Luck = f64;
    type State = State;

    fn observation_space(&self) -> Space {
        Space::discrete(2)
    }

    fn action_space(&self) -> Space {
        Space::discrete(self.machines)
    }

    fn blank(&self) -> Vec<f32> {
        vec![0.0; self.machines]
    }

    fn deal(&self, machines: &mut Vec<f32>, stream: &mut Stream) {
        // A multiple of 2⁻²⁴, so that rounding makes no 1 of it.
        machines.iter_mut().for_each(|chance| *chance = (stream.next_u64() >> 40) as f32 / GRAIN);
    }

    fn luck(&self, stream: &mut Stream) -> f64 {
        stream.unit()
    }

    fn fresh(&self, _: &Vec<f32>) -> State {
        State { steps: 0, paid: false }
    }

    fn step(&self, machines: &Vec<f32>, state: &mut State, action: Action<'_>, luck: f64) -> Result<Step> {
        let machine = action.discrete(self.machines)?;
        // In 32 bits, as numpy compares a number with a 32-bit one.
        state.paid = (luck as f32) < machines[machine];
        state.steps += 1;
        let scale = 1.0 / f64::from(self.steps);
        let reward = if state.paid { scale } else { -scale };
        Ok(Step { reward, truncated: state.steps == self.steps, ..Step::default() })
    }

    fn observe(&self, _: &Vec<f32>, state: &State, _: f64, observation: &mut [f32]) {
        observation[0] = f32::from(u8::from(state.paid));
    }

    fn fits(&self, machines: &Vec<f32>, state: &State) -> bool {
        let probable = |chance: &f32| (0.0..=1.0).contains(chance);
        machines.len() == self.machines && machines.iter().all(probable) && state.steps <= self.steps
    }

    fn on_device(&self, deal: &Self::Deal, state: &Self::State, stream: Stream, steps: usize) -> Option<GameOnDevice> {
        Some(staged(self, deal, state, stream, steps))
    }
}

impl Staged for MultiarmedBandit {
    fn rules(&self) -> GameRules {
        let scale = 1.0 / f64::from(self.steps);
        let rules = GameRules::new(GameKind::MultiarmedBandit, self.steps as usize, [vec![self.machines], vec![2]]);
        GameRules { rewards: [scale, -scale, 0.0], ..rules }
    }

    fn stands(&self, _: &Vec<f32>, state: &State) -> GameState {
        GameState { step: state.steps as usize, ..GameState::default() }
    }

    // Multiples of 2⁻²⁴.
    fn deal_numbers(&self, machines: &Vec<f32>) -> Vec<i32> {
        machines.iter().map(|&chance| (chance * GRAIN) as i32).collect()
    }

    // Compared with a multiple of 2⁻²⁴, it may be rounded down to one.
    fn luck_number(&self, luck: f64) -> Option<i32> {
        Some((luck as f32 * GRAIN) as i32)
    }

    fn least_steps(&self, _: &Vec<f32>) -> usize {
        self.steps as usize
    }
}
