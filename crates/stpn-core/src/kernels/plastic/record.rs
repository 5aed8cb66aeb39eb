//! What the forward pass keeps of every step: a few vectors per block of neurons.

use super::spec::PlasticSpec;

/// Which vectors are kept and at which place; the layout of a record `[blocks, len]` of E vectors each.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// The normalised product q = G·z/n.
    pub product: Option<usize>,
    /// 1/n of the forward pass.
    pub inverse: Option<usize>,
    /// 1/n of the state, normalised before the update, where it is not the same.
    pub ratio: Option<usize>,
    /// Scale s of Φ before the step.
    pub scale: Option<usize>,
    /// Bias state before the step.
    pub bias: Option<usize>,
    /// Layer-normalised pre-activation before gain and offset.
    pub normal: Option<usize>,
    /// 1/deviation of the layer normalisation, the same in all lanes.
    pub deviation: Option<usize>,
    /// Vectors in all.
    pub len: usize,
}

impl Record {
    /// What the backward pass of that layer needs.
    pub fn new(spec: &PlasticSpec) -> Self {
        let mut len = 0;
        let mut keep = |wanted: bool| {
            wanted.then(|| {
                len += 1;
                len - 1
            })
        };
        let forward = spec.config.normalize_forward;
        Self {
            product: keep(forward),
            inverse: keep(forward),
            ratio: keep(spec.before() && !forward),
            scale: keep(spec.after()),
            bias: keep(spec.config.plastic_bias),
            normal: keep(spec.config.layer_norm),
            deviation: keep(spec.config.layer_norm),
            len,
        }
    }
}
