//! Numbers with a derivative: the reference's gradients come from the rules of differentiation, step by step.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// A value and its derivative by one variable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dual {
    pub value: f64,
    pub slope: f64,
}

impl From<f64> for Dual {
    fn from(value: f64) -> Self {
        Self { value, slope: 0.0 }
    }
}

impl Dual {
    fn apply(self, value: f64, derivative: f64) -> Self {
        Self { value, slope: self.slope * derivative }
    }

    pub fn tanh(self) -> Self {
        let tanh = self.value.tanh();
        self.apply(tanh, 1.0 - tanh * tanh)
    }

    pub fn exp(self) -> Self {
        self.apply(self.value.exp(), self.value.exp())
    }

    pub fn logistic(self) -> Self {
        Self::from(1.0) / (Self::from(1.0) + (-self).exp())
    }

    /// The derivative of the root of zero is taken as zero.
    pub fn sqrt(self) -> Self {
        let root = self.value.sqrt();
        self.apply(root, if root == 0.0 { 0.0 } else { 0.5 / root })
    }

    pub fn abs(self) -> Self {
        if self.value < 0.0 { -self } else { self }
    }

    /// Within ±bound; the derivative is 1 on the bound.
    pub fn clamp(self, bound: f64) -> Self {
        if self.value.abs() <= bound { self } else { Self::from(bound.copysign(self.value)) }
    }
}

impl Add for Dual {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { value: self.value + other.value, slope: self.slope + other.slope }
    }
}

impl Sub for Dual {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self { value: self.value - other.value, slope: self.slope - other.slope }
    }
}

impl Mul for Dual {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self { value: self.value * other.value, slope: self.slope * other.value + self.value * other.slope }
    }
}

impl Div for Dual {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let value = self.value / other.value;
        Self { value, slope: (self.slope - value * other.slope) / other.value }
    }
}

impl Neg for Dual {
    type Output = Self;
    fn neg(self) -> Self {
        Self { value: -self.value, slope: -self.slope }
    }
}

impl std::iter::Sum for Dual {
    fn sum<I: Iterator<Item = Self>>(values: I) -> Self {
        values.fold(Self::from(0.0), Add::add)
    }
}
