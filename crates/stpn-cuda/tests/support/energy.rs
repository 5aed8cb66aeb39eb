//! The energy of units by its equation.

use stpn_cuda::shim::{self, Inputs, Machine};
use stpn_cuda::{AnyLayer, EnergyOf, Extent, Gated, GatedKind, Layer};

use super::{gated_plan, plan};

/// The final state alone.
fn end(layer: &AnyLayer, inputs: Inputs<'_, f64>) -> Vec<f64> {
    match layer {
        AnyLayer::Plastic(layer) => {
            shim::forward(layer, &plan::<f64>(layer, inputs.extent), Machine::default(), inputs).end
        }
        AnyLayer::Gated(layer) => {
            shim::gated_forward(layer, &gated_plan::<f64>(layer, inputs.extent), Machine::default(), inputs).end
        }
    }
}

/// Gates of a unit.
fn gates(layer: &Gated) -> usize {
    match layer.kind {
        GatedKind::Lstm => 4,
        GatedKind::Gru => 3,
        GatedKind::Rnn => 1,
    }
}

/// Energy of every unit, Σ |G| z²: G is divided by the norm of its row if products are, and a gated unit
/// has a row for each gate.
fn energy(layer: &AnyLayer, parameters: &[f64], state: &[f64], x: &[f64], mask: &[f64]) -> Vec<f64> {
    let (input, hidden) = (layer.input(), layer.hidden());
    let recurrent = !matches!(layer, AnyLayer::Plastic(Layer::Plastic(layer)) if !layer.recurrent);
    let (activity, rest) = state.split_at(if recurrent { hidden } else { 0 });
    let z: Vec<f64> = x.iter().zip(mask).map(|(x, mask)| x * mask).chain(activity.iter().copied()).collect();
    let g = |row: usize, column: usize| match layer {
        AnyLayer::Plastic(Layer::Plastic(layer)) => {
            let (first, plastic) = layer.plastic();
            let fast = (first..first + plastic).contains(&column);
            parameters[row * z.len() + column] + if fast { rest[row * plastic + column - first] } else { 0.0 }
        }
        AnyLayer::Plastic(Layer::Modulated(_)) if column < input => parameters[row * input + column],
        AnyLayer::Plastic(Layer::Modulated(_)) => {
            let synapse = row * hidden + column - input;
            let (weights, alphas) = parameters[hidden * (input + 1)..].split_at(hidden * hidden);
            weights[synapse] + alphas[synapse] * rest[synapse]
        }
        AnyLayer::Gated(layer) => {
            let rows = hidden * gates(layer);
            parameters[match (layer.kind, layer.split) {
                (GatedKind::Rnn, false) => column * hidden + row,
                (_, false) => row * z.len() + column,
                (_, true) if column < input => row * input + column,
                (_, true) => rows * input + row * hidden + column - input,
            }]
        }
    };
    let of_row = |row: usize| {
        let g: Vec<f64> = (0..z.len()).map(|column| g(row, column)).collect();
        let normed = matches!(layer, AnyLayer::Plastic(Layer::Plastic(layer)) if layer.normalize_forward);
        let norm = if normed { g.iter().map(|g| g * g).sum::<f64>().sqrt() } else { 1.0 };
        g.iter().zip(&z).map(|(g, z)| (g / norm).abs() * z * z).sum::<f64>()
    };
    let gates = if let AnyLayer::Gated(layer) = layer { gates(layer) } else { 1 };
    (0..hidden).map(|unit| (0..gates).map(|gate| of_row(gate * hidden + unit)).sum()).collect()
}

/// The energy of a sequence, `[samples, B', H]`, with the layer's own states before each step.
pub fn measured(layer: &AnyLayer, inputs: Inputs<'_, f64>, of: &EnergyOf<'_, f64>) -> Vec<f64> {
    let Extent { steps, batch } = inputs.extent;
    let (input, width) = (layer.input(), layer.state_len());
    let resets = inputs.resets.expect("resets");
    let ones = vec![1.0; input];
    let mut energies = Vec::new();
    for t in (of.first..steps).step_by(of.every) {
        let before = match t {
            0 => inputs.start.to_vec(),
            _ => {
                let (x, starts) = (&inputs.x[..t * batch * input], Some(&resets[..t * batch]));
                end(layer, Inputs { extent: Extent { steps: t, batch }, x, resets: starts, ..inputs })
            }
        };
        for env in 0..of.batch {
            let (mut state, at) = (before[env * width..(env + 1) * width].to_vec(), t * batch + env);
            if resets[at] == 1 {
                state.fill(0.0);
            }
            let x = &inputs.x[at * input..(at + 1) * input];
            energies.extend(energy(layer, inputs.parameters, &state, x, of.mask.unwrap_or(&ones)));
        }
    }
    energies
}
