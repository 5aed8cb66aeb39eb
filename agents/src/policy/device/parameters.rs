//! Parameters of a policy on a device, divided into those of its layers.

use stpn_cuda::cuda::Buffer;

/// All parameters, as the layers take them.
#[derive(Debug)]
pub(super) struct DeviceParameters {
    pub actor: BranchParameters,
    pub critic: Option<BranchParameters>,
    /// Those of the distribution that no head puts out, if there are any.
    pub free: Option<FreeParameters>,
}

/// Parameters of the distribution that no head puts out.
#[derive(Debug)]
pub(super) struct FreeParameters {
    /// For rollouts, which get whole distributions.
    pub here: Vec<f32>,
    /// For losses.
    pub there: Buffer<f32>,
}

/// Those of a trunk and its heads.
#[derive(Debug)]
pub(super) struct BranchParameters {
    pub trunk: TrunkParameters,
    /// All heads as one layer: weights, then biases.
    pub heads: Buffer<f32>,
}

/// Those of a trunk.
#[derive(Debug)]
pub(super) struct TrunkParameters {
    /// Of every layer without memory.
    pub feedforward: Vec<Buffer<f32>>,
    /// Of the recurrent layer.
    pub cell: Option<Buffer<f32>>,
}
