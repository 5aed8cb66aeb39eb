//! The equations of the cells once more, written plainly, one environment and one step at a time.
#![allow(clippy::needless_range_loop, reason = "indices as in the equations")]

use stpn_cuda::{Granularity, Layer, Modulated, Modulation, NormalizeState, Plastic, Rule};

use super::dual::Dual;

const EPSILON: f64 = 1e-16;

fn zero() -> Dual {
    Dual::from(0.0)
}

fn norm(row: &[Dual]) -> Dual {
    row.iter().map(|value| *value * *value).sum::<Dual>().sqrt() + Dual::from(EPSILON)
}

/// Takes parameters in turn from the packed ones.
pub struct Packed<'a>(pub &'a [Dual]);

impl<'a> Packed<'a> {
    pub fn take(&mut self, len: usize) -> &'a [Dual] {
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken
    }
}

/// A sequence of one environment: x `[T, I]`, resets `[T]`, packed state. Returns activities `[T, H]` and the final
/// state.
pub fn sequence(
    layer: &Layer,
    parameters: &[Dual],
    x: &[Dual],
    resets: &[u8],
    start: &[Dual],
) -> (Vec<Dual>, Vec<Dual>) {
    let mut state = start.to_vec();
    let mut hidden = Vec::new();
    for (x, reset) in x.chunks(layer.input()).zip(resets) {
        if *reset == 1 {
            state.fill(zero());
        }
        hidden.extend(match layer {
            Layer::Plastic(layer) => plastic(layer, parameters, x, &mut state),
            Layer::Modulated(layer) => modulated(layer, parameters, x, &mut state),
        });
    }
    (hidden, state)
}

fn plastic(layer: &Plastic, parameters: &[Dual], x: &[Dual], state: &mut [Dual]) -> Vec<Dual> {
    let (size, width) = (layer.hidden, layer.width());
    let (first, plastic) = layer.plastic();
    let of_synapse = layer.granularity == Granularity::Synapse;
    let rates = match layer.granularity {
        Granularity::Synapse => size * plastic,
        Granularity::Presynaptic => plastic,
        Granularity::Scalar => 1,
    };
    let mut packed = Packed(parameters);
    let weight = packed.take(size * width);
    let bias = layer.bias.then(|| packed.take(size));
    let (lambda, gamma) = (packed.take(rates), packed.take(rates));
    let bias_rates = if of_synapse { size } else { 1 };
    let bias_rates = layer.plastic_bias.then(|| (packed.take(bias_rates), packed.take(bias_rates)));
    let layer_norm = layer.layer_norm.then(|| (packed.take(size), packed.take(size)));
    assert!(packed.0.is_empty(), "parameters left over");

    let (activity, rest) = state.split_at_mut(if layer.recurrent { size } else { 0 });
    let (fast, bias_state) = rest.split_at_mut(size * plastic);
    let z: Vec<Dual> = x.iter().chain(activity.iter()).copied().collect();
    let rate = |row: usize, column: usize| match layer.granularity {
        Granularity::Synapse => row * plastic + column,
        Granularity::Presynaptic => column,
        Granularity::Scalar => 0,
    };
    let effective = |row: usize, fast: &[Dual]| -> Vec<Dual> {
        (0..width)
            .map(|column| {
                let there = (first..first + plastic).contains(&column);
                let fast = if there { fast[row * plastic + column - first] } else { zero() };
                weight[row * width + column] + fast
            })
            .collect()
    };
    let mut norms = Vec::new();
    let mut pre = Vec::new();
    for row in 0..size {
        let g = effective(row, fast);
        let n = norm(&g);
        let mut product: Dual = g.iter().zip(&z).map(|(g, z)| *g * *z).sum();
        if layer.normalize_forward {
            product = product / n;
        }
        let bias = bias.map_or(zero(), |bias| bias[row]);
        let plastic_bias = if layer.plastic_bias { bias_state[row] } else { zero() };
        pre.push(product + bias + plastic_bias);
        norms.push(n);
    }
    if let Some((gain, offset)) = layer_norm {
        let share = Dual::from(1.0 / size as f64);
        let mean = pre.iter().copied().sum::<Dual>() * share;
        let variance = pre.iter().map(|pre| (*pre - mean) * (*pre - mean)).sum::<Dual>() * share;
        let deviation = (variance + Dual::from(1e-5)).sqrt();
        for (row, pre) in pre.iter_mut().enumerate() {
            *pre = (*pre - mean) / deviation * gain[row] + offset[row];
        }
    }
    let hidden: Vec<Dual> = pre.iter().map(|pre| if layer.logistic { pre.logistic() } else { pre.tanh() }).collect();
    for row in 0..size {
        for column in 0..plastic {
            let at = row * plastic + column;
            let (mut lambda, mut gamma) = (lambda[rate(row, column)], gamma[rate(row, column)]);
            if layer.logistic {
                (lambda, gamma) = (lambda.logistic(), -gamma.exp());
            }
            let old = match layer.normalize_state {
                NormalizeState::Before => fast[at] / norms[row],
                _ => fast[at],
            };
            let change = gamma * hidden[row] * z[first + column];
            fast[at] = if layer.decay_all { lambda * (old + change) } else { lambda * old + change };
            if let Some(bound) = layer.clamp {
                fast[at] = fast[at].clamp(bound);
            }
        }
        if layer.normalize_state == NormalizeState::After {
            let n = norm(&effective(row, fast));
            fast[row * plastic..(row + 1) * plastic].iter_mut().for_each(|fast| *fast = *fast / n);
        }
        if let Some((lambda, gamma)) = bias_rates {
            let rate = if of_synapse { row } else { 0 };
            bias_state[row] = lambda[rate] * bias_state[row] + gamma[rate] * hidden[row];
        }
    }
    if layer.recurrent {
        activity.copy_from_slice(&hidden);
    }
    hidden
}

fn modulated(layer: &Modulated, parameters: &[Dual], x: &[Dual], state: &mut [Dual]) -> Vec<Dual> {
    let (size, input) = (layer.hidden, layer.input);
    let mut packed = Packed(parameters);
    let (from_input, bias) = (packed.take(size * input), packed.take(size));
    let (weight, alpha) = (packed.take(size * size), packed.take(size * size));
    let eta = (layer.modulation != Modulation::Network).then(|| packed.take(1)[0]);
    let modulator = (layer.modulation != Modulation::Constant).then(|| (packed.take(size), packed.take(1)[0]));
    assert!(packed.0.is_empty(), "parameters left over");

    let (activity, rest) = state.split_at_mut(size);
    let (fast, trace) = rest.split_at_mut(size * size);
    let hidden: Vec<Dual> = (0..size)
        .map(|row| {
            let input: Dual = (0..input).map(|column| from_input[row * input + column] * x[column]).sum();
            let recurrent: Dual = (0..size)
                .map(|column| {
                    let at = row * size + column;
                    (weight[at] + alpha[at] * fast[at]) * activity[column]
                })
                .sum();
            (input + bias[row] + recurrent).tanh()
        })
        .collect();
    let rate = match modulator {
        None => eta.expect("a constant rate"),
        Some((weights, bias)) => (weights.iter().zip(&hidden).map(|(v, h)| *v * *h).sum::<Dual>() + bias).tanh(),
    };
    let retroactive = layer.modulation == Modulation::Retroactive;
    let limit = if retroactive { 0.99999 } else { 1.0 };
    for row in 0..size {
        for column in 0..size {
            let at = row * size + column;
            let hebbian = hidden[row] * activity[column];
            let change = rate * if retroactive { trace[at] } else { hebbian };
            fast[at] = match layer.rule {
                Rule::HardClamp => (fast[at] + change).clamp(1.0),
                Rule::SoftClamp => (fast[at] + change - change.abs() * fast[at]).clamp(limit),
                Rule::Additive => fast[at] + change,
                Rule::Decay => fast[at] - rate * fast[at] + change,
            };
            if retroactive {
                let eta = eta.expect("a rate of the trace");
                trace[at] = trace[at] + eta * (hebbian - trace[at]);
            }
        }
    }
    activity.copy_from_slice(&hidden);
    hidden
}
