//! Distributions over actions, as losses see them.

use crate::{Error, Result};

/// A family of distributions, with the shape of its actions.
#[derive(Clone, Debug, PartialEq)]
pub enum Distribution {
    /// Independent choices, each among so many: a softmax over the logits of each.
    Categorical(Vec<usize>),
    /// So many independent switches, each on with the logistic function of its logit.
    Bernoulli(usize),
    /// Independent normal distributions.
    Gaussian(Gaussian),
}

/// Independent normal distributions. Their parameters are the means, then what gives the standard deviations.
#[derive(Clone, Debug, PartialEq)]
pub struct Gaussian {
    /// Dimensions A.
    pub dims: usize,
    /// Where the standard deviations come from.
    pub std: Std,
    /// `[A]` ln of half the width of the space that draws are squashed into by tanh; none: they are not.
    pub log_halves: Option<Vec<f64>>,
}

/// Where the standard deviations come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Std {
    /// softplus of an output of the head, plus `least`.
    Softplus {
        /// The smallest standard deviation.
        least: f64,
    },
    /// e to a free parameter, which no head puts out: it is the same at all steps.
    StateIndependent,
}

/// Actions of N steps, with A numbers each.
#[derive(Clone, Copy, Debug)]
pub enum Actions<'a, T> {
    /// `[N, A]` choices, or switches (1 is on).
    Choices(&'a [u32]),
    /// `[N, A]` draws of a Gaussian, before they are squashed.
    Draws(&'a [T]),
}

impl Distribution {
    /// One choice among so many.
    pub fn choice(among: usize) -> Self {
        Self::Categorical(vec![among])
    }

    /// How many there are to choose from, if an action is a single choice.
    pub fn single_choice(&self) -> Option<usize> {
        match self {
            Self::Categorical(lists) => <[usize; 1]>::try_from(&**lists).ok().map(|[among]| among),
            _ => None,
        }
    }

    /// Numbers A in one action.
    pub fn dims(&self) -> usize {
        match self {
            Self::Categorical(lists) => lists.len(),
            Self::Bernoulli(switches) => *switches,
            Self::Gaussian(gaussian) => gaussian.dims,
        }
    }

    /// Parameters P of one distribution.
    pub fn parameters(&self) -> usize {
        match self {
            Self::Categorical(lists) => lists.iter().sum(),
            Self::Bernoulli(switches) => *switches,
            Self::Gaussian(gaussian) => 2 * gaussian.dims,
        }
    }

    /// Those of them that the head puts out; the others, which come last, are free.
    pub fn head_parameters(&self) -> usize {
        match self {
            Self::Gaussian(Gaussian { dims, std: Std::StateIndependent, .. }) => *dims,
            _ => self.parameters(),
        }
    }

    /// Those that no head puts out.
    pub fn free_parameters(&self) -> usize {
        self.parameters() - self.head_parameters()
    }

    /// How many there are to choose from in each list; empty if there are no lists.
    pub(crate) fn choices(&self) -> Vec<i32> {
        match self {
            Self::Categorical(lists) => lists.iter().copied().map(crate::runner::int).collect(),
            _ => Vec::new(),
        }
    }

    /// ln of half the widths that draws are squashed into; empty if they are not.
    pub(crate) fn log_halves(&self) -> &[f64] {
        match self {
            Self::Gaussian(gaussian) => gaussian.log_halves.as_deref().unwrap_or(&[]),
            _ => &[],
        }
    }

    /// How many steps these actions are of.
    ///
    /// # Errors
    /// [`Error::Loss`] for a distribution without actions, actions of another one, and those that it does not have.
    pub(crate) fn steps<T>(&self, actions: &Actions<'_, T>) -> Result<usize> {
        let refuse = |problem: &str| Err(Error::Loss { problem: problem.to_string() });
        let dims = self.dims();
        let is_none = match self {
            Self::Categorical(lists) => lists.contains(&0),
            Self::Bernoulli(_) => false,
            Self::Gaussian(Gaussian { log_halves, .. }) => log_halves.as_ref().is_some_and(|all| all.len() != dims),
        };
        if dims == 0 || is_none {
            return refuse("every dimension of an action needs something to choose from, or its own bounds");
        }
        let len = match (self, actions) {
            (Self::Categorical(lists), Actions::Choices(choices)) => {
                if choices.iter().zip(lists.iter().cycle()).any(|(&choice, &among)| choice as usize >= among) {
                    return refuse("an action is none of the choices");
                }
                choices.len()
            }
            (Self::Bernoulli(_), Actions::Choices(switches)) => {
                if switches.iter().any(|&switch| switch > 1) {
                    return refuse("a switch is neither off nor on");
                }
                switches.len()
            }
            (Self::Gaussian(_), Actions::Draws(draws)) => draws.len(),
            _ => return refuse("the actions are those of another distribution"),
        };
        if len == 0 || !len.is_multiple_of(dims) {
            return refuse("it needs at least one step, and all numbers of every action");
        }
        Ok(len / dims)
    }
}
