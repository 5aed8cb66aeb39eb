//! The gradient of a batch of sequences. A device is given all of them at once; the rest of this file is for the CPU.
//!
//! Where the cell has a fused kernel, no graph is built: small networks on short sequences would spend most of their
//! time in it. Kernel, readout and loss run on slices, block by block. Other cells, and `kernel = "composed"`, take a
//! candle graph per block; it is the reference of the first path. Blocks run in parallel and are summed by a fixed
//! tree, so that the result does not depend on the number of threads.

use rayon::prelude::*;

use super::block::Block;
use super::data::Sequences;
use super::loss::Objective;
use super::network::{Network, PreparedNetwork};
use super::on_device;
use super::scores::Scores;
use crate::learner::{Gradient, LOWER_RATE, Learner, PlacedGradient};
use crate::{Error, Result};

/// Sequences of a block for a fused kernel.
const FUSED_BLOCK: usize = 16;
/// Sequences of a block of candle operations, whose overhead is per operation.
const COMPOSED_BLOCK: usize = 64;

/// Gradient of the mean loss over all answers of the sequences `indices`, and what was answered.
///
/// # Errors
/// Fails if candle does.
pub fn gradient(
    learner: &Learner<Network>,
    objective: Objective,
    data: &dyn Sequences,
    indices: &[u32],
) -> Result<(PlacedGradient, Scores)> {
    let (network, values) = (learner.network(), learner.values());
    if let Some((device, parameters)) = network.accelerator().zip(learner.parameters_there()) {
        return on_device::gradient((network, device.as_ref(), &parameters), objective, data, indices);
    }
    let fused = network.is_fused();
    let size = if fused { FUSED_BLOCK } else { COMPOSED_BLOCK };
    let scale = 1.0 / (indices.len() * objective.answers.count(data.steps())) as f64;
    let prepared = network.prepare(values);
    let of_block = |indices: &[u32]| {
        let block = Block::new(data, objective.answers, indices);
        part(&prepared, objective, &block, scale as f32, values.len())
    };
    let parts: Vec<(Gradient, Scores)> = indices
        .par_chunks(size)
        .map(|indices| if fused { of_block(indices) } else { deep(data.steps(), || of_block(indices)) })
        .collect::<Result<_>>()?;
    let (gradients, scores): (Vec<Gradient>, Vec<Scores>) = parts.into_iter().unzip();
    Ok((Gradient::sum(gradients).into(), scores.into_iter().sum()))
}

/// A block's part of both.
fn part(
    prepared: &PreparedNetwork,
    objective: Objective,
    block: &Block,
    scale: f32,
    parameters: usize,
) -> Result<(Gradient, Scores)> {
    let (mut gradient, mut scores) = (vec![0.0; parameters], Scores::default());
    prepared.differentiate(&block.inputs(), block.targets.len(), &mut gradient, |answers| {
        objective.judge(&block.targets, answers, scale, &mut scores);
    })?;
    Ok((Gradient(gradient), scores))
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
    use crate::policy::encoder::{EncoderConfig, MlpConfig};
    use crate::supervised::art::{ArtConfig, ArtSequences};
    use crate::supervised::config::{NetworkConfig, TaskConfig};
    use crate::supervised::data::Split;
    use crate::supervised::familiarity::FamiliarityConfig;

    fn tasks() -> [(TaskConfig, Box<dyn Sequences + Send>); 2] {
        let familiarity = FamiliarityConfig { dimension: 6, steps: 11, interval: 2, ..Default::default() };
        let task = TaskConfig::Familiarity(familiarity);
        let data = task.training(1, 1);
        [(TaskConfig::Art(ArtConfig::default()), Box::new(ArtSequences::new(1, Split::Training, 70))), (task, data)]
    }

    fn learner(task: &TaskConfig, config: &NetworkConfig, dtype: DType) -> Learner<Network> {
        let network = Network::new(config, &task.inputs(), task.outputs(), 3, dtype).unwrap();
        Learner::new(network, &AdamConfig::default()).unwrap()
    }

    /// Every cell on the inputs themselves, and one behind an encoder.
    fn networks() -> Vec<(String, NetworkConfig)> {
        let plain = CellName::ALL.map(|cell| (cell.to_string(), NetworkConfig::new(cell.config(), 5)));
        let encoder = EncoderConfig::Mlp(MlpConfig { sizes: vec![4, 3], ..MlpConfig::default() });
        let behind = NetworkConfig { encoder, ..NetworkConfig::new(CellName::Stpn.config(), 5) };
        plain.into_iter().chain([("stpn behind an mlp".into(), behind)]).collect()
    }

    /// The mean loss as one graph.
    fn reference(network: &Network, objective: Objective, data: &dyn Sequences) -> Tensor {
        let block = Block::new(data, objective.answers, &indices(data));
        let outputs = network.forward(&block.inputs(), objective.answers.count(data.steps())).unwrap();
        objective.loss.composed(&outputs, &block.targets).unwrap().mean_all().unwrap()
    }

    fn indices(data: &dyn Sequences) -> Vec<u32> {
        (0..data.len() as u32).collect()
    }

    /// The graph's gradient is that of the mean loss, in f64.
    #[test]
    fn gradients_of_every_parameter_agree_with_finite_differences() {
        for (task, data) in tasks() {
            for (name, config) in networks() {
                let learner = learner(&task, &config, DType::F64);
                let loss = || reference(learner.network(), task.objective(), data.as_ref());
                let got = learner.gradient(&loss()).unwrap();
                let parameters = learner.network().parameters().clone();
                for ((parameter, var), (_, _, range)) in parameters.iter().zip(learner.layout().entries()) {
                    let values: Vec<f64> = var.flatten_all().unwrap().to_vec1().unwrap();
                    let got = &got.0[range];
                    assert!(got.iter().any(|g| *g != 0.0), "{name}: {parameter} has a gradient of zeros");
                    for i in [0, values.len() / 2, values.len() - 1] {
                        let at = |value: f64| {
                            let mut moved = values.clone();
                            moved[i] = value;
                            var.set(&Tensor::from_vec(moved, var.shape(), &Device::Cpu).unwrap()).unwrap();
                            loss().to_scalar::<f64>().unwrap()
                        };
                        let step = 1e-6;
                        let difference = (at(values[i] + step) - at(values[i] - step)) / (2.0 * step);
                        at(values[i]);
                        let error = (f64::from(got[i]) - difference).abs();
                        let place = format!("{name}: {parameter}[{i}]");
                        assert!(error < 1e-8 + 1e-5 * difference.abs(), "{place}: {} {difference}", got[i]);
                    }
                }
            }
        }
    }

    #[test]
    fn both_paths_give_the_gradient_and_the_answers_of_the_graph() {
        for (task, data) in tasks() {
            let indices = indices(data.as_ref());
            for (name, config) in networks() {
                let graph = learner(&task, &config, DType::F64);
                let loss = reference(graph.network(), task.objective(), data.as_ref());
                let (want, loss) = (graph.gradient(&loss).unwrap(), loss.to_scalar::<f64>().unwrap());
                let norm = |values: &[f32]| values.iter().map(|v| f64::from(v * v)).sum::<f64>().sqrt();
                for kernel in [Kernel::Auto, Kernel::Composed] {
                    let learner = learner(&task, &NetworkConfig { kernel, ..config.clone() }, DType::F32);
                    let (got, seen) = gradient(&learner, task.objective(), data.as_ref(), &indices).unwrap();
                    let PlacedGradient::Here(got) = got else { panic!("there is no device") };
                    let answers = indices.len() * task.objective().answers.count(data.steps());
                    assert_eq!(seen.answers, answers as u64);
                    assert!((seen.mean_loss() - loss).abs() < 1e-4 * loss, "{name} {kernel:?}");
                    let difference: Vec<f32> = got.0.iter().zip(&want.0).map(|(g, w)| g - w).collect();
                    assert!(norm(&difference) < 1e-4 * norm(&want.0), "{} {name} {kernel:?}", task.name());
                }
            }
        }
    }

    #[test]
    fn the_gradient_does_not_depend_on_the_number_of_threads() {
        let (task, data) = tasks().into_iter().next().unwrap();
        for cell in [CellName::Stpn, CellName::Lstm] {
            let learner = learner(&task, &NetworkConfig::new(cell.config(), 5), DType::F32);
            let run = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let indices = indices(data.as_ref());
                match pool.install(|| gradient(&learner, task.objective(), data.as_ref(), &indices).unwrap()) {
                    (PlacedGradient::Here(gradient), scores) => (gradient, scores),
                    (PlacedGradient::There(_), _) => panic!("there is no device"),
                }
            };
            assert_eq!(run(1), run(3), "{cell}");
        }
    }
}
