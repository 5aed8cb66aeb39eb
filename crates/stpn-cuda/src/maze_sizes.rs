//! Numbers of the mazes on a device.

/// Actions: up, down, left, right.
pub const ACTIONS: usize = 4;

/// Outputs of the heads: a logit for each action, then the value.
pub const OUTPUTS: usize = ACTIONS + 1;

/// Elements of shared memory of an environment: where it stands, and the outputs of the heads.
pub(crate) const SHARED: usize = 9 + OUTPUTS;
