//! Where the parameters of a policy's parts lie.

use std::ops::Range;

/// Where the parts' parameters lie among all, packed in order.
#[derive(Clone, Debug)]
pub(super) struct Sections {
    pub actor: Range<usize>,
    pub critic: Range<usize>,
    pub policy_head: Range<usize>,
    /// Parameters of the distribution that no head puts out.
    pub free: Range<usize>,
    pub value_head: Range<usize>,
}
