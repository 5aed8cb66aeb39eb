//! The element types of the kernels.

/// f32 or f64.
pub trait Real: Copy + Default + PartialEq + std::fmt::Debug + Send + Sync + 'static + sealed::Sealed {
    /// Its name in C++.
    const NAME: &'static str;
}

impl Real for f32 {
    const NAME: &'static str = "float";
}

impl Real for f64 {
    const NAME: &'static str = "double";
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}
