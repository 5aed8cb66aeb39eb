//! Distributions over actions, on slices: sampling in rollouts, log-probabilities with their exact gradients in
//! training. Everything is computed in f64 by the same code in both, so that the probability of an action under the
//! policy that took it is the same number wherever it is asked for.

mod action;
mod bernoulli;
mod categorical;
#[cfg(test)]
pub(crate) mod composed;
mod exponential;
mod gaussian;
mod multi_categorical;

pub use action::{ActionBuffer, ActionRef, Terms};
pub use bernoulli::Bernoulli;
pub use categorical::Categorical;
pub use gaussian::{Gaussian, GaussianConfig, Std};
pub use multi_categorical::MultiCategorical;

use stpn_core::kernels::Real;
use stpn_envs::Space;
use stpn_envs::vector::Actions;
use stpn_random::Stream;

use crate::{Error, Result};

/// The family of distributions that fits an action space.
#[derive(Clone, Debug, PartialEq)]
pub enum Distribution {
    /// Softmax over n logits.
    Categorical(Categorical),
    /// Independent softmaxes.
    MultiCategorical(MultiCategorical),
    /// Independent switches.
    Bernoulli(Bernoulli),
    /// Independent normal distributions.
    Gaussian(Gaussian),
}

/// Calls a method of any family.
macro_rules! any {
    ($self:ident, $inner:ident => $run:expr) => {
        match $self {
            Self::Categorical($inner) => $run,
            Self::MultiCategorical($inner) => $run,
            Self::Bernoulli($inner) => $run,
            Self::Gaussian($inner) => $run,
        }
    };
}

impl Distribution {
    /// The distribution for an action space.
    ///
    /// # Errors
    /// [`Error::Config`] for a space that no distribution covers, or bounds that the options cannot work with.
    pub fn for_space(space: &Space, gaussian: &GaussianConfig) -> Result<Self> {
        let refused = |why: &str| Err(Error::config("env", format!("no policy for the action space {space}: {why}")));
        match space {
            Space::Discrete { n: 0 } => refused("there is nothing to choose from"),
            Space::MultiDiscrete { counts } if counts.is_empty() || counts.contains(&0) => {
                refused("one of its choices has nothing to choose from")
            }
            Space::MultiBinary { n: 0 } => refused("it has no switches"),
            Space::Box { dtype: stpn_envs::Dtype::U8, .. } => {
                refused("actions of a box are floats, and these are bytes")
            }
            Space::Box { low, .. } if low.is_empty() => refused("it has no numbers"),
            Space::Discrete { n } => Ok(Self::Categorical(Categorical { n: *n })),
            Space::MultiDiscrete { counts } => Ok(Self::MultiCategorical(MultiCategorical::new(counts))),
            Space::MultiBinary { n } => Ok(Self::Bernoulli(Bernoulli { n: *n })),
            Space::Box { low, high, .. } => Ok(Self::Gaussian(Gaussian::new(low, high, gaussian)?)),
            _ => refused("it is of a kind that no policy knows"),
        }
    }

    /// How many numbers parametrise one distribution.
    pub fn len(&self) -> usize {
        any!(self, inner => inner.len())
    }

    /// True for a space without choices.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of them are outputs of the policy head; the others are trained for themselves.
    pub fn head_len(&self) -> usize {
        match self {
            Self::Gaussian(inner) => inner.head_len(),
            _ => self.len(),
        }
    }

    /// Numbers A in one action.
    pub fn action_len(&self) -> usize {
        match self {
            Self::Categorical(_) => 1,
            Self::MultiCategorical(inner) => inner.dims(),
            Self::Bernoulli(inner) => inner.n,
            Self::Gaussian(inner) => inner.dims(),
        }
    }

    /// A buffer of `count` actions.
    pub fn buffer(&self, count: usize) -> ActionBuffer {
        match self {
            Self::Categorical(_) => ActionBuffer::Discrete(vec![0; count]),
            Self::MultiCategorical(_) | Self::Bernoulli(_) => ActionBuffer::Choices(vec![0; count * self.action_len()]),
            Self::Gaussian(inner) => ActionBuffer::Continuous(vec![0.0; count * inner.dims()]),
        }
    }

    /// Draws an action from the distribution with these parameters `[len]` (its mode where `stream` is `None`),
    /// writes it at `index` and returns its log-probability. `scratch` is overwritten.
    pub fn act(
        &self,
        parameters: &[f32],
        stream: Option<&mut Stream>,
        actions: &mut ActionBuffer,
        index: usize,
        scratch: &mut Vec<f64>,
    ) -> f32 {
        let width = self.action_len();
        let row = index * width..(index + 1) * width;
        match (self, actions) {
            (Self::Categorical(inner), ActionBuffer::Discrete(choices)) => {
                let (choice, log_prob) = inner.act(parameters, stream, scratch);
                choices[index] = choice as u32;
                log_prob as f32
            }
            (Self::MultiCategorical(inner), ActionBuffer::Choices(choices)) => {
                inner.act(parameters, stream, &mut choices[row], scratch) as f32
            }
            (Self::Bernoulli(inner), ActionBuffer::Choices(choices)) => {
                inner.act(parameters, stream, &mut choices[row]) as f32
            }
            (Self::Gaussian(inner), ActionBuffer::Continuous(values)) => {
                inner.act(parameters, stream, &mut values[row]) as f32
            }
            _ => unreachable!("the buffer was made by this distribution"),
        }
    }

    /// Draws a continuous action with standard normal `noise` `[A]`, writes it at `index` and returns its log-probability.
    ///
    /// # Panics
    /// If actions are discrete.
    pub fn act_with_noise(&self, parameters: &[f32], noise: &[f32], actions: &mut ActionBuffer, index: usize) -> f32 {
        let (Self::Gaussian(inner), ActionBuffer::Continuous(values)) = (self, actions) else {
            unreachable!("noise is for continuous actions");
        };
        let row = index * inner.dims()..(index + 1) * inner.dims();
        inner.act_with_noise(parameters, |d| f64::from(noise[d]), &mut values[row]) as f32
    }

    /// Draws an action uniformly from the space and writes it at `index`: the random policy.
    pub fn act_uniformly(&self, stream: &mut Stream, actions: &mut ActionBuffer, index: usize) {
        let width = self.action_len();
        let row = index * width..(index + 1) * width;
        match (self, actions) {
            (Self::Categorical(inner), ActionBuffer::Discrete(choices)) => {
                choices[index] = stream.below(inner.n) as u32
            }
            (Self::MultiCategorical(inner), ActionBuffer::Choices(choices)) => {
                inner.act_uniformly(stream, &mut choices[row]);
            }
            (Self::Bernoulli(inner), ActionBuffer::Choices(choices)) => inner.act_uniformly(stream, &mut choices[row]),
            (Self::Gaussian(inner), ActionBuffer::Continuous(values)) => inner.act_uniformly(stream, &mut values[row]),
            _ => unreachable!("the buffer was made by this distribution"),
        }
    }

    /// The actions `start..start + count` in the form environments take: continuous ones are clipped or squashed into
    /// the space, in `scratch`.
    pub fn for_environment<'a>(
        &self,
        actions: &'a ActionBuffer,
        start: usize,
        count: usize,
        scratch: &'a mut Vec<f32>,
    ) -> Actions<'a> {
        let width = self.action_len();
        let rows = start * width..(start + count) * width;
        match (self, actions) {
            (Self::Gaussian(inner), ActionBuffer::Continuous(values)) => {
                inner.to_space(&values[rows], scratch);
                Actions::Continuous(scratch)
            }
            (_, ActionBuffer::Discrete(choices)) => Actions::Discrete(&choices[rows]),
            (_, ActionBuffer::Choices(choices)) => Actions::Choices(&choices[rows]),
            (_, ActionBuffer::Continuous(_)) => unreachable!("the buffer was made by this distribution"),
        }
    }

    /// The terms of a loss at `action` under parameters `[len]`. `behaviour` `[len]` are the parameters under which it
    /// was drawn, for the KL divergence. `scratch` is overwritten with what [`Distribution::gradient`] reads.
    pub fn terms<T: Real>(
        &self,
        parameters: &[T],
        action: ActionRef<'_>,
        behaviour: Option<&[f32]>,
        scratch: &mut Vec<f64>,
    ) -> Terms {
        any!(self, inner => inner.terms(parameters, action, behaviour, scratch))
    }

    /// Writes the gradient of a loss in the parameters `[len]`, given its derivatives in the terms that
    /// [`Distribution::terms`] has just computed from the same operands.
    pub fn gradient<T: Real>(
        &self,
        parameters: &[T],
        action: ActionRef<'_>,
        behaviour: Option<&[f32]>,
        derivatives: &Terms,
        scratch: &[f64],
        gradient: &mut [T],
    ) {
        match self {
            Self::Categorical(inner) => {
                inner.gradient(parameters, action, behaviour, derivatives, scratch, gradient);
            }
            Self::MultiCategorical(inner) => {
                inner.gradient(parameters, action, behaviour, derivatives, scratch, gradient);
            }
            Self::Bernoulli(inner) => inner.gradient(parameters, action, behaviour, derivatives, gradient),
            Self::Gaussian(inner) => inner.gradient(parameters, action, behaviour, derivatives, gradient),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stpn_random::Purpose;

    #[test]
    fn spaces_without_a_choice_were_taken_and_failed_at_the_first_action() {
        let boxed = |low: Vec<f32>, high: Vec<f32>, dtype| Space::Box { shape: vec![low.len()], low, high, dtype };
        for (space, said) in [
            (Space::discrete(0), "nothing to choose from"),
            (Space::MultiDiscrete { counts: vec![3, 0] }, "nothing to choose from"),
            (Space::MultiDiscrete { counts: vec![] }, "nothing to choose from"),
            (Space::MultiBinary { n: 0 }, "no switches"),
            (boxed(vec![], vec![], stpn_envs::Dtype::F32), "no numbers"),
            (boxed(vec![0.0], vec![255.0], stpn_envs::Dtype::U8), "are bytes"),
        ] {
            let error = Distribution::for_space(&space, &GaussianConfig::default()).unwrap_err().to_string();
            assert!(error.contains("no policy for the action space") && error.contains(said), "{error}");
        }
    }

    /// Every distribution, with a behaviour and an action for it.
    fn cases() -> Vec<(Distribution, ActionBuffer)> {
        let space = Space::boxed(-2.0, 1.5, [2]);
        let gaussian = |std, squash| {
            let config = GaussianConfig { std, squash, ..GaussianConfig::default() };
            (Distribution::for_space(&space, &config).unwrap(), ActionBuffer::Continuous(vec![0.4, -1.1]))
        };
        vec![
            (Distribution::Categorical(Categorical { n: 4 }), ActionBuffer::Discrete(vec![2])),
            (Distribution::MultiCategorical(MultiCategorical::new(&[1, 3])), ActionBuffer::Choices(vec![0, 2])),
            (Distribution::MultiCategorical(MultiCategorical::new(&[2, 2])), ActionBuffer::Choices(vec![1, 0])),
            (Distribution::Bernoulli(Bernoulli { n: 4 }), ActionBuffer::Choices(vec![1, 0, 0, 1])),
            gaussian(Std::Softplus, false),
            gaussian(Std::StateIndependent, false),
            gaussian(Std::Softplus, true),
            gaussian(Std::StateIndependent, true),
        ]
    }

    #[test]
    fn gradients_of_every_term_agree_with_finite_differences() {
        for (distribution, actions) in cases() {
            let parameters = [0.3, -0.7, 1.1, 0.2];
            let behaviour = [0.1f32, -0.4, 0.9, 0.5];
            let action = actions.get(0, distribution.action_len());
            let value = |parameters: &[f64], weights: &Terms| {
                let terms = distribution.terms(parameters, action, Some(&behaviour), &mut Vec::new());
                weights.log_prob * terms.log_prob
                    + weights.entropy * terms.entropy
                    + weights.concentration * terms.concentration
                    + weights.kl * terms.kl
            };
            for term in 0..4 {
                let on = |i| f64::from(u8::from(i == term));
                let weights = Terms { log_prob: on(0), entropy: on(1), concentration: on(2), kl: on(3) };
                let (mut scratch, mut gradient) = (Vec::new(), [0.0; 4]);
                distribution.terms(&parameters, action, Some(&behaviour), &mut scratch);
                distribution.gradient(&parameters, action, Some(&behaviour), &weights, &scratch, &mut gradient);
                for i in 0..4 {
                    let moved = |by: f64| {
                        let mut moved = parameters;
                        moved[i] += by;
                        value(&moved, &weights)
                    };
                    let difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                    let error = (gradient[i] - difference).abs();
                    assert!(error < 1e-8, "{distribution:?} term {term} [{i}]: {} {difference}", gradient[i]);
                }
            }
        }
    }

    #[test]
    fn an_action_has_the_same_log_probability_when_drawn_and_when_evaluated() {
        let mut stream = Stream::new(1, Purpose::Test, 0);
        for (distribution, _) in cases() {
            let (mut actions, mut scratch) = (distribution.buffer(1), Vec::new());
            for _ in 0..50 {
                let parameters: Vec<f32> = (0..4).map(|_| stream.normal() as f32).collect();
                let drawn = distribution.act(&parameters, Some(&mut stream), &mut actions, 0, &mut scratch);
                let terms = distribution.terms(
                    &parameters,
                    actions.get(0, distribution.action_len()),
                    Some(&parameters),
                    &mut scratch,
                );
                assert_eq!(drawn, terms.log_prob as f32, "{distribution:?}");
                assert!(terms.kl.abs() < 1e-12, "{distribution:?}: {}", terms.kl);
            }
        }
    }

    #[test]
    fn kl_and_entropy_are_their_definitions_by_sampling() {
        let mut stream = Stream::new(2, Purpose::Test, 0);
        for (distribution, _) in cases() {
            let behaviour = [0.3f32, -0.7, 0.6, 0.2];
            let other = [0.1f32, -0.5, 0.8, 0.3];
            let (mut actions, mut scratch) = (distribution.buffer(1), Vec::new());
            let n = 200_000;
            let (mut kl, mut entropy) = (0.0, 0.0);
            for _ in 0..n {
                let log_prob =
                    f64::from(distribution.act(&behaviour, Some(&mut stream), &mut actions, 0, &mut scratch));
                let action = actions.get(0, distribution.action_len());
                kl += log_prob - distribution.terms(&other, action, None, &mut scratch).log_prob;
                entropy -= log_prob;
            }
            let action = actions.get(0, distribution.action_len());
            let expected = distribution.terms(&other, action, Some(&behaviour), &mut scratch).kl;
            assert!((kl / f64::from(n) - expected).abs() < 0.01, "{distribution:?}: {} {expected}", kl / f64::from(n));
            let expected = distribution.terms(&behaviour, action, None, &mut scratch).entropy;
            let sampled = entropy / f64::from(n);
            assert!((sampled - expected).abs() < 0.02, "{distribution:?}: {sampled} {expected}");
        }
    }
}
