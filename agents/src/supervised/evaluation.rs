//! Measuring a network on sequences that it does not learn from.

use std::iter::Sum;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;
use stpn_core::kernels::linear::LinearLayer;
use stpn_core::kernels::{Extent, Prepared, SequenceKernel};
use stpn_core::{Cell, State};

use super::data::Sequences;
use super::gradient::Objective;
use super::network::Network;
use crate::Result;
use crate::learner::Trainable;
use crate::optimizer::FlatLayout;
use crate::stop::Stop;

/// Sequences that are measured together.
const BLOCK: usize = 16;

/// What was answered.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scores {
    /// Answers given.
    pub answers: u64,
    /// Right ones.
    pub right: u64,
    /// Sum of their losses.
    pub loss: f64,
    /// Answers whose target is not 0.
    pub positives: u64,
    /// Right ones among them.
    pub true_positives: u64,
    /// Sum over sampled steps of the energy, summed over units.
    pub energy: f64,
    /// Steps at which it was measured.
    pub energy_samples: u64,
}

impl Scores {
    /// Counts one answer.
    pub fn count(&mut self, target: u8, loss: f64, right: bool) {
        self.answers += 1;
        self.right += u64::from(right);
        self.loss += loss;
        self.positives += u64::from(target > 0);
        self.true_positives += u64::from(target > 0 && right);
    }

    /// Share of right answers.
    pub fn accuracy(&self) -> f64 {
        self.right as f64 / self.answers as f64
    }

    /// Mean loss of an answer, in nats.
    pub fn mean_loss(&self) -> f64 {
        self.loss / self.answers as f64
    }

    /// Of a binary task: share of the targets 1 that were answered with 1. NaN without any.
    pub fn true_positive_rate(&self) -> f64 {
        self.true_positives as f64 / self.positives as f64
    }

    /// Of a binary task: share of the targets 0 that were answered with 1. NaN without any.
    pub fn false_positive_rate(&self) -> f64 {
        let negatives = self.answers - self.positives;
        (negatives - (self.right - self.true_positives)) as f64 / negatives as f64
    }

    /// Mean energy of a step, summed over units; none where it was not measured.
    pub fn energy_per_step(&self) -> Option<f64> {
        (self.energy_samples > 0).then(|| self.energy / self.energy_samples as f64)
    }
}

impl Sum for Scores {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), |total, part| Self {
            answers: total.answers + part.answers,
            right: total.right + part.right,
            loss: total.loss + part.loss,
            positives: total.positives + part.positives,
            true_positives: total.true_positives + part.true_positives,
            energy: total.energy + part.energy,
            energy_samples: total.energy_samples + part.energy_samples,
        })
    }
}

/// Where energy is measured.
#[derive(Clone, Copy, Debug)]
pub struct EnergySampling<'a> {
    /// In the first so many sequences, rounded up to whole blocks.
    pub sequences: usize,
    /// At every so many steps, the first included.
    pub every: usize,
    /// `[I]`, 0 for inputs left out.
    pub input_mask: Option<&'a [f32]>,
}

impl EnergySampling<'_> {
    /// Everywhere.
    pub fn full() -> Self {
        Self { sequences: usize::MAX, every: 1, input_mask: None }
    }
}

/// Answers of `network` to all of `data`.
///
/// # Errors
/// Fails where candle does, and with [`Error::Stopped`](crate::Error::Stopped) where `stop` says so.
pub fn evaluate(
    network: &Network,
    objective: Objective,
    data: &dyn Sequences,
    energy: EnergySampling<'_>,
    stop: &Stop,
) -> Result<Scores> {
    let values = FlatLayout::new(network.parameters()).values()?;
    let cell = network.cell().parameters().count();
    let prepared = network.fused().map(|kernel| SequenceKernel::<f32>::prepare(kernel.as_ref(), &values[..cell]));
    let readout = LinearLayer::new(&values[cell..], network.outputs());
    let indices: Vec<u32> = (0..data.len() as u32).collect();
    let parts: Vec<Scores> = indices
        .par_chunks(BLOCK)
        .map(|indices| {
            stop.go_on()?;
            let batch = indices.len();
            let mut x = vec![0.0; data.steps() * batch * data.input()];
            let mut targets = vec![0; objective.answers.count(data.steps()) * batch];
            data.write(indices, &mut x, &mut targets);
            let extent = Extent { steps: data.steps(), batch };
            let sampling = ((indices[0] as usize) < energy.sequences).then_some(energy);
            let (hidden, mut scores) = match (&prepared, sampling) {
                (Some(prepared), None) => (forward(prepared.as_ref(), network, extent, &x), Scores::default()),
                (Some(prepared), Some(energy)) => step(Arc::clone(prepared), network, extent, &x, energy),
                (None, energy) => composed(network.cell(), extent, &x, energy)?,
            };
            let units = network.cell().hidden_size();
            let mut outputs = vec![0.0; targets.len() * network.outputs()];
            readout.forward(&hidden[hidden.len() - targets.len() * units..], &mut outputs, network.outputs());
            for (&target, outputs) in targets.iter().zip(outputs.chunks_exact_mut(network.outputs())) {
                let (loss, right) = objective.loss.apply(outputs, target, 1.0);
                scores.count(target, loss, right);
            }
            Ok(scores)
        })
        .collect::<Result<_>>()?;
    Ok(parts.into_iter().sum())
}

fn forward(prepared: &dyn Prepared<f32>, network: &Network, extent: Extent, x: &[f32]) -> Vec<f32> {
    let state = vec![0.0; extent.batch * network.state_len()];
    let mut hidden = vec![0.0; extent.steps * extent.batch * network.cell().hidden_size()];
    prepared.forward(extent, x, None, &state, None, &mut hidden, false);
    hidden
}

/// Step by step, with the energy.
fn step(
    prepared: Arc<dyn Prepared<f32>>,
    network: &Network,
    extent: Extent,
    x: &[f32],
    sampling: EnergySampling<'_>,
) -> (Vec<f32>, Scores) {
    let row = extent.batch * network.cell().hidden_size();
    let mut stepper = prepared.stepper(extent.batch);
    stepper.mask_energy(sampling.input_mask);
    let mut energy = vec![0.0; row];
    let mut hidden = vec![0.0; extent.steps * row];
    let mut scores = Scores::default();
    for (t, x) in x.chunks_exact(extent.batch * network.cell().input_size()).enumerate() {
        let measured = t % sampling.every == 0;
        stepper.step(x, None, &mut hidden[t * row..(t + 1) * row], measured.then_some(&mut energy[..]));
        if measured {
            scores.energy += energy.iter().map(|&e| f64::from(e)).sum::<f64>();
            scores.energy_samples += extent.batch as u64;
        }
    }
    (hidden, scores)
}

/// By [`Cell::step`].
fn composed(
    cell: &dyn Cell,
    extent: Extent,
    x: &[f32],
    sampling: Option<EnergySampling<'_>>,
) -> Result<(Vec<f32>, Scores)> {
    let mask = match sampling.and_then(|sampling| sampling.input_mask) {
        Some(mask) => Some(Tensor::new(mask, &Device::Cpu)?.to_dtype(cell.dtype())?),
        None => None,
    };
    let mut state: State = cell.zero_state(extent.batch)?;
    let mut hidden = Vec::with_capacity(extent.steps * extent.batch * cell.hidden_size());
    let mut scores = Scores::default();
    for (t, x) in x.chunks_exact(extent.batch * cell.input_size()).enumerate() {
        let x = Tensor::from_slice(x, (extent.batch, cell.input_size()), &Device::Cpu)?.to_dtype(cell.dtype())?;
        if sampling.is_some_and(|sampling| t % sampling.every == 0) {
            let energy = cell.energy_per_unit(&x, &state, mask.as_ref())?.to_dtype(DType::F64)?;
            scores.energy += energy.sum_all()?.to_scalar::<f64>()?;
            scores.energy_samples += extent.batch as u64;
        }
        let step = cell.step(&x, &state)?;
        hidden.extend(step.hidden.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?);
        state = step.state.detach();
    }
    Ok((hidden, scores))
}

#[cfg(test)]
mod tests {
    use stpn_core::Kernel;
    use stpn_core::cells::CellName;

    use super::*;
    use crate::policy::PolicyConfig;
    use crate::supervised::art::{ArtConfig, ArtSequences, SYMBOLS};
    use crate::supervised::config::TaskConfig;
    use crate::supervised::data::Split;

    #[test]
    fn rates_are_as_defined() {
        let mut scores = Scores::default();
        // Two repeats, one recognised; three new vectors, two of them recognised as new.
        for (target, right) in [(1, true), (1, false), (0, true), (0, true), (0, false)] {
            scores.count(target, 0.5, right);
        }
        assert_eq!((scores.accuracy(), scores.mean_loss()), (0.6, 0.5));
        assert_eq!((scores.true_positive_rate(), scores.false_positive_rate()), (0.5, 1.0 / 3.0));
    }

    /// Energy from the kernel's stepper, from the composed path, and as defined: Σ_units Σ_j |G_ij| z_j².
    #[test]
    fn energy_and_answers_are_the_same_on_every_path() {
        let objective = TaskConfig::Art(ArtConfig::default()).objective();
        let data = ArtSequences::new(2, Split::Test, 40);
        let mut mask = vec![1.0; SYMBOLS];
        mask[SYMBOLS - 1] = 0.0;
        for cell in CellName::ALL {
            let network = |kernel| {
                let config = PolicyConfig { kernel, ..PolicyConfig::new(cell.config(), 7) };
                Network::new(&config, SYMBOLS, SYMBOLS, 1, DType::F32).unwrap()
            };
            let run = |kernel, energy| evaluate(&network(kernel), objective, &data, energy, &Stop::default()).unwrap();
            let [auto, composed] = [Kernel::Auto, Kernel::Composed].map(|kernel| run(kernel, EnergySampling::full()));
            assert_eq!((auto.answers, auto.energy_samples), (40, 360));
            assert_eq!((auto.answers, auto.right), (composed.answers, composed.right), "{cell}");
            assert!((auto.energy - composed.energy).abs() < 1e-5 * composed.energy, "{cell}");
            assert!((auto.loss - composed.loss).abs() < 1e-4 * composed.loss, "{cell}");

            let masked = run(Kernel::Auto, EnergySampling { input_mask: Some(&mask), ..EnergySampling::full() });
            assert_eq!((masked.right, masked.loss), (auto.right, auto.loss), "{cell}");
            assert!(masked.energy < auto.energy, "{cell}: the question marks cost something");

            let none = run(Kernel::Auto, EnergySampling { sequences: 0, every: 1, input_mask: None });
            assert_eq!((none.right, none.energy_per_step()), (auto.right, None), "{cell}");
            let some = run(Kernel::Auto, EnergySampling { sequences: 1, every: 4, input_mask: None });
            assert_eq!(some.energy_samples, 16 * 3, "{cell}: a block of sixteen at three steps");
        }
    }
}
