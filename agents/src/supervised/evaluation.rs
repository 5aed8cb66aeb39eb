//! Measuring a network: its answers and, if asked for, their energy.

use rayon::prelude::*;

use super::block::Block;
use super::config::TaskConfig;
use super::data::Sequences;
use super::network::Network;
use super::on_device;
use super::sampling::{EnergySampling, MEASURED};
use super::scores::Scores;
use crate::Result;
use crate::learner::Trainable;
use crate::optimizer::FlatLayout;
use crate::policy::encoder::ObservationRef;
use crate::policy::trunk::PreparedTrunk;
use crate::stop::Stop;

/// Answers of `network` to all of `data` of a task.
///
/// # Errors
/// Fails if candle does, and with [`Error::Stopped`](crate::Error::Stopped) if `stop` says so.
pub fn evaluate(
    network: &Network,
    task: &TaskConfig,
    data: &dyn Sequences,
    energy: EnergySampling<'_>,
    stop: &Stop,
) -> Result<Scores> {
    let values = FlatLayout::new(network.parameters()).values()?;
    if let Some(device) = network.accelerator() {
        let parameters = device.place(&values)?;
        return on_device::evaluate((network, device.as_ref(), &parameters), task, data, energy, stop);
    }
    let (prepared, objective) = (network.prepare(&values), task.objective());
    let indices: Vec<u32> = (0..data.len() as u32).collect();
    let parts: Vec<Scores> = indices
        .par_chunks(MEASURED)
        .map(|indices| {
            stop.go_on()?;
            let block = Block::new(data, objective.answers, indices);
            let sampling = ((indices[0] as usize) < energy.sequences).then_some(energy);
            let (hidden, mut scores) = match sampling {
                None if network.is_fused() => (prepared.activities(&block.inputs())?, Scores::default()),
                _ => step(&prepared.trunk, &block, sampling)?,
            };
            let mut answers = prepared.answers(&hidden, block.targets.len());
            objective.judge(&block.targets, &mut answers, 1.0, &mut scores);
            Ok(scores)
        })
        .collect::<Result<_>>()?;
    Ok(parts.into_iter().sum())
}

/// Activities `[T·B, H]` step by step, with the energy. A network without a kernel is measured so too: whole sequences
/// would build a graph that nobody needs.
fn step(trunk: &PreparedTrunk<f32>, block: &Block, sampling: Option<EnergySampling<'_>>) -> Result<(Vec<f32>, Scores)> {
    let inputs = block.inputs();
    let mut stepper = trunk.stepper(inputs.batch)?;
    let (mut hidden, mut energy, mut scores) = (Vec::new(), Vec::new(), Scores::default());
    let starts = inputs.episode_starts.chunks_exact(inputs.batch);
    for (t, (x, starts)) in block.x.chunks_exact(block.x.len() / inputs.steps).zip(starts).enumerate() {
        let measured = sampling.filter(|sampling| t % sampling.every == 0);
        let energies = measured.map(|sampling| (&mut energy, sampling.input_mask));
        stepper.step(ObservationRef::F32(x), starts, energies)?;
        hidden.extend_from_slice(&stepper.hidden);
        if measured.is_some() {
            scores.energy += energy.iter().map(|&e| f64::from(e)).sum::<f64>();
            scores.energy_samples += inputs.batch as u64;
        }
    }
    Ok((hidden, scores))
}

#[cfg(test)]
mod tests {
    use candle_core::DType;
    use stpn_core::Kernel;
    use stpn_core::cells::CellName;

    use super::*;
    use crate::supervised::NetworkConfig;
    use crate::supervised::art::{ArtConfig, ArtSequences, SYMBOLS};
    use crate::supervised::data::Split;

    /// Energy from the kernel's stepper, from the composed path, and as defined: Σ_units Σ_j |G_ij| z_j².
    #[test]
    fn energy_and_answers_are_the_same_on_every_path() {
        let task = TaskConfig::Art(ArtConfig::default());
        let data = ArtSequences::new(2, Split::Test, 40);
        let mut mask = vec![1.0; SYMBOLS];
        mask[SYMBOLS - 1] = 0.0;
        for cell in CellName::ALL {
            let network = |kernel| {
                let config = NetworkConfig { kernel, ..NetworkConfig::new(cell.config(), 7) };
                let inputs = TaskConfig::Art(ArtConfig::default()).inputs();
                Network::new(&config, &inputs, SYMBOLS, 1, DType::F32).unwrap()
            };
            let run = |kernel, energy| evaluate(&network(kernel), &task, &data, energy, &Stop::default()).unwrap();
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
