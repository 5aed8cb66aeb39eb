//! How a block of batch elements is divided: into cohorts that go through time in step, and their time into segments.

use super::presynaptic::Span;
use super::weights::{ENTRY, Weights};
use crate::kernels::Extent;
use crate::kernels::lanes::Lanes;

/// Tables beyond this many bytes do not stay in the second-level cache from step to step, nor do fast weights of
/// their size.
const LARGE_TABLE: usize = 1 << 19;

/// Batch elements in a cohort that shares a large table: more would not stay in the third-level cache.
const LARGE_COHORT: usize = 4;

/// Steps from slot to slot of a segment with large fast weights: running an update again costs less than a way to
/// memory and back.
const LARGE_STRIDE: usize = 4;

/// Bytes of fast weights that a segment may keep and still find again in the second-level cache.
const SEGMENT_BYTES: usize = 5 << 18;

/// The division of one block.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    pub cohorts: Vec<CohortPlan>,
}

/// One cohort.
#[derive(Debug, PartialEq, Eq)]
pub struct CohortPlan {
    /// Its batch elements.
    pub span: Span,
    /// Elements E in a group: [`Lanes::GROUP`], or 1 for what is left over.
    pub width: usize,
    /// Steps in a segment.
    pub every: usize,
    /// Steps from slot to slot of a segment; what lies between is run again in the first-level cache.
    pub stride: usize,
}

impl Plan {
    /// Divides a block. Depends on nothing but the layer, the extent and the instruction set.
    pub fn new<L: Lanes>(weights: &Weights<L>, extent: Extent) -> Self {
        let table = weights.blocks * weights.width * ENTRY * L::WIDTH * size_of::<L::Real>();
        let large = table > LARGE_TABLE;
        let groups = if large { LARGE_COHORT / L::GROUP } else { 1 };
        // Oja's rule needs all rows for the next update, the normalisation after it Φ on either side of a step.
        let stride = if large && !weights.spec.after() && !weights.spec.oja() { LARGE_STRIDE } else { 1 };
        let mut cohorts = Vec::new();
        let full = extent.batch / L::GROUP;
        for first in (0..full).step_by(groups.max(1)) {
            let span = Span { first: first * L::GROUP, groups: groups.max(1).min(full - first) };
            cohorts.push(CohortPlan {
                span,
                width: L::GROUP,
                every: every(table / ENTRY, span.groups * L::GROUP, extent),
                stride,
            });
        }
        for first in full * L::GROUP..extent.batch {
            let span = Span { first, groups: 1 };
            cohorts.push(CohortPlan { span, width: 1, every: every(table / ENTRY, 1, extent), stride });
        }
        Self { cohorts }
    }
}

/// Steps in a segment, for elements of `bytes` fast weights.
///
/// The tape keeps T/k states of every element, a segment k + 1 of the cohort's: least in sum at k = √(T·B/cohort).
/// Segments that fit into the cache are better, unless they are shorter than √T.
fn every(bytes: usize, cohort: usize, extent: Extent) -> usize {
    let root = |value: usize| (value as f64).sqrt().ceil() as usize;
    let least_memory = root(extent.steps * extent.batch.div_ceil(cohort));
    let in_cache = (SEGMENT_BYTES / (bytes * cohort).max(1)).saturating_sub(1);
    let steps = if in_cache < root(extent.steps) { least_memory } else { in_cache.min(least_memory) };
    steps.clamp(1, extent.steps.max(1))
}
