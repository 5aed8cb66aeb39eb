//! An interval that may be open-ended.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An interval of numbers. A side that is left out is unbounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Bounds {
    /// Lower bound; none = −∞.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Upper bound; none = +∞.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

impl Bounds {
    /// From `min` to `max`.
    pub const fn new(min: f64, max: f64) -> Self {
        Self { min: Some(min), max: Some(max) }
    }

    /// From `min` on.
    pub const fn from(min: f64) -> Self {
        Self { min: Some(min), max: None }
    }

    /// Up to `max`.
    pub const fn up_to(max: f64) -> Self {
        Self { min: None, max: Some(max) }
    }

    /// Whether a number lies strictly between the bounds. NaN does not.
    pub fn contains(self, value: f64) -> bool {
        self.low() < value && value < self.high()
    }

    /// Whether a number lies between the bounds or on one of them. NaN does not.
    pub fn contains_or_touches(self, value: f64) -> bool {
        self.low() <= value && value <= self.high()
    }

    /// The nearest number within the bounds.
    pub fn clip(self, value: f64) -> f64 {
        value.max(self.low()).min(self.high())
    }

    /// Whether there is anything between the bounds.
    pub(super) fn is_proper(self) -> bool {
        self.low() < self.high()
    }

    fn low(self) -> f64 {
        self.min.unwrap_or(f64::NEG_INFINITY)
    }

    fn high(self) -> f64 {
        self.max.unwrap_or(f64::INFINITY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_side_is_unbounded() {
        let bounds: Bounds = serde_json::from_str(r#"{"min": 0.7}"#).unwrap();
        assert_eq!(bounds, Bounds::from(0.7));
        assert!(bounds.contains(1e300) && !bounds.contains(0.7) && !bounds.contains(f64::NAN));
        assert!(bounds.contains_or_touches(0.7));
        assert_eq!(serde_json::to_string(&bounds).unwrap(), r#"{"min":0.7}"#);
        assert_eq!((Bounds::up_to(10.0).clip(-1e9), Bounds::up_to(10.0).clip(11.0)), (-1e9, 10.0));
    }

    #[test]
    fn turned_round_or_not_a_number_is_improper() {
        assert!(!Bounds::new(1.0, 0.0).is_proper() && !Bounds::new(f64::NAN, 0.0).is_proper());
        assert!(Bounds::new(0.0, 1.0).is_proper() && Bounds::default().is_proper());
    }
}
