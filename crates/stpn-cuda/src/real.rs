//! The element types of the kernels.

/// f32 or f64.
pub trait Real: Copy + Default + PartialEq + std::fmt::Debug + Send + Sync + 'static + sealed::Sealed {
    /// Its name in C++.
    const NAME: &'static str;

    /// The nearest number.
    fn of(value: f64) -> Self;
}

impl Real for f32 {
    const NAME: &'static str = "float";

    fn of(value: f64) -> Self {
        value as f32
    }
}

impl Real for f64 {
    const NAME: &'static str = "double";

    fn of(value: f64) -> Self {
        value
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}
