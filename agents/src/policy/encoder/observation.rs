//! Observations as encoders take them.

use stpn_envs::ObservationMut;

/// Observations in the element type their space has.
#[derive(Clone, Copy, Debug)]
pub enum ObservationRef<'a> {
    /// Numbers.
    F32(&'a [f32]),
    /// Bytes: pixels.
    U8(&'a [u8]),
}

impl<'a> From<ObservationMut<'a>> for ObservationRef<'a> {
    fn from(observations: ObservationMut<'a>) -> Self {
        match observations {
            ObservationMut::F32(values) => Self::F32(values),
            ObservationMut::U8(bytes) => Self::U8(bytes),
        }
    }
}

impl ObservationRef<'_> {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::U8(bytes) => bytes.len(),
        }
    }

    /// True without elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
