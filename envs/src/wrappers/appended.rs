//! An observation with something behind it.

use crate::{Dtype, Error, ObservationMut, Result, Space};

/// The space of an observation with choices or numbers behind it.
#[derive(Debug)]
pub(super) struct Appended {
    space: Space,
    /// Elements of the observation by itself.
    inner: usize,
    /// Whether choices are appended as such, or one-hot.
    choices: bool,
}

impl Appended {
    /// `inner`, and behind it elements with that many choices, then numbers within those bounds.
    pub fn new(inner: &Space, counts: &[usize], bounds: &[(f32, f32)]) -> Result<Self> {
        let space = match inner {
            Space::Box { low, high, dtype: Dtype::F32, .. } => {
                let one_hot = counts.iter().sum();
                let numbers = bounds.iter().copied().unzip::<f32, f32, Vec<_>, Vec<_>>();
                let low = [&low[..], &vec![0.0; one_hot], &numbers.0].concat();
                let high = [&high[..], &vec![1.0; one_hot], &numbers.1].concat();
                Space::Box { shape: vec![low.len()], low, high, dtype: Dtype::F32 }
            }
            inner if bounds.is_empty() && inner.dtype() == Dtype::F32 => {
                let own = (0..inner.len()).filter_map(|at| inner.choices(at));
                Space::MultiDiscrete { counts: own.chain(counts.iter().copied()).collect() }
            }
            _ => {
                let expected = "numbers, or choices as actions are".into();
                return Err(Error::Buffer { what: "observation", expected, got: inner.to_string() });
            }
        };
        let choices = !matches!(space, Space::Box { .. });
        Ok(Self { space, inner: inner.len(), choices })
    }

    /// The space.
    pub fn get(&self) -> &Space {
        &self.space
    }

    /// The part of the environment inside, and what is behind it.
    pub fn split<'a>(&self, observation: ObservationMut<'a>) -> Result<(ObservationMut<'a>, &'a mut [f32])> {
        let (inner, behind) = observation.f32(self.space.len())?.split_at_mut(self.inner);
        Ok((ObservationMut::F32(inner), behind))
    }

    /// Writes what is behind: the choices among `counts`, then the numbers.
    pub fn write(
        &self,
        behind: &mut [f32],
        counts: &[usize],
        choices: impl IntoIterator<Item = usize>,
        numbers: impl IntoIterator<Item = f32>,
    ) {
        let mut written = 0;
        for (choice, &count) in choices.into_iter().zip(counts) {
            if self.choices {
                behind[written] = choice as f32;
                written += 1;
            } else {
                behind[written..][..count].fill(0.0);
                behind[written + choice] = 1.0;
                written += count;
            }
        }
        behind[written..].iter_mut().zip(numbers).for_each(|(seen, number)| *seen = number);
    }
}
