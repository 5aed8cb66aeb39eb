//! How observations become numbers, in work on slices.

use std::borrow::Cow;

use stpn_core::kernels::Real;

use super::observation::ObservationRef;
use super::one_hot::OneHot;
use crate::policy::accelerator::Seen;

/// How observations become the numbers that a network's first layer takes.
#[derive(Clone, Debug)]
pub(crate) struct Numbering<T> {
    /// A byte becomes `byte · factor + summand`.
    pub(super) factor: T,
    pub(super) summand: T,
    pub(super) one_hot: Option<OneHot>,
}

impl<T: Real> Numbering<T> {
    /// A byte as a number.
    pub fn number(&self, byte: u8) -> T {
        T::of_byte(byte) * self.factor + self.summand
    }

    /// Observations `[N, O]` as numbers.
    pub fn of<'o>(&self, observations: ObservationRef<'o>) -> Cow<'o, [T]> {
        match (observations, &self.one_hot) {
            (ObservationRef::F32(choices), Some(one_hot)) => one_hot.spread_all(choices).into(),
            (ObservationRef::F32(values), None) => T::from_single(values),
            (ObservationRef::U8(bytes), _) => bytes.iter().map(|&byte| self.number(byte)).collect(),
        }
    }
}

impl Numbering<f32> {
    /// Observations `[N, O]` as a device is given them.
    pub fn for_device<'o>(&self, observations: ObservationRef<'o>) -> Seen<'o> {
        match observations {
            ObservationRef::F32(values) => Seen::Numbers(match &self.one_hot {
                Some(one_hot) => one_hot.spread_all(values).into(),
                None => values.into(),
            }),
            ObservationRef::U8(bytes) => Seen::Bytes { bytes, factor: self.factor, summand: self.summand },
        }
    }
}
