//! What training asks of the whole process.

/// Settings of the whole process that training relies on.
///
/// Nothing in this library changes them by itself: a program applies them at its start, `stpn` does so with the default,
/// and whoever uses candle for something else as well decides for all of it.
///
/// ```
/// use stpn_agents::ProcessSettings;
///
/// ProcessSettings::default().apply();
/// assert!(!ProcessSettings::in_force().split_products);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessSettings {
    /// Whether candle may split a large matrix product over threads. Default false.
    ///
    /// Networks on fused kernels have products of their own, which are never split. Those on the composed path have
    /// candle's: blocks of sequences run side by side, so that split products wait for each other, and results may
    /// depend on the number of threads.
    pub split_products: bool,
}

impl ProcessSettings {
    /// Those in force.
    pub fn in_force() -> Self {
        Self { split_products: gemm::get_threading_threshold() < usize::MAX }
    }

    /// Puts them in force, in every thread, for products from now on.
    pub fn apply(self) {
        gemm::set_threading_threshold(if self.split_products { gemm::DEFAULT_THREADING_THRESHOLD } else { usize::MAX });
    }
}

/// Warns if a network without kernels is to train while candle may split its matrix products over threads.
pub(crate) fn warn_of_split_products(fused: bool) {
    if !fused && ProcessSettings::in_force().split_products {
        tracing::warn!(
            "this network runs in candle, whose matrix products may be split over threads: results may depend on their \
             number; ProcessSettings::default().apply() at the start of the program keeps them whole"
        );
    }
}
