//! Losses of the readout: on slices for training, on tensors as their reference.

use candle_core::{D, Tensor};

use super::data::Answers;
use super::scores::Scores;
use crate::Result;

/// What is asked of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Objective {
    /// When.
    pub answers: Answers,
    /// How answers are judged.
    pub loss: Loss,
}

impl Objective {
    /// Counts answers `[N, O]`, and writes the gradient of `scale` times their losses over them.
    pub(super) fn judge(self, targets: &[u8], answers: &mut [f32], scale: f32, scores: &mut Scores) {
        let width = answers.len() / targets.len();
        for (&target, answer) in targets.iter().zip(answers.chunks_exact_mut(width)) {
            let (loss, right) = self.loss.apply(answer, target, scale);
            scores.count(target, loss, right);
        }
    }
}

/// What is minimised, per answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// `−log softmax(outputs)[target]`.
    CrossEntropy,
    /// −log σ(output) for target 1, −log(1 − σ(output)) for target 0.
    Binary,
}

impl Loss {
    /// The loss of one answer, and whether it is right; adds `scale` times the gradient to nothing but writes it over
    /// `outputs`.
    pub fn apply(self, outputs: &mut [f32], target: u8, scale: f32) -> (f64, bool) {
        match self {
            Self::CrossEntropy => {
                let (target, answer) = (usize::from(target), argmax(outputs));
                let max = outputs[answer];
                let mut total = 0.0;
                let chosen = outputs[target] - max;
                for output in &mut *outputs {
                    *output = (*output - max).exp();
                    total += *output;
                }
                outputs.iter_mut().for_each(|output| *output *= scale / total);
                outputs[target] -= scale;
                (f64::from(total.ln() - chosen), answer == target)
            }
            Self::Binary => {
                let (output, target) = (outputs[0], f32::from(target));
                let small = (-output.abs()).exp();
                let sigmoid = if output >= 0.0 { 1.0 / (1.0 + small) } else { small / (1.0 + small) };
                outputs[0] = scale * (sigmoid - target);
                let loss = output.max(0.0) - output * target + small.ln_1p();
                (f64::from(loss), (output > 0.0) == (target > 0.0))
            }
        }
    }

    /// The loss of every answer `[N]`, from outputs `[N, O]`, in differentiable candle operations.
    ///
    /// # Errors
    /// Fails on shapes that do not fit.
    pub fn composed(self, outputs: &Tensor, targets: &[u8]) -> Result<Tensor> {
        match self {
            Self::CrossEntropy => {
                // candle_nn's fused log-softmax has no backward; this composition has.
                let shifted = outputs.broadcast_sub(&outputs.max_keepdim(D::Minus1)?.detach())?;
                let log_probs = shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)?;
                let targets = Tensor::new(targets, outputs.device())?.unsqueeze(1)?;
                Ok(log_probs.gather(&targets, 1)?.squeeze(1)?.neg()?)
            }
            Self::Binary => {
                let outputs = outputs.squeeze(1)?;
                let targets = Tensor::new(targets, outputs.device())?.to_dtype(outputs.dtype())?;
                let small = (outputs.abs()?.neg()?.exp()? + 1.0)?.log()?;
                Ok(((outputs.relu()? - (&outputs * targets)?)? + small)?)
            }
        }
    }
}

/// The first of the largest.
pub(super) fn argmax(values: &[f32]) -> usize {
    (0..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    #[test]
    fn slices_and_tensors_agree_in_loss_and_gradient() -> Result<()> {
        for (loss, width, rows) in [(Loss::CrossEntropy, 3, [1u8, 0, 2]), (Loss::Binary, 1, [1, 0, 0])] {
            let values: Vec<f32> = (0..3 * width).map(|i| (i as f32 * 1.7).sin() * 4.0).collect();
            let outputs = Var::from_tensor(&Tensor::from_vec(values.clone(), (3, width), &Device::Cpu)?)?;
            let composed = loss.composed(&outputs, &rows)?;
            let gradient = (composed.sum_all()? * 0.5)?.backward()?;
            let gradient: Vec<f32> = gradient.get(&outputs).expect("a gradient").flatten_all()?.to_vec1()?;
            let composed: Vec<f32> = composed.to_vec1()?;
            let mut slices = values.clone();
            for (row, &target) in rows.iter().enumerate() {
                let outputs = &mut slices[row * width..(row + 1) * width];
                let before = outputs.to_vec();
                let (value, right) = loss.apply(outputs, target, 0.5);
                assert!((value - f64::from(composed[row])).abs() < 1e-6, "{loss:?}");
                let answer = if width == 1 { usize::from(before[0] > 0.0) } else { argmax(&before) };
                assert_eq!(right, answer == usize::from(target), "{loss:?}");
            }
            for (got, want) in slices.iter().zip(&gradient) {
                assert!((got - want).abs() < 1e-6, "{loss:?}: {slices:?} {gradient:?}");
            }
        }
        Ok(())
    }

    #[test]
    fn large_outputs_stay_finite() {
        for (output, target, expected) in [(300.0, 0, 300.0), (-300.0, 1, 300.0), (300.0, 1, 0.0)] {
            let mut outputs = [output];
            let (loss, _) = Loss::Binary.apply(&mut outputs, target, 1.0);
            assert!((loss - expected).abs() < 1e-6 && outputs[0].is_finite(), "{loss} {outputs:?}");
        }
        let mut outputs = [500.0, -500.0];
        assert!((Loss::CrossEntropy.apply(&mut outputs, 1, 1.0).0 - 1000.0).abs() < 1e-3);
        assert_eq!(outputs, [1.0, -1.0]);
    }
}
