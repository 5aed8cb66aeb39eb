//! The linear readout on slices.

/// `y = W h + b`, W `[O, H]`, on flat parameters (W, then b).
#[derive(Clone, Copy, Debug)]
pub struct Readout<'a> {
    weight: &'a [f32],
    bias: &'a [f32],
    hidden: usize,
}

impl<'a> Readout<'a> {
    /// The readout of `outputs` outputs whose parameters these are.
    pub fn new(parameters: &'a [f32], outputs: usize) -> Self {
        let (weight, bias) = parameters.split_at(parameters.len() - outputs);
        Self { weight, bias, hidden: weight.len() / outputs }
    }

    /// Outputs `[O]` of an activity `[H]`.
    pub fn forward(&self, hidden: &[f32], outputs: &mut [f32]) {
        for ((output, row), bias) in outputs.iter_mut().zip(self.weight.chunks_exact(self.hidden)).zip(self.bias) {
            *output = bias + row.iter().zip(hidden).map(|(w, h)| w * h).sum::<f32>();
        }
    }

    /// From the gradient of the outputs: writes that of the activity and adds to that of the parameters.
    pub fn backward(&self, hidden: &[f32], outputs: &[f32], to_hidden: &mut [f32], to_parameters: &mut [f32]) {
        let (to_weight, to_bias) = to_parameters.split_at_mut(self.weight.len());
        to_hidden.fill(0.0);
        let rows = self.weight.chunks_exact(self.hidden).zip(to_weight.chunks_exact_mut(self.hidden));
        for ((output, to_bias), (row, to_row)) in outputs.iter().zip(to_bias).zip(rows) {
            *to_bias += output;
            for (((w, h), to_w), to_h) in row.iter().zip(hidden).zip(to_row).zip(&mut *to_hidden) {
                *to_w += output * h;
                *to_h += output * w;
            }
        }
    }
}
