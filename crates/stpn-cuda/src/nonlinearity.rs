//! Nonlinearities of dense layers.

/// What follows the product and the bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nonlinearity {
    /// Nothing.
    Linear,
    /// tanh.
    Tanh,
    /// max(0, ·).
    Relu,
}
