//! Losses and advantages on a device.

use stpn_cuda::cuda::{Advantages, CudaReal, Device, General};
use stpn_cuda::shim::{self, Machine};
use stpn_cuda::{A2cSteps, Actions, AdvantageSteps, Distribution, Error, Extent, Outputs, PpoLoss, PpoSteps};

use super::device;
use super::support::policy::{A2C, PPO, PolicyCase, distributions, flat};
use super::support::{Numbers, distance};

/// Advantages and returns there.
fn place<T: CudaReal>(device: &Device, [advantages, returns]: [&[T]; 2]) -> Advantages<T> {
    Advantages { advantages: device.upload(advantages).unwrap(), returns: device.upload(returns).unwrap() }
}

#[test]
fn on_device_losses_of_given_outputs() {
    let Some(device) = device() else { return };
    let general = General::<f32>::new(&device).unwrap();
    let (steps, choices) = (700, 6);
    let mut numbers = Numbers::new(83);
    let mut draw = |len: usize| -> Vec<f32> { numbers.vec(len, 1.0).into_iter().map(|v| v as f32).collect() };
    let [outputs, logits] = [choices + 1, choices].map(|width| draw(steps * width));
    let [advantages, returns, values, log_probs] = [0, 1, 2, 3].map(|_| draw(steps));
    let log_probs: Vec<f32> = log_probs.iter().map(|value| value * 0.3 - 1.8).collect();
    let actions: Vec<u32> = (0..steps).map(|n| (n * 5 % choices) as u32).collect();
    let counts: Vec<u8> = (0..steps).map(|n| u8::from(n % 9 != 2)).collect();
    let placed = device.upload(&outputs).unwrap();
    let there = || Outputs { policy: &placed, values: None, free: None };
    let here = Outputs { policy: &outputs[..], values: None, free: None };
    let close = |what: &str, got: &[f64], want: &[f64]| {
        assert!(distance(got, want) < 1e-6, "{what}: {:e}", distance(got, want));
    };
    let doubles = |values: &[f32]| -> Vec<f64> { values.iter().copied().map(f64::from).collect() };

    let (policy, actions) = (&Distribution::choice(choices), Actions::Choices(&actions));
    let (targets, counts) = ([&advantages[..], &returns], Some(&counts[..]));
    let targets_there = place(&device, targets);
    let of_a2c = A2cSteps { policy, actions, counts };
    let (grad, sums) = general.a2c_loss(&A2C, there(), &of_a2c, &targets_there).unwrap();
    let (grad_wanted, wanted, _) = shim::a2c_loss_of_steps(&A2C, Machine::default(), &here, of_a2c, targets);
    close("gradient of A2C", &doubles(&device.download(&grad.policy).unwrap()), &doubles(&grad_wanted.policy));
    close("sums of A2C", &[sums.policy, sums.value, sums.entropy], &[wanted.policy, wanted.value, wanted.entropy]);
    let five = A2cSteps { policy: &Distribution::choice(5), ..of_a2c };
    let refused = general.a2c_loss(&A2C, there(), &five, &targets_there);
    assert!(matches!(refused, Err(Error::Loss { .. })), "{refused:?}");
    let short_there = place(&device, [&advantages, &returns[1..]]);
    let refused = general.a2c_loss(&A2C, there(), &of_a2c, &short_there);
    assert!(matches!(refused, Err(Error::Length { what: "returns", .. })), "{refused:?}");

    let plain = PpoLoss { value_clip: None, value_error_clamp: None, kl: None, ..PPO };
    let (log_probs, values) = (&log_probs, &values);
    let extent = Extent { steps: 28, batch: 25 };
    for loss in [plain, PPO] {
        let distributions = loss.kl.map(|_| &logits[..]);
        let of_ppo = PpoSteps { policy, actions, log_probs, values, distributions, counts };
        let batch = general.ppo_batch(extent, &of_ppo).unwrap();
        let (grad, sums) = general.ppo_loss(&loss, there(), &batch, &targets_there).unwrap();
        let (grad_wanted, wanted, problems) = shim::ppo_loss(&loss, Machine::default(), &here, of_ppo, targets);
        assert_eq!(problems.count, 0, "{}", problems.first);
        close("gradient of PPO", &doubles(&device.download(&grad.policy).unwrap()), &doubles(&grad_wanted.policy));
        close("sums of PPO", &[sums.total, sums.value, sums.kl], &[wanted.total, wanted.value, wanted.kl]);
        assert_eq!((sums.steps, sums.clipped), (wanted.steps, wanted.clipped));
        let short = general.ppo_batch(extent, &PpoSteps { values: &values[1..], ..of_ppo });
        assert!(matches!(short, Err(Error::Length { what: "values", .. })), "{short:?}");
        let short = general.ppo_loss(&loss, there(), &batch, &short_there);
        assert!(matches!(short, Err(Error::Length { what: "returns", .. })), "{short:?}");
    }
}

#[test]
fn on_device_losses_of_every_distribution() {
    let Some(device) = device() else { return };
    let general = General::<f64>::new(&device).unwrap();
    let steps = 300;
    let mut numbers = Numbers::new(89);
    let [advantages, returns, log_probs] = [1.0, 1.0, 0.3].map(|scale| numbers.vec(steps, scale));
    let counts: Vec<u8> = (0..steps).map(|n| u8::from(n % 9 != 2)).collect();
    for (family, separate) in distributions().into_iter().flat_map(|family| [(family.clone(), false), (family, true)]) {
        let case = PolicyCase::new(&family, separate, steps);
        let upload = |values: &Vec<f64>| device.upload(values).unwrap();
        let (policy, values, free) =
            (upload(&case.policy), case.values.as_ref().map(upload), case.free.as_ref().map(upload));
        let there = || Outputs { policy: &policy, values: values.as_ref(), free: free.as_ref() };
        let here = case.outputs();
        let (policy, actions) = (&case.distribution, case.actions());
        let (targets, counts) = ([&advantages[..], &returns], Some(&counts[..]));
        let targets_there = place(&device, targets);
        let of_a2c = A2cSteps { policy, actions, counts };
        let (grads, sums) = general.a2c_loss(&A2C, there(), &of_a2c, &targets_there).unwrap();
        let (grads_wanted, wanted, _) = shim::a2c_loss_of_steps(&A2C, Machine::default(), &here, of_a2c, targets);
        let grads = grads.map(|grad| device.download(&grad).unwrap());
        assert!(distance(&flat(&grads), &flat(&grads_wanted)) < 1e-12, "{family:?}");
        assert!((sums.policy - wanted.policy).abs() < 1e-12 * wanted.policy.abs().max(1.0), "{family:?}");

        let (log_probs, values, distributions) = (&log_probs[..], &case.old_values[..], Some(&case.behaviour[..]));
        let of_ppo = PpoSteps { policy, actions, log_probs, values, distributions, counts };
        let batch = general.ppo_batch(Extent { steps: 50, batch: 6 }, &of_ppo).unwrap();
        let (grads, sums) = general.ppo_loss(&PPO, there(), &batch, &targets_there).unwrap();
        let (grads_wanted, wanted, _) = shim::ppo_loss(&PPO, Machine::default(), &here, of_ppo, targets);
        let grads = grads.map(|grad| device.download(&grad).unwrap());
        assert!(distance(&flat(&grads), &flat(&grads_wanted)) < 1e-12, "{family:?}");
        assert!((sums.total - wanted.total).abs() < 1e-12 * wanted.total.abs().max(1.0), "{family:?}");

        // The first steps of some sequences.
        let columns = [5, 0, 2];
        let part = Part { rows: 40, of: 6, columns: &columns };
        let there = general.columns(&columns, 6).unwrap();
        let some = batch.part(&general, part.rows, &there).unwrap();
        let some_targets = targets_there.part(&general, part.rows, &there).unwrap();
        let (dims, parameters) = (policy.dims(), policy.parameters());
        let width = policy.head_parameters() + usize::from(!separate);
        let (choices, draws) = (part.of(&case.choices, dims), part.of(&case.draws, dims));
        let outputs = part.of(&case.policy, width);
        let values = case.values.as_ref().map(|values| part.of(values, 1));
        let here = Outputs { policy: &outputs[..], values: values.as_deref(), free: case.free.as_deref() };
        let of_ppo = PpoSteps {
            policy,
            actions: if draws.is_empty() { Actions::Choices(&choices) } else { Actions::Draws(&draws) },
            log_probs: &part.of(log_probs, 1),
            values: &part.of(&case.old_values, 1),
            distributions: Some(&part.of(&case.behaviour, parameters)),
            counts: Some(&part.of(counts.unwrap(), 1)),
        };
        let (outputs, values) = (upload(&outputs), values.as_ref().map(upload));
        let outputs = Outputs { policy: &outputs, values: values.as_ref(), free: free.as_ref() };
        let (grads, sums) = general.ppo_loss(&PPO, outputs, &some, &some_targets).unwrap();
        let targets = targets.map(|values| part.of(values, 1));
        let targets = targets.each_ref().map(|values| &values[..]);
        let (grads_wanted, wanted, _) = shim::ppo_loss(&PPO, Machine::default(), &here, of_ppo, targets);
        let grads = grads.map(|grad| device.download(&grad).unwrap());
        assert!(distance(&flat(&grads), &flat(&grads_wanted)) < 1e-12, "{family:?}");
        assert_eq!(sums.steps, wanted.steps);
        assert!(batch.part(&general, 51, &there).is_err() && general.columns(&[6], 6).is_err());
    }
}

/// Some columns of the first rows of arrays.
struct Part<'a> {
    rows: usize,
    of: usize,
    columns: &'a [u32],
}

impl Part<'_> {
    /// Those of an array `[R, of, width]`; nothing of nothing.
    fn of<E: Copy>(&self, values: &[E], width: usize) -> Vec<E> {
        let rows = values.chunks_exact(self.of * width).take(self.rows);
        rows.flat_map(|row| self.columns.iter().flat_map(|&at| row[at as usize * width..][..width].to_vec())).collect()
    }
}

#[test]
fn on_device_advantages() {
    let Some(device) = device() else { return };
    let general = General::<f32>::new(&device).unwrap();
    let extent = Extent { steps: 40, batch: 300 };
    let units = extent.steps * extent.batch;
    let mut numbers = Numbers::new(97);
    let mut draw = |len: usize| -> Vec<f32> { numbers.vec(len, 1.0).into_iter().map(|v| v as f32).collect() };
    let [values, rewards, final_values] = [0, 1, 2].map(|_| draw(units));
    let ends = |share: usize| -> Vec<u8> { (0..units).map(|n| u8::from(n * 7 % share == 3)).collect() };
    let steps = AdvantageSteps {
        gamma: 0.99,
        lambda: 0.95,
        rewards: &rewards,
        last_values: &draw(extent.batch),
        terminated: &ends(13),
        truncated: &ends(17),
        final_values: &final_values,
    };
    let there = device.upload(&values).unwrap();
    let got = general.advantages(extent, &there, &steps).unwrap();
    let download =
        |got: &Advantages<f32>| [&got.advantages, &got.returns].map(|values| device.download(values).unwrap());
    let got = download(&got);
    let (wanted, problems) = shim::advantages(Machine::default(), extent, &values, &steps);
    assert_eq!(problems.count, 0, "{}", problems.first);
    assert_eq!(got, wanted, "nothing but sums and products: the bits are the same");
    let short = general.advantages(extent, &there, &AdvantageSteps { last_values: &[], ..steps });
    assert!(matches!(short, Err(Error::Length { what: "last_values", .. })), "{short:?}");
}

#[test]
fn on_device_advantages_of_training_sequences() {
    let Some(device) = device() else { return };
    let general = General::<f32>::new(&device).unwrap();
    let extent = Extent { steps: 23, batch: 37 };
    let Extent { steps, batch } = extent;
    let numbers: Vec<f32> = (0..steps * batch).map(|n| n as f32).collect();
    let returns: Vec<f32> = numbers.iter().map(|number| -number).collect();
    let whole = || place(&device, [&numbers, &returns]);
    // The last segment is full, has a single step, or is all there is.
    for length in [23, 30, 1, 11, 5, 6, 22] {
        let segments = steps.div_ceil(length);
        let there = whole().into_sequences(&general, extent, length).unwrap();
        let [got, got_returns] = [&there.advantages, &there.returns].map(|values| device.download(values).unwrap());
        assert_eq!(got.len(), length.min(steps) * segments * batch, "{length}");
        for (n, number) in numbers.iter().enumerate() {
            let (t, environment) = (n / batch, n % batch);
            let at = (t % length * segments + t / length) * batch + environment;
            assert_eq!((got[at], got_returns[at]), (*number, -number), "{length}: step {n}");
        }
        // The first steps of some of them.
        let columns = general.columns(&[36, 3], segments * batch).unwrap();
        let part = there.part(&general, length.min(4), &columns).unwrap();
        let row = |t: usize| [36, 3].map(|column| got[t * segments * batch + column]);
        let wanted: Vec<f32> = (0..length.min(4)).flat_map(row).collect();
        assert_eq!(device.download(&part.advantages).unwrap(), wanted, "{length}");
        assert!(there.part(&general, length + 1, &columns).is_err() || length > steps, "{length}");
    }
    let none = whole().into_sequences(&general, extent, 0);
    assert!(matches!(none, Err(Error::Loss { .. })), "{none:?}");
    let other = whole().into_sequences(&general, Extent { batch: 36, ..extent }, 5);
    assert!(matches!(other, Err(Error::Length { what: "advantages", .. })), "{other:?}");
}
