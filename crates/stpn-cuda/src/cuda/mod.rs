//! The kernels on a device. **Untested on hardware**: what can be checked without a device is (the kernels behind the
//! shim, their compilation, the errors if something is missing); launches and copies have never run.

mod cache;
mod compile;
mod device;
mod layer;

pub use device::{Buffer, CudaReal, Device};
pub use layer::{Backward, Forward, PlasticLayer, Sequence};
