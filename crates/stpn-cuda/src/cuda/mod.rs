//! The kernels on a device. **Untested on hardware**: launches, copies and errors are tested on a driver that is
//! emulated on the CPU.

mod adam;
mod advantage;
mod bytes;
mod cache;
mod compile;
mod convolution;
mod dense;
mod device;
mod gated;
mod gather;
mod general;
mod kernels;
mod limits;
mod loss;
mod plastic;
mod ppo_batch;
mod rollout;
mod runner;
mod sequence;
mod sequence_layer;

pub use adam::Adam;
pub use advantage::Advantages;
pub use convolution::ConvolutionLayer;
pub use dense::{DenseGradients, DenseLayer};
pub use device::{Buffer, CudaReal, Device};
pub use gated::GatedLayer;
pub use gather::Columns;
pub use general::General;
pub use limits::DeviceLimits;
pub use plastic::PlasticLayer;
pub use ppo_batch::PpoBatch;
pub use rollout::KeptRollout;
pub use sequence::{Backward, Forward, Sequence};
pub use sequence_layer::SequenceLayer;
