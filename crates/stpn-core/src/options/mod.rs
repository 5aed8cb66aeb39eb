//! Options of the cells that their kernels read too: below both.

mod activation;
mod associative;
mod backpropamine;
mod fast_weights;
mod frame_stack;
mod stpn;

pub use activation::Activation;
pub use associative::{AssociativeRule, LinearAttentionConfig};
pub use backpropamine::{BackpropamineConfig, Bound, Modulation};
pub(crate) use backpropamine::{LIMIT, RETROACTIVE_SOFT_LIMIT};
pub use fast_weights::FastWeightsConfig;
pub use frame_stack::FrameStackConfig;
pub use stpn::{Decay, Granularity, NormOf, NormalizeState, Plastic, Rule, StpnConfig};
