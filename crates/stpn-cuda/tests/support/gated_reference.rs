//! The equations of LSTM, GRU and RNN once more, written plainly, one environment and one step at a time.

use stpn_cuda::{Gated, GatedKind};

use super::dual::Dual;
use super::reference::Packed;

fn zero() -> Dual {
    Dual::from(0.0)
}

/// Which parts of the packed parameters an element of a matrix or of a bias comes from.
struct Parameters<'a> {
    layer: &'a Gated,
    weight: [&'a [Dual]; 2],
    biases: [Option<&'a [Dual]>; 2],
    norm: Option<[&'a [Dual]; 2]>,
}

impl<'a> Parameters<'a> {
    fn new(layer: &'a Gated, packed: &'a [Dual]) -> Self {
        let Gated { kind, input, hidden, split, layer_norm } = *layer;
        let rows = rows(layer);
        let mut packed = Packed(packed);
        let weight = if split {
            [packed.take(rows * input), packed.take(rows * hidden)]
        } else {
            [packed.take(rows * (input + hidden)), &[]]
        };
        let first = Some(packed.take(rows));
        let second = (split && kind != GatedKind::Rnn).then(|| packed.take(rows));
        let norm = layer_norm.then(|| [packed.take(rows), packed.take(rows)]);
        assert!(packed.0.is_empty(), "parameters left over");
        Self { layer, weight, biases: [first, second], norm }
    }

    /// Pre-activations from x or from h, with the bias of that part.
    fn product(&self, from_units: bool, of: &[Dual]) -> Vec<Dual> {
        let Gated { kind, input, hidden, split, .. } = *self.layer;
        let at = |row: usize, column: usize| match (split, kind) {
            (true, _) => self.weight[usize::from(from_units)][row * of.len() + column],
            (false, GatedKind::Rnn) => self.weight[0][(column + if from_units { input } else { 0 }) * hidden + row],
            (false, _) => self.weight[0][row * (input + hidden) + column + if from_units { input } else { 0 }],
        };
        let bias = self.biases[usize::from(from_units)];
        (0..rows(self.layer))
            .map(|row| {
                let sum: Dual = of.iter().enumerate().map(|(column, value)| at(row, column) * *value).sum();
                bias.map_or(sum, |bias| sum + bias[row])
            })
            .collect()
    }
}

fn rows(layer: &Gated) -> usize {
    layer.hidden
        * match layer.kind {
            GatedKind::Lstm => 4,
            GatedKind::Gru => 3,
            GatedKind::Rnn => 1,
        }
}

/// A sequence of one environment: x `[T, I]`, resets `[T]`, packed state. Returns activities `[T, H]` and the final
/// state.
pub fn sequence(
    layer: &Gated,
    parameters: &[Dual],
    x: &[Dual],
    resets: &[u8],
    start: &[Dual],
) -> (Vec<Dual>, Vec<Dual>) {
    let parameters = Parameters::new(layer, parameters);
    let (mut state, mut hidden) = (start.to_vec(), Vec::new());
    for (x, reset) in x.chunks(layer.input).zip(resets) {
        if *reset == 1 {
            state.fill(zero());
        }
        let (h, c) = state.split_at_mut(layer.hidden);
        let new = step(&parameters, x, h, c);
        h.copy_from_slice(&new);
        hidden.extend(new);
    }
    (hidden, state)
}

fn step(parameters: &Parameters<'_>, x: &[Dual], h: &[Dual], c: &mut [Dual]) -> Vec<Dual> {
    let (from_inputs, from_units) = (parameters.product(false, x), parameters.product(true, h));
    let size = h.len();
    let sum: Vec<Dual> = from_inputs.iter().zip(&from_units).map(|(a, b)| *a + *b).collect();
    match parameters.layer.kind {
        GatedKind::Rnn => sum.into_iter().map(Dual::tanh).collect(),
        GatedKind::Gru => (0..size)
            .map(|unit| {
                let (r, z) = (sum[unit].logistic(), sum[size + unit].logistic());
                let n = (from_inputs[2 * size + unit] + r * from_units[2 * size + unit]).tanh();
                (Dual::from(1.0) - z) * n + z * h[unit]
            })
            .collect(),
        GatedKind::Lstm => {
            let gates = match parameters.norm {
                Some([gain, offset]) => {
                    let count = Dual::from(sum.len() as f64);
                    let mean = sum.iter().copied().sum::<Dual>() / count;
                    let variance = sum.iter().map(|v| (*v - mean) * (*v - mean)).sum::<Dual>() / count;
                    let deviation = (variance + Dual::from(1e-5)).sqrt();
                    let normal = sum.iter().map(|v| (*v - mean) / deviation);
                    normal.zip(gain.iter().zip(offset)).map(|(v, (gain, offset))| v * *gain + *offset).collect()
                }
                None => sum,
            };
            let gate = |index: usize, unit: usize| gates[index * size + unit];
            (0..size)
                .map(|unit| {
                    let (i, f) = (gate(0, unit).logistic(), gate(1, unit).logistic());
                    c[unit] = f * c[unit] + i * gate(2, unit).tanh();
                    gate(3, unit).logistic() * c[unit].tanh()
                })
                .collect()
        }
    }
}
