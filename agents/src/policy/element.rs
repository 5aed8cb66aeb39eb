//! The element types of prepared policies: f32 in runs, f64 where tests compare with definitions.

use std::borrow::Cow;
use std::sync::Arc;

use stpn_core::kernels::{FusedKernel, Real, SequenceKernel};

/// f32 or f64.
pub trait Element: Real {
    /// The kernel for this type.
    fn kernel(kernel: Arc<dyn FusedKernel>) -> Arc<dyn SequenceKernel<Self>>;

    /// Single-precision values in this type.
    fn of_f32(values: &[f32]) -> Cow<'_, [Self]>;
}

impl Element for f32 {
    fn kernel(kernel: Arc<dyn FusedKernel>) -> Arc<dyn SequenceKernel<Self>> {
        kernel
    }

    fn of_f32(values: &[f32]) -> Cow<'_, [Self]> {
        Cow::Borrowed(values)
    }
}

impl Element for f64 {
    fn kernel(kernel: Arc<dyn FusedKernel>) -> Arc<dyn SequenceKernel<Self>> {
        kernel
    }

    fn of_f32(values: &[f32]) -> Cow<'_, [Self]> {
        Cow::Owned(values.iter().map(|&value| f64::from(value)).collect())
    }
}
