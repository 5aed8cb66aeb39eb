//! Layers, seeded numbers and comparisons that the tests share.
#![allow(dead_code, clippy::unwrap_used, reason = "each test uses a part; a failing unwrap fails the test")]

pub mod case;
pub mod dual;
pub mod encoder;
pub mod energy;
pub mod foreseen;
pub mod game;
pub mod gated_reference;
pub mod golden;
pub mod maze;
pub mod policy;
pub mod reference;
pub mod rollout;

use stpn_cuda::shim::{self, Backward, Forward, GatedResults, Inputs, Machine, ShimReal};
use stpn_cuda::{Extent, Gated, GatedPlan, Layer, Plan};

/// Shared memory of a block on an A100, in bytes.
pub const SHARED: usize = 166_912;

/// Numbers between −1 and 1, the same for the same seed.
pub struct Numbers(u64);

impl Numbers {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def1)
    }

    pub fn next(&mut self) -> f64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    pub fn vec(&mut self, len: usize, scale: f64) -> Vec<f64> {
        (0..len).map(|_| self.next() * scale).collect()
    }
}

/// The plan that a device would get.
pub fn plan<T>(layer: &Layer, extent: Extent) -> Plan {
    Plan::new(layer, extent, size_of::<T>(), SHARED).unwrap()
}

/// A pass there and back; panics if the machine finds anything wrong.
pub fn there_and_back<T: ShimReal>(
    layer: &Layer,
    plan: &Plan,
    machine: Machine,
    inputs: Inputs<'_, T>,
    grad_hidden: &[T],
    grad_end: &[T],
) -> (Forward<T>, Backward<T>) {
    let forward = shim::forward(layer, plan, machine, inputs);
    assert_eq!(forward.problems.count, 0, "{layer:?} {plan:?} forward: {}", forward.problems.first);
    let backward = shim::backward(layer, plan, machine, inputs, &forward, grad_hidden, grad_end);
    assert_eq!(backward.problems.count, 0, "{layer:?} {plan:?} backward: {}", backward.problems.first);
    (forward, backward)
}

/// The plan that a device would get.
pub fn gated_plan<T>(layer: &Gated, extent: Extent) -> GatedPlan {
    GatedPlan::new(layer, extent, size_of::<T>(), SHARED).unwrap()
}

/// The same for LSTM, GRU and RNN.
pub fn gated_there_and_back<T: ShimReal>(
    layer: &Gated,
    plan: &GatedPlan,
    machine: Machine,
    inputs: Inputs<'_, T>,
    grad_hidden: &[T],
    grad_end: &[T],
) -> (GatedResults<T>, Backward<T>) {
    let (forward, backward) = shim::gated_there_and_back(layer, plan, machine, inputs, grad_hidden, grad_end);
    assert_eq!(backward.problems.count, 0, "{layer:?} {plan:?}: {}", backward.problems.first);
    (forward, backward)
}

/// The largest difference relative to the norm of what is wanted.
pub fn distance(got: &[f64], want: &[f64]) -> f64 {
    assert_eq!(got.len(), want.len(), "lengths");
    let norm = want.iter().map(|value| value * value).sum::<f64>().sqrt().max(1e-12);
    let largest = got
        .iter()
        .zip(want)
        .map(|(got, want)| (got - want).abs())
        .fold(0.0, |most: f64, distance| if distance.is_nan() { f64::INFINITY } else { most.max(distance) });
    largest / norm
}
