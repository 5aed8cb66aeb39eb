//! Recurrent states that grow beyond what single precision has room for.

use super::worker::Worker;

/// From here on the square of a number overflows in single precision: kernels still compute what they should, by longer
/// ways, but what grew to this will soon overflow itself.
const LARGE: f32 = 1e19;

/// Warns of large states, once.
#[derive(Debug, Default)]
pub struct GrowthWatch {
    warned: bool,
}

impl GrowthWatch {
    /// Looks at the states after the rollout of that update.
    pub fn look(&mut self, workers: &[Worker], update: u64) {
        let states = workers.iter().map(Worker::state);
        if let Some(warning) = self.warning(states, update) {
            tracing::warn!("{warning}");
        }
    }

    fn warning<'a>(&mut self, mut states: impl Iterator<Item = &'a [f32]>, update: u64) -> Option<String> {
        if self.warned || !states.any(|state| state.iter().any(|value| value.abs() > LARGE)) {
            return None;
        }
        self.warned = true;
        Some(format!(
            "update {update}: a recurrent state has grown beyond {LARGE:e}; before long it overflows and training stops. \
             Nothing limits fast weights whose decay is above 1: set policy.cell.clamp, or policy.cell.normalize_state"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fast_weights_near_overflow_were_no_warning() {
        let mut watch = GrowthWatch::default();
        let (small, large) = ([0.5f32, -1e18], [0.5f32, -3e19]);
        assert_eq!(watch.warning([&small[..]].into_iter(), 3), None);
        let warning = watch.warning([&small[..], &large[..]].into_iter(), 4).expect("one is large");
        assert!(warning.contains("update 4") && warning.contains("policy.cell.clamp"), "{warning}");
        assert_eq!(watch.warning([&large[..]].into_iter(), 5), None, "said before");
    }
}
