//! Nonlinearities of whole rows.

use crate::kernels::Real;
use crate::kernels::lanes::Lanes;
use crate::options::Activation;

/// Pre-activations to activities, in place.
pub fn activate<L: Lanes>(lanes: L, activation: Activation, values: &mut [L::Real]) {
    lanes.vectorize(
        #[inline(always)]
        || {
            let zero = lanes.splat(L::Real::ZERO);
            for value in L::vectors_mut(values) {
                *value = match activation {
                    Activation::Tanh => lanes.tanh(*value),
                    // In this order NaN stays NaN.
                    Activation::Relu => lanes.max(zero, *value),
                };
            }
        },
    );
}

/// Backward of [`activate`], from the activities `[N, size]` and their gradients, whose rows begin a given number of scalars
/// apart. Writes `[N, row]`.
pub fn activate_back<L: Lanes>(
    lanes: L,
    activation: Activation,
    [row, size]: [usize; 2],
    hidden: &[L::Real],
    (grad_hidden, stride): (&[L::Real], usize),
    grad_pre: &mut [L::Real],
) {
    lanes.vectorize(
        #[inline(always)]
        || {
            let grads = grad_hidden.chunks_exact(stride).zip(grad_pre.chunks_exact_mut(row));
            for (hidden, (grad_hidden, grad_pre)) in hidden.chunks_exact(size).zip(grads) {
                for ((grad_pre, grad), h) in grad_pre.iter_mut().zip(grad_hidden).zip(hidden) {
                    *grad_pre = match activation {
                        Activation::Tanh => *grad * (L::Real::ONE - *h * *h),
                        Activation::Relu if *h > L::Real::ZERO => *grad,
                        Activation::Relu => L::Real::ZERO,
                    };
                }
                grad_pre[size..].fill(L::Real::ZERO);
            }
        },
    );
}
