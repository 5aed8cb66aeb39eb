//! The action before, as a part of what is observed.

use std::ops::Range;

use crate::{Dtype, Env, Space};

/// Where environments that ignore actions, but for showing the one before ([`Env::echoes_actions`]), show it: a choice
/// among a list, as such or one-hot. In the network, where choices are one-hot, both come to the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Echo {
    elements: Range<usize>,
    /// The first of its numbers among those by which an observation enters a network.
    input: usize,
    choices: usize,
    one_hot: bool,
}

impl Echo {
    /// Where this environment shows it; none if it is not one that does, or shows it in another form.
    pub fn of<E: Env + ?Sized>(env: &E) -> Option<Self> {
        let (elements, space) = (env.echoes_actions()?, env.observation_space());
        let Space::Discrete { n: choices } = *env.action_space() else { return None };
        let fits = elements.start < elements.end && elements.end <= space.len() && space.dtype() == Dtype::F32;
        let (input, one_hot) = match space {
            Space::Box { .. } if elements.len() == choices => (elements.start, true),
            Space::Discrete { .. } | Space::MultiDiscrete { .. }
                if elements.len() == 1 && space.choices(elements.start) == Some(choices) =>
            {
                ((0..elements.start).filter_map(|at| space.choices(at)).sum(), false)
            }
            _ => return None,
        };
        fits.then_some(Self { elements, input, choices, one_hot })
    }

    /// The numbers that show it, one-hot, among those by which an observation enters a network ([`Space::features`]).
    pub fn inputs(&self) -> Range<usize> {
        self.input..self.input + self.choices
    }

    /// Writes into an observation that this action led to it.
    ///
    /// # Panics
    /// If there is no such action, or the observation is shorter than one of that environment.
    pub fn write(&self, observation: &mut [f32], action: usize) {
        assert!(action < self.choices, "action {action} of {}", self.choices);
        let own = &mut observation[self.elements.clone()];
        if self.one_hot {
            own.fill(0.0);
            own[action] = 1.0;
        } else {
            own[0] = action as f32;
        }
    }
}
