//! Options of the linear attention.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a key's value becomes in the memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AssociativeRule {
    /// It is added: gated linear attention.
    #[default]
    Hebbian,
    /// It takes the place of what the key retrieves: the gated delta rule.
    Delta,
}

/// Options of [`crate::cells::LinearAttention`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LinearAttentionConfig {
    /// What a key's value becomes in the memory.
    pub rule: AssociativeRule,
}
