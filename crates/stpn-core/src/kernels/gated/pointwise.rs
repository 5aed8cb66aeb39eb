//! The passes over the units of a block at one step, all rows padded to whole vectors.

use crate::kernels::Real;
use crate::kernels::lanes::Lanes;

/// The LSTM's units: pre-activations `[B, 4·gate]` become gates in place, memory and activity `[B, gate]` are
/// replaced.
pub fn lstm<L: Lanes>(lanes: L, gate: usize, gates: &mut [L::Real], memory: &mut [L::Real], hidden: &mut [L::Real]) {
    let n = gate / L::WIDTH;
    let rows = L::vectors_mut(gates).chunks_exact_mut(4 * n);
    let units = L::vectors_mut(memory).chunks_exact_mut(n).zip(L::vectors_mut(hidden).chunks_exact_mut(n));
    lanes.vectorize(
        #[inline(always)]
        || {
            for (gates, (memory, hidden)) in rows.zip(units) {
                for v in 0..n {
                    let (i, f) = (lanes.sigmoid(gates[v]), lanes.sigmoid(gates[n + v]));
                    let (g, o) = (lanes.tanh(gates[2 * n + v]), lanes.sigmoid(gates[3 * n + v]));
                    let c = lanes.mul_add(f, memory[v], lanes.mul(i, g));
                    memory[v] = c;
                    hidden[v] = lanes.mul(o, lanes.tanh(c));
                    (gates[v], gates[n + v], gates[2 * n + v], gates[3 * n + v]) = (i, f, g, o);
                }
            }
        },
    );
}

/// Backward of [`lstm`]: from the gates, the memory before the step, and the gradients of activity and memory after
/// it. Writes the gradient of the pre-activations; that of the memory becomes the one before the step.
pub fn lstm_back<L: Lanes>(
    lanes: L,
    gate: usize,
    gates: &[L::Real],
    memory: &[L::Real],
    grad_hidden: &[L::Real],
    grad_memory: &mut [L::Real],
    grad_gates: &mut [L::Real],
) {
    let n = gate / L::WIDTH;
    let rows = L::vectors(gates).chunks_exact(4 * n).zip(L::vectors(memory).chunks_exact(n));
    let grads = L::vectors(grad_hidden).chunks_exact(n).zip(L::vectors_mut(grad_memory).chunks_exact_mut(n));
    let out = L::vectors_mut(grad_gates).chunks_exact_mut(4 * n);
    lanes.vectorize(
        #[inline(always)]
        || {
            for (((gates, memory), (grad_hidden, grad_memory)), out) in rows.zip(grads).zip(out) {
                for v in 0..n {
                    let [i, f, g, o] = [gates[v], gates[n + v], gates[2 * n + v], gates[3 * n + v]];
                    let squashed = lanes.tanh(lanes.mul_add(f, memory[v], lanes.mul(i, g)));
                    let grad = lanes.mul_add(lanes.mul(grad_hidden[v], o), slope(lanes, squashed), grad_memory[v]);
                    out[v] = lanes.mul(lanes.mul(grad, g), logistic_slope(lanes, i));
                    out[n + v] = lanes.mul(lanes.mul(grad, memory[v]), logistic_slope(lanes, f));
                    out[2 * n + v] = lanes.mul(lanes.mul(grad, i), slope(lanes, g));
                    out[3 * n + v] = lanes.mul(lanes.mul(grad_hidden[v], squashed), logistic_slope(lanes, o));
                    grad_memory[v] = lanes.mul(grad, f);
                }
            }
        },
    );
}

/// The GRU's units: pre-activations `[B, 4·gate]` (n from inputs, r, z, n from activities) become n, r and z in place,
/// the last stays; the activity `[B, gate]` is replaced.
pub fn gru<L: Lanes>(lanes: L, gate: usize, slots: &mut [L::Real], hidden: &mut [L::Real]) {
    let n = gate / L::WIDTH;
    let rows = L::vectors_mut(slots).chunks_exact_mut(4 * n).zip(L::vectors_mut(hidden).chunks_exact_mut(n));
    lanes.vectorize(
        #[inline(always)]
        || {
            for (slots, hidden) in rows {
                for v in 0..n {
                    let (reset, update) = (lanes.sigmoid(slots[n + v]), lanes.sigmoid(slots[2 * n + v]));
                    let new = lanes.tanh(lanes.mul_add(reset, slots[3 * n + v], slots[v]));
                    // (1 − z)·n + z·h
                    hidden[v] = lanes.mul_add(update, lanes.sub(hidden[v], new), new);
                    (slots[v], slots[n + v], slots[2 * n + v]) = (new, reset, update);
                }
            }
        },
    );
}

/// Backward of [`gru`]: from what it left of the slots, the activity before the step, and the gradient of that after
/// it. Writes the gradient of the pre-activations; that of the activity becomes what goes straight to the one before.
pub fn gru_back<L: Lanes>(
    lanes: L,
    gate: usize,
    slots: &[L::Real],
    before: &[L::Real],
    grad_hidden: &mut [L::Real],
    grad_slots: &mut [L::Real],
) {
    let n = gate / L::WIDTH;
    let rows = L::vectors(slots).chunks_exact(4 * n).zip(L::vectors(before).chunks_exact(n));
    let grads = L::vectors_mut(grad_hidden).chunks_exact_mut(n).zip(L::vectors_mut(grad_slots).chunks_exact_mut(4 * n));
    lanes.vectorize(
        #[inline(always)]
        || {
            for ((slots, before), (grad_hidden, out)) in rows.zip(grads) {
                for v in 0..n {
                    let [new, reset, update, recurrent] = [slots[v], slots[n + v], slots[2 * n + v], slots[3 * n + v]];
                    let grad = grad_hidden[v];
                    let through_update = lanes.mul(grad, update);
                    let grad_new = lanes.mul(lanes.sub(grad, through_update), slope(lanes, new));
                    let grad_update = lanes.mul(grad, lanes.sub(before[v], new));
                    out[v] = grad_new;
                    out[n + v] = lanes.mul(lanes.mul(grad_new, recurrent), logistic_slope(lanes, reset));
                    out[2 * n + v] = lanes.mul(grad_update, logistic_slope(lanes, update));
                    out[3 * n + v] = lanes.mul(grad_new, reset);
                    grad_hidden[v] = through_update;
                }
            }
        },
    );
}

/// 1 − v²
#[inline(always)]
fn slope<L: Lanes>(lanes: L, v: L::Vector) -> L::Vector {
    lanes.sub(lanes.splat(L::Real::ONE), lanes.mul(v, v))
}

/// v(1 − v)
#[inline(always)]
fn logistic_slope<L: Lanes>(lanes: L, v: L::Vector) -> L::Vector {
    lanes.mul(v, lanes.sub(lanes.splat(L::Real::ONE), v))
}
