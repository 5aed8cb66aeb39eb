//! How hard a task is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The size of a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// The smallest.
    #[default]
    Easy,
    /// The second.
    Medium,
    /// The largest, except of the pendulums, whose episodes are shortest at this level.
    Hard,
}

impl Level {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Easy, Self::Medium, Self::Hard];

    /// As in a configuration.
    pub fn name(self) -> &'static str {
        self.of(["easy", "medium", "hard"])
    }

    /// This level's of three values, the easy one first.
    pub fn of<T>(self, [easy, medium, hard]: [T; 3]) -> T {
        match self {
            Self::Easy => easy,
            Self::Medium => medium,
            Self::Hard => hard,
        }
    }
}
