//! Observation and action spaces.

use std::fmt;

/// Element type of an observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// 32-bit floats.
    F32,
    /// Bytes, for pixels: converted once, in the network.
    U8,
}

/// A set of possible observations or actions, as in `gymnasium.spaces`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Space {
    /// One of 0, 1, …, n−1.
    Discrete {
        /// Number of choices.
        n: usize,
    },
    /// Several choices at once: element i is one of 0, 1, …, counts\[i\]−1.
    MultiDiscrete {
        /// Number of choices of every element.
        counts: Vec<usize>,
    },
    /// n switches, each 0 or 1.
    MultiBinary {
        /// Number of switches.
        n: usize,
    },
    /// An array with a lower and an upper bound per element.
    Box {
        /// Lower bounds, row-major; −∞ where unbounded.
        low: Vec<f32>,
        /// Upper bounds, row-major; +∞ where unbounded.
        high: Vec<f32>,
        /// Shape, e.g. `[1, 84, 84]`.
        shape: Vec<usize>,
        /// Element type.
        dtype: Dtype,
    },
}

impl Space {
    /// n choices.
    pub fn discrete(n: usize) -> Self {
        Self::Discrete { n }
    }

    /// A float array with the same bounds for every element.
    pub fn boxed(low: f32, high: f32, shape: impl Into<Vec<usize>>) -> Self {
        let shape = shape.into();
        let len = shape.iter().product();
        Self::Box { low: vec![low; len], high: vec![high; len], shape, dtype: Dtype::F32 }
    }

    /// A byte array, 0 to 255: pixels.
    pub fn pixels(shape: impl Into<Vec<usize>>) -> Self {
        let shape = shape.into();
        let len = shape.iter().product();
        Self::Box { low: vec![0.0; len], high: vec![255.0; len], shape, dtype: Dtype::U8 }
    }

    /// Number of elements of one sample: 1 for a discrete space.
    pub fn len(&self) -> usize {
        match self {
            Self::Discrete { .. } => 1,
            Self::MultiDiscrete { counts } => counts.len(),
            Self::MultiBinary { n } => *n,
            Self::Box { shape, .. } => shape.iter().product(),
        }
    }

    /// Numbers by which one sample enters a network: every choice one-hot, everything else as it is.
    pub fn features(&self) -> usize {
        match self {
            Self::Discrete { n } => *n,
            Self::MultiDiscrete { counts } => counts.iter().sum(),
            Self::MultiBinary { .. } | Self::Box { .. } => self.len(),
        }
    }

    /// How many choices element `at` of a sample has; `None` for the numbers of a box.
    pub fn choices(&self, at: usize) -> Option<usize> {
        match self {
            Self::Discrete { n } => Some(*n),
            Self::MultiDiscrete { counts } => counts.get(at).copied(),
            Self::MultiBinary { .. } => Some(2),
            Self::Box { .. } => None,
        }
    }

    /// True for a space without elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Element type of a sample; choices are carried as floats where a buffer needs one.
    pub fn dtype(&self) -> Dtype {
        match self {
            Self::Box { dtype, .. } => *dtype,
            _ => Dtype::F32,
        }
    }

    /// Shape of a box; empty for the other spaces.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::Box { shape, .. } => shape,
            _ => &[],
        }
    }
}

/// `{:#}` leaves out bounds that differ from element to element, for tables.
impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Discrete { n } => write!(f, "Discrete({n})"),
            Self::MultiDiscrete { counts } => write!(f, "MultiDiscrete({counts:?})"),
            Self::MultiBinary { n } => write!(f, "MultiBinary({n})"),
            Self::Box { low, high, shape, dtype } => {
                let bound = |values: &[f32]| match values {
                    [] => "-".to_string(),
                    [first, rest @ ..] if rest.iter().all(|v| v == first) => first.to_string(),
                    _ if f.alternate() => "…".to_string(),
                    _ => format!("{values:?}"),
                };
                write!(f, "Box({}, {}, {shape:?}, {dtype:?})", bound(low), bound(high))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_spared_bounds_that_differ() {
        let uneven = Space::Box { low: vec![0.0, -1.0], high: vec![1.0, 1.0], shape: vec![2], dtype: Dtype::F32 };
        assert_eq!(uneven.to_string(), "Box([0.0, -1.0], 1, [2], F32)");
        assert_eq!(format!("{uneven:#} → {:#}", Space::discrete(4)), "Box(…, 1, [2], F32) → Discrete(4)");
    }
}
