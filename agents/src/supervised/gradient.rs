//! The gradient of a batch of sequences.
//!
//! Where the cell has a fused kernel, no graph is built: small networks on short sequences would spend most of their
//! time in it. Kernel, readout and loss run on slices, block by block. Other cells, and `kernel = "composed"`, take a
//! candle graph per block; it is the reference of the first path. Blocks run in parallel and are summed by a fixed
//! tree, so that the result does not depend on the number of threads.

use std::sync::Arc;

use rayon::prelude::*;
use stpn_core::kernels::linear::LinearLayer;
use stpn_core::kernels::{Extent, FusedKernel, Prepared, SequenceKernel};

use super::data::{Answers, Sequences};
use super::evaluation::Scores;
use super::loss::Loss;
use super::network::Network;
use crate::learner::{Gradient, LOWER_RATE, Learner};
use crate::{Error, Result};

/// Sequences of a block for a fused kernel.
const FUSED_BLOCK: usize = 16;
/// Sequences of a block of candle operations, whose overhead is per operation.
const COMPOSED_BLOCK: usize = 64;

/// What is asked of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Objective {
    /// When.
    pub answers: Answers,
    /// How answers are judged.
    pub loss: Loss,
}

/// Gradient of the mean loss over all answers of the sequences `indices`, and what was answered.
///
/// # Errors
/// Fails where candle does.
pub fn gradient(
    learner: &Learner<Network>,
    objective: Objective,
    data: &dyn Sequences,
    indices: &[u32],
) -> Result<(Gradient, Scores)> {
    let fused = learner.network().fused();
    let block = if fused.is_some() { FUSED_BLOCK } else { COMPOSED_BLOCK };
    let scale = 1.0 / (indices.len() * objective.answers.count(data.steps())) as f64;
    let context = Context { learner, objective, data, scale };
    let prepared = fused.map(|kernel| context.prepare(kernel.as_ref()));
    let parts: Vec<(Gradient, Scores)> = indices
        .par_chunks(block)
        .map(|indices| match &prepared {
            Some((prepared, readout)) => Ok(context.fused(prepared.as_ref(), readout, indices)),
            None => deep(data.steps(), || context.composed(indices)),
        })
        .collect::<Result<_>>()?;
    let (gradients, scores): (Vec<Gradient>, Vec<Scores>) = parts.into_iter().unzip();
    Ok((Gradient::sum(gradients), scores.into_iter().sum()))
}

/// Steps of a graph up to which a thread's usual stack is enough: candle walks and drops graphs by recursion.
const SHALLOW: usize = 200;
/// Bytes of stack for a step's operations beyond that.
const STACK_PER_STEP: usize = 1 << 16;

/// Runs `work` on a graph of `steps` steps, on a thread with a stack for it where it is deep.
fn deep<T: Send>(steps: usize, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    if steps <= SHALLOW {
        return work();
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(steps * STACK_PER_STEP);
        let thread = thread.spawn_scoped(scope, work).map_err(Error::Thread)?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

struct Context<'a> {
    learner: &'a Learner<Network>,
    objective: Objective,
    data: &'a dyn Sequences,
    scale: f64,
}

impl Context<'_> {
    /// Cell and readout with their parameters in place.
    fn prepare(&self, kernel: &dyn FusedKernel) -> (Arc<dyn Prepared<f32>>, LinearLayer<f32>) {
        let network = self.learner.network();
        let (cell, readout) = self.learner.values().split_at(network.cell().parameters().count());
        (SequenceKernel::<f32>::prepare(kernel, cell), LinearLayer::new(readout, network.outputs()))
    }

    /// x `[T, B, I]` and targets `[A·B]` of some sequences.
    fn batch(&self, indices: &[u32]) -> (Vec<f32>, Vec<u8>) {
        let (steps, batch) = (self.data.steps(), indices.len());
        let mut x = vec![0.0; steps * batch * self.data.input()];
        let mut targets = vec![0; self.objective.answers.count(steps) * batch];
        self.data.write(indices, &mut x, &mut targets);
        (x, targets)
    }

    fn fused(&self, prepared: &dyn Prepared<f32>, readout: &LinearLayer<f32>, indices: &[u32]) -> (Gradient, Scores) {
        let network = self.learner.network();
        let (x, targets) = self.batch(indices);
        let extent = Extent { steps: self.data.steps(), batch: indices.len() };
        let (units, outputs) = (network.cell().hidden_size(), network.outputs());
        let state = vec![0.0; extent.batch * network.state_len()];
        let mut hidden = vec![0.0; extent.steps * extent.batch * units];
        let tape = prepared.forward(extent, &x, None, &state, None, &mut hidden, true);
        let tape = tape.expect("a tape was asked for");

        let first = hidden.len() - targets.len() * units;
        let mut answers = vec![0.0; targets.len() * outputs];
        readout.forward(&hidden[first..], &mut answers, outputs);
        let mut scores = Scores::default();
        for (&target, answer) in targets.iter().zip(answers.chunks_exact_mut(outputs)) {
            let (loss, right) = self.objective.loss.apply(answer, target, self.scale as f32);
            scores.count(target, loss, right);
        }
        let mut gradient = vec![0.0; self.learner.values().len()];
        let (to_cell, to_readout) = gradient.split_at_mut(network.cell().parameters().count());
        let mut to_hidden = vec![0.0; hidden.len()];
        readout.backward(&hidden[first..], &answers, outputs, &mut to_hidden[first..], to_readout);
        prepared.backward(extent, &x, None, &hidden, &tape, &to_hidden, None, None, to_cell);
        (Gradient(gradient), scores)
    }

    fn composed(&self, indices: &[u32]) -> Result<(Gradient, Scores)> {
        let network = self.learner.network();
        let (x, targets) = self.batch(indices);
        let outputs = network.forward(&x, self.data.steps(), indices.len(), self.objective.answers)?;
        let losses = self.objective.loss.composed(&outputs, &targets)?;
        let gradient = self.learner.gradient(&(losses.sum_all()? * self.scale)?)?;
        let outputs = outputs.to_dtype(candle_core::DType::F32)?.to_vec2::<f32>()?;
        let mut scores = Scores::default();
        for (mut outputs, &target) in outputs.into_iter().zip(&targets) {
            let (loss, right) = self.objective.loss.apply(&mut outputs, target, 1.0);
            scores.count(target, loss, right);
        }
        Ok((gradient, scores))
    }
}

/// An error for a loss that is not finite.
pub(super) fn not_finite(update: u64) -> Error {
    Error::NotFinite { what: "the training loss".into(), update, remedy: LOWER_RATE.into() }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Tensor};
    use stpn_core::Kernel;
    use stpn_core::cells::CellName;

    use super::*;
    use crate::learner::Trainable;
    use crate::optimizer::AdamConfig;
    use crate::policy::PolicyConfig;
    use crate::supervised::art::{ArtConfig, ArtSequences};
    use crate::supervised::config::TaskConfig;
    use crate::supervised::data::Split;
    use crate::supervised::familiarity::FamiliarityConfig;

    fn tasks() -> [(TaskConfig, Box<dyn Sequences + Send>); 2] {
        let familiarity = FamiliarityConfig { dimension: 6, steps: 11, interval: 2, ..Default::default() };
        let task = TaskConfig::Familiarity(familiarity);
        let data = task.training(1, 1);
        [(TaskConfig::Art(ArtConfig::default()), Box::new(ArtSequences::new(1, Split::Training, 70))), (task, data)]
    }

    fn learner(task: &TaskConfig, cell: CellName, kernel: Kernel, dtype: DType) -> Learner<Network> {
        let config = PolicyConfig { kernel, ..PolicyConfig::new(cell.config(), 5) };
        let (input, outputs) = task.sizes();
        let network = Network::new(&config, input, outputs, 3, dtype).unwrap();
        Learner::new(network, &AdamConfig::default()).unwrap()
    }

    fn indices(data: &dyn Sequences) -> Vec<u32> {
        (0..data.len() as u32).collect()
    }

    /// The composed gradient is that of the mean loss, in f64.
    #[test]
    fn gradients_of_every_parameter_agree_with_finite_differences() {
        for (task, data) in tasks() {
            let objective = task.objective();
            for cell in CellName::ALL {
                let learner = learner(&task, cell, Kernel::Composed, DType::F64);
                let indices = indices(data.as_ref());
                let (got, scores) = gradient(&learner, objective, data.as_ref(), &indices).unwrap();
                let loss = || -> f64 {
                    let count = objective.answers.count(data.steps()) * indices.len();
                    let mut x = vec![0.0; data.steps() * indices.len() * data.input()];
                    let mut targets = vec![0; count];
                    data.write(&indices, &mut x, &mut targets);
                    let outputs =
                        learner.network().forward(&x, data.steps(), indices.len(), objective.answers).unwrap();
                    objective.loss.composed(&outputs, &targets).unwrap().mean_all().unwrap().to_scalar().unwrap()
                };
                assert!((scores.mean_loss() - loss()).abs() < 1e-5, "{cell}");
                let parameters = learner.network().parameters().clone();
                for ((name, var), (_, _, range)) in parameters.iter().zip(learner.layout().entries()) {
                    let values: Vec<f64> = var.flatten_all().unwrap().to_vec1().unwrap();
                    let got = &got.0[range];
                    assert!(got.iter().any(|g| *g != 0.0), "{cell}: {name} has a gradient of zeros");
                    for i in [0, values.len() / 2, values.len() - 1] {
                        let at = |value: f64| {
                            let mut moved = values.clone();
                            moved[i] = value;
                            var.set(&Tensor::from_vec(moved, var.shape(), &Device::Cpu).unwrap()).unwrap();
                            loss()
                        };
                        let step = 1e-6;
                        let difference = (at(values[i] + step) - at(values[i] - step)) / (2.0 * step);
                        at(values[i]);
                        let error = (f64::from(got[i]) - difference).abs();
                        assert!(error < 1e-8 + 1e-5 * difference.abs(), "{cell}: {name}[{i}]: {} {difference}", got[i]);
                    }
                }
            }
        }
    }

    #[test]
    fn slices_and_graphs_give_the_same_gradient_and_answers() {
        for (task, data) in tasks() {
            for cell in CellName::ALL {
                let fused = learner(&task, cell, Kernel::Auto, DType::F32);
                let composed = learner(&task, cell, Kernel::Composed, DType::F64);
                let run =
                    |learner| gradient(learner, task.objective(), data.as_ref(), &indices(data.as_ref())).unwrap();
                let ((got, seen), (want, expected)) = (run(&fused), run(&composed));
                assert_eq!((seen.answers, seen.positives), (expected.answers, expected.positives));
                assert!((seen.loss - expected.loss).abs() < 1e-4 * expected.loss, "{cell}");
                let norm = |values: &[f32]| values.iter().map(|v| f64::from(v * v)).sum::<f64>().sqrt();
                let difference: Vec<f32> = got.0.iter().zip(&want.0).map(|(g, w)| g - w).collect();
                assert!(norm(&difference) < 1e-4 * norm(&want.0), "{} {cell}", task.name());
            }
        }
    }

    #[test]
    fn the_gradient_does_not_depend_on_the_number_of_threads() {
        let (task, data) = tasks().into_iter().next().unwrap();
        for cell in [CellName::Stpn, CellName::Lstm] {
            let learner = learner(&task, cell, Kernel::Auto, DType::F32);
            let run = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let indices = indices(data.as_ref());
                pool.install(|| gradient(&learner, task.objective(), data.as_ref(), &indices).unwrap())
            };
            assert_eq!(run(1), run(3), "{cell}");
        }
    }
}
