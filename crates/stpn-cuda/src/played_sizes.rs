//! Shared memory that the environments of a rollout need.

/// Actions of a maze: up, down, left, right.
pub const MAZE_ACTIONS: usize = 4;

/// Elements of a maze: where it stands.
pub(crate) const MAZE: usize = 9;

/// Elements of an environment that is foreseen: the action before.
pub(crate) const FORESEEN: usize = 1;

/// Elements of a game, which stands in global memory.
pub(crate) const GAME: usize = 0;

/// Elements of a maze with the outputs of its heads, for which layers leave room.
pub(crate) const SHARED: usize = MAZE + MAZE_ACTIONS + 1;

/// The most numbers that go into a layer of an encoder for which layers leave room in any case: as many as their own
/// inputs, if those are more.
pub(crate) const ENCODED: usize = 64;
