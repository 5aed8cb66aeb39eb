//! A buffer of observations in the element type of their space: pixels stay bytes.

use std::ops::Range;

use stpn_envs::{Dtype, ObservationMut};

use crate::policy::encoder::ObservationRef;

/// Observations, one after the other.
#[derive(Clone, Debug, PartialEq)]
pub enum Observations {
    /// Numbers.
    F32(Vec<f32>),
    /// Bytes: pixels, converted in the network.
    U8(Vec<u8>),
}

/// Calls an expression on either kind of vector.
macro_rules! either {
    ($self:ident, $inner:ident => $run:expr) => {
        match $self {
            Self::F32($inner) => $run,
            Self::U8($inner) => $run,
        }
    };
}

impl From<ObservationRef<'_>> for Observations {
    fn from(observations: ObservationRef<'_>) -> Self {
        match observations {
            ObservationRef::F32(values) => Self::F32(values.to_vec()),
            ObservationRef::U8(bytes) => Self::U8(bytes.to_vec()),
        }
    }
}

impl Observations {
    /// `len` zeros.
    pub fn zeros(dtype: Dtype, len: usize) -> Self {
        match dtype {
            Dtype::F32 => Self::F32(vec![0.0; len]),
            Dtype::U8 => Self::U8(vec![0; len]),
        }
    }

    /// An empty buffer of the same kind with room for `len` elements.
    pub fn empty_like(&self, len: usize) -> Self {
        match self {
            Self::F32(_) => Self::F32(Vec::with_capacity(len)),
            Self::U8(_) => Self::U8(Vec::with_capacity(len)),
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        either!(self, values => values.len())
    }

    /// True without elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Element type.
    pub fn dtype(&self) -> Dtype {
        match self {
            Self::F32(_) => Dtype::F32,
            Self::U8(_) => Dtype::U8,
        }
    }

    /// The elements in `range`, to read.
    pub fn range(&self, range: Range<usize>) -> ObservationRef<'_> {
        match self {
            Self::F32(values) => ObservationRef::F32(&values[range]),
            Self::U8(bytes) => ObservationRef::U8(&bytes[range]),
        }
    }

    /// The elements in `range`, to write.
    pub fn range_mut(&mut self, range: Range<usize>) -> ObservationMut<'_> {
        match self {
            Self::F32(values) => ObservationMut::F32(&mut values[range]),
            Self::U8(bytes) => ObservationMut::U8(&mut bytes[range]),
        }
    }

    /// All elements, to read.
    pub fn all(&self) -> ObservationRef<'_> {
        self.range(0..self.len())
    }

    /// All elements, to write.
    pub fn all_mut(&mut self) -> ObservationMut<'_> {
        self.range_mut(0..self.len())
    }

    /// Moves the elements in `range` to `to`.
    pub fn copy_within(&mut self, range: Range<usize>, to: usize) {
        either!(self, values => values.copy_within(range, to));
    }

    /// Replaces the elements from `start` on by those of `other`, of the same kind.
    pub fn write(&mut self, start: usize, other: ObservationRef<'_>) {
        match (self, other) {
            (Self::F32(to), ObservationRef::F32(from)) => to[start..start + from.len()].copy_from_slice(from),
            (Self::U8(to), ObservationRef::U8(from)) => to[start..start + from.len()].copy_from_slice(from),
            _ => unreachable!("observations of one environment are of one kind"),
        }
    }

    /// Appends `other`, of the same kind.
    pub fn extend(&mut self, other: ObservationRef<'_>) {
        match (self, other) {
            (Self::F32(to), ObservationRef::F32(from)) => to.extend_from_slice(from),
            (Self::U8(to), ObservationRef::U8(from)) => to.extend_from_slice(from),
            _ => unreachable!("observations of one environment are of one kind"),
        }
    }

    /// Appends `len` zeros.
    pub fn pad(&mut self, len: usize) {
        match self {
            Self::F32(values) => values.extend(std::iter::repeat_n(0.0, len)),
            Self::U8(bytes) => bytes.extend(std::iter::repeat_n(0, len)),
        }
    }
}
