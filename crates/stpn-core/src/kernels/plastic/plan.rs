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

/// Least steps of a segment that is worth an update of its own for each of them to stay in that cache.
const SHORT_SEGMENT: usize = 4;

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
    /// Steps from checkpoint to checkpoint of the tape.
    pub every: usize,
    /// Steps in a segment: as many, or fewer where that many would not stay in the cache. The way back then goes
    /// through the steps from a checkpoint on twice, first for the state at the start of each of their segments.
    pub segment: usize,
    /// Steps from slot to slot of a segment; what lies between is run again in the first-level cache.
    pub stride: usize,
}

impl Plan {
    /// Divides a block. Depends on nothing but the layer, the extent and the instruction set.
    pub fn new<L: Lanes>(weights: &Weights<L>, extent: Extent) -> Self {
        let table = weights.blocks * weights.width * ENTRY * L::WIDTH * size_of::<L::Real>();
        let large = table > LARGE_TABLE;
        let groups = if large { LARGE_COHORT / L::GROUP } else { 1 };
        // The normalisation after the update needs Φ on either side of a step.
        let stride = if large && !weights.spec.after() { LARGE_STRIDE } else { 1 };
        let cohort = |span: Span, width: usize| {
            let (every, segment) = intervals(table / ENTRY, span.groups * width, extent);
            CohortPlan { span, width, every, segment, stride }
        };
        let mut cohorts = Vec::new();
        let full = extent.batch / L::GROUP;
        for first in (0..full).step_by(groups.max(1)) {
            let span = Span { first: first * L::GROUP, groups: groups.max(1).min(full - first) };
            cohorts.push(cohort(span, L::GROUP));
        }
        for first in full * L::GROUP..extent.batch {
            cohorts.push(cohort(Span { first, groups: 1 }, 1));
        }
        Self { cohorts }
    }
}

/// Steps from checkpoint to checkpoint and in a segment, for elements of `bytes` fast weights.
///
/// The tape keeps T/k states of every element, a segment k of the cohort's: least in sum at k = √(T·B/cohort).
/// Where such a segment does not fit into the cache, segments have the s steps that do. The tape then keeps T/(m·s)
/// states, the steps from a checkpoint on those of m − 1 more segments, which are run again for it: as few as keep
/// no more in sum than segments of √(T·B/cohort) steps would.
fn intervals(bytes: usize, cohort: usize, extent: Extent) -> (usize, usize) {
    let root = |value: usize| (value as f64).sqrt().ceil() as usize;
    let steps = extent.steps.max(1);
    let all = steps * extent.batch.div_ceil(cohort);
    let in_cache = (SEGMENT_BYTES / (bytes * cohort).max(1)).saturating_sub(1);
    if in_cache < root(steps) && in_cache >= SHORT_SEGMENT {
        let least = root(all.div_ceil(in_cache)).min(steps.div_ceil(in_cache));
        let kept = |segments: usize| all.div_ceil(segments * in_cache) + segments + in_cache;
        let segments = (1..least).find(|segments| kept(*segments) <= 2 * root(all)).unwrap_or(least);
        return (in_cache * segments, in_cache);
    }
    let limit = if in_cache < root(steps) { steps } else { in_cache.min(steps) };
    let every = root(all).clamp(1, limit.max(1));
    (every, every)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// States that tape and way back keep of a cohort at once.
    fn kept(steps: usize, bytes: usize) -> (usize, usize) {
        let extent = Extent { steps, batch: 4 };
        let (every, segment) = intervals(bytes, 4, extent);
        (steps.div_ceil(every) + every.div_ceil(segment) + segment, segment)
    }

    #[test]
    fn kept_states_grow_no_faster_than_the_root_of_the_steps() {
        for bytes in [1 << 12, 18_432, 1 << 16, 1 << 20] {
            for steps in [50, 200, 500, 1250, 5000, 20_000, 100_000] {
                let (states, segment) = kept(steps, bytes);
                let root = (steps as f64).sqrt();
                assert!(states as f64 <= 2.0 * root + 20.0, "{states} states of {bytes} bytes in {steps} steps");
                let held = 4 * bytes * segment;
                assert!(
                    held <= SEGMENT_BYTES || bytes > 1 << 18 || segment <= SHORT_SEGMENT,
                    "a segment of {held} bytes"
                );
            }
        }
    }

    #[test]
    fn short_sequences_are_run_again_only_once() {
        assert_eq!(intervals(18_432, 4, Extent { steps: 200, batch: 4 }), (15, 15));
        let (every, segment) = intervals(18_432, 4, Extent { steps: 5000, batch: 4 });
        assert_eq!((segment, every), (16, 48));
    }
}
