//! The caller's buffers: actions in, transitions out.

use std::ops::Range;

use crate::{Action, Dtype, Error, ObservationMut, Result, Space};

/// Actions of all environments of a group or vector.
#[derive(Clone, Copy, Debug)]
pub enum Actions<'a> {
    /// One choice per environment.
    Discrete(&'a [u32]),
    /// `[B, A]`, row-major: one choice for each element of the space.
    Choices(&'a [u32]),
    /// `[B, A]`, row-major.
    Continuous(&'a [f32]),
}

impl<'a> Actions<'a> {
    /// The action of environment `index` in a space of `width` elements.
    ///
    /// # Panics
    /// If there is none.
    pub fn get(self, index: usize, width: usize) -> Action<'a> {
        match self {
            Self::Discrete(choices) => Action::Discrete(choices[index] as usize),
            Self::Choices(choices) => Action::Choices(&choices[index * width..(index + 1) * width]),
            Self::Continuous(values) => Action::Continuous(&values[index * width..(index + 1) * width]),
        }
    }

    /// The actions of the first `environments` and those of the rest.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn split_at(self, environments: usize, width: usize) -> (Self, Self) {
        match self {
            Self::Discrete(choices) => {
                let (left, right) = choices.split_at(environments);
                (Self::Discrete(left), Self::Discrete(right))
            }
            Self::Choices(choices) => {
                let (left, right) = choices.split_at(environments * width);
                (Self::Choices(left), Self::Choices(right))
            }
            Self::Continuous(values) => {
                let (left, right) = values.split_at(environments * width);
                (Self::Continuous(left), Self::Continuous(right))
            }
        }
    }

    /// Refuses actions of another kind or number than `count` environments of that space take.
    pub(super) fn check(self, count: usize, space: &Space) -> Result<()> {
        let got = match self {
            Self::Discrete(choices) | Self::Choices(choices) => choices.len(),
            Self::Continuous(values) => values.len(),
        };
        let kin = matches!(
            (self, space),
            (Self::Discrete(_), Space::Discrete { .. })
                | (Self::Choices(_), Space::MultiDiscrete { .. } | Space::MultiBinary { .. })
                | (Self::Continuous(_), Space::Box { .. })
        );
        if kin && got == count * space.len() {
            return Ok(());
        }
        let kind = if matches!(self, Self::Continuous(_)) { "floats" } else { "choices" };
        let expected = format!("the actions of {count} environments in {space}");
        Err(Error::Buffer { what: "actions", expected, got: format!("{got} {kind}") })
    }
}

/// Actions of many environments, one after the other.
#[derive(Clone, Debug)]
pub enum ActionRows {
    /// For a [`Space::Discrete`].
    Discrete(Vec<u32>),
    /// For a [`Space::MultiDiscrete`] or a [`Space::MultiBinary`].
    Choices(Vec<u32>),
    /// For a [`Space::Box`].
    Continuous(Vec<f32>),
}

impl ActionRows {
    /// No actions of that space yet.
    pub fn of(space: &Space) -> Self {
        match space {
            Space::Discrete { .. } => Self::Discrete(Vec::new()),
            Space::MultiDiscrete { .. } | Space::MultiBinary { .. } => Self::Choices(Vec::new()),
            Space::Box { .. } => Self::Continuous(Vec::new()),
        }
    }

    /// Appends an action.
    ///
    /// # Panics
    /// If it is of another kind.
    pub fn push(&mut self, action: Action<'_>) {
        match (self, action) {
            (Self::Discrete(rows), Action::Discrete(choice)) => rows.push(choice as u32),
            (Self::Choices(rows), Action::Choices(choices)) => rows.extend_from_slice(choices),
            (Self::Continuous(rows), Action::Continuous(values)) => rows.extend_from_slice(values),
            (_, action) => panic!("{action:?} among actions of another kind"),
        }
    }

    /// Those of some of the environments, for a space of `width` elements.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn range(&self, environments: Range<usize>, width: usize) -> Actions<'_> {
        let wide = environments.start * width..environments.end * width;
        match self {
            Self::Discrete(rows) => Actions::Discrete(&rows[environments]),
            Self::Choices(rows) => Actions::Choices(&rows[wide]),
            Self::Continuous(rows) => Actions::Continuous(&rows[wide]),
        }
    }
}

/// Where a group or vector step writes; every slice covers B environments.
#[derive(Debug)]
pub struct Transition<'a> {
    /// `[B, …]`: the observation to act on next; of the new episode where one ended.
    pub observations: ObservationMut<'a>,
    /// `[B, …]`: the last observation of the old episode, written only where one ended.
    pub final_observations: ObservationMut<'a>,
    /// `[B]` the environments' rewards.
    pub rewards: &'a mut [f32],
    /// `[B]`
    pub terminated: &'a mut [bool],
    /// `[B]`
    pub truncated: &'a mut [bool],
}

impl<'a> Transition<'a> {
    /// The same buffers for a shorter time.
    pub fn reborrow(&mut self) -> Transition<'_> {
        Transition {
            observations: self.observations.reborrow(),
            final_observations: self.final_observations.reborrow(),
            rewards: self.rewards,
            terminated: self.terminated,
            truncated: self.truncated,
        }
    }

    /// The buffers of the first `environments` and of the rest; `width` is the length of one observation.
    ///
    /// # Panics
    /// If they cover fewer.
    pub fn split_at(self, environments: usize, width: usize) -> (Self, Self) {
        let (observations, observations_right) = self.observations.split_at(environments * width);
        let (final_observations, final_observations_right) = self.final_observations.split_at(environments * width);
        let (rewards, rewards_right) = self.rewards.split_at_mut(environments);
        let (terminated, terminated_right) = self.terminated.split_at_mut(environments);
        let (truncated, truncated_right) = self.truncated.split_at_mut(environments);
        let left = Self { observations, final_observations, rewards, terminated, truncated };
        let right = Self {
            observations: observations_right,
            final_observations: final_observations_right,
            rewards: rewards_right,
            terminated: terminated_right,
            truncated: truncated_right,
        };
        (left, right)
    }

    /// Refuses buffers that do not cover exactly `count` environments of that observation space.
    pub(super) fn check(&self, count: usize, space: &Space) -> Result<()> {
        check_observations("observations", &self.observations, count, space)?;
        check_observations("final_observations", &self.final_observations, count, space)?;
        for (what, len) in [
            ("rewards", self.rewards.len()),
            ("terminated", self.terminated.len()),
            ("truncated", self.truncated.len()),
        ] {
            if len != count {
                return Err(Error::Buffer { what, expected: count.to_string(), got: len.to_string() });
            }
        }
        Ok(())
    }
}

/// Refuses an observation buffer of another length or element type than `count` environments write.
pub(super) fn check_observations(
    what: &'static str,
    buffer: &ObservationMut<'_>,
    count: usize,
    space: &Space,
) -> Result<()> {
    let (len, dtype) = (count * space.len(), space.dtype());
    if buffer.len() == len && buffer.dtype() == dtype {
        return Ok(());
    }
    let print = |len: usize, dtype: Dtype| format!("{len} × {dtype:?}");
    Err(Error::Buffer { what, expected: print(len, dtype), got: print(buffer.len(), buffer.dtype()) })
}
