//! Supervised tasks on the device.

use stpn_agents::checkpoint;
use stpn_agents::saved::SavedTrainer;
use stpn_agents::supervised::test::TestScores;
use stpn_agents::supervised::{self, SupervisedConfig, SupervisedTrainer, TestReport};
use stpn_agents::{Metrics, RunConfig, Stop, Training};

use crate::{distance, emulated};

/// Small tasks, whose sequences are more than one batch.
const TASKS: [&str; 5] = [
    "task = { name = 'art', training_sequences = 20, validation_sequences = 18, test_sequences = 5, batch_size = 8 }
     policy = { hidden = 5, cell = { name = 'stpn', initial_rate = 0.5 } }",
    "task = { name = 'art', training_sequences = 16, validation_sequences = 5, test_sequences = 5, batch_size = 16 }
     policy = { hidden = 5, encoder = { name = 'mlp', sizes = [4] }, cell = 'lstm' }",
    "task = { name = 'art', training_sequences = 16, validation_sequences = 5, test_sequences = 5, batch_size = 8 }
     policy = { hidden = 4, cell = 'backpropamine' }
     log = { energy_skip_inputs = [2] }",
    "task = { name = 'familiarity', dimension = 6, steps = 40, validate_every = 1, test_intervals = [1, 4] }
     policy = { hidden = 5, cell = 'hebbff' }",
    "task = { name = 'familiarity', dimension = 6, steps = 40, validate_every = 1, test_intervals = [2] }
     policy = { hidden = 5, cell = 'mlp' }",
];

fn config(text: &str, device: &str) -> SupervisedConfig {
    // So large an epsilon makes a step proportional to the gradient, and small.
    let text = format!("training = {{ device = '{device}' }}\noptimizer = {{ epsilon = 1.0 }}\n{text}");
    match RunConfig::from_table(text.parse().unwrap()).unwrap() {
        RunConfig::Supervised(config) => config,
        RunConfig::Agent(_) => panic!("{text}"),
    }
}

/// An epoch: its metrics, how the parameters moved, and the trainer.
fn epoch(text: &str, device: &str) -> (Metrics, Vec<f32>, SupervisedTrainer) {
    let mut trainer = SupervisedTrainer::new(&config(text, device)).unwrap();
    assert_eq!(trainer.placement().is_some(), device == "cuda");
    let before = trainer.save().unwrap().parameters;
    let metrics = trainer.update().unwrap();
    let after = trainer.save().unwrap().parameters;
    (metrics, after.iter().zip(&before).map(|(after, before)| after - before).collect(), trainer)
}

#[test]
fn an_epoch_on_the_device_is_that_of_the_cpu() {
    if !emulated("supervised::an_epoch_on_the_device_is_that_of_the_cpu") {
        return;
    }
    for text in TASKS {
        let ((here, moved_here, _), (there, moved_there, mut trainer)) = (epoch(text, "cpu"), epoch(text, "cuda"));
        assert!(distance(&moved_there, &moved_here) < 1e-4, "{text}: {:e}", distance(&moved_there, &moved_here));
        for name in [
            "losses/training_loss",
            "charts/training_accuracy",
            "losses/grad_norm",
            "losses/validation_loss",
            "charts/validation_accuracy",
            "charts/energy",
        ] {
            let [here, there] = [&here, &there].map(|metrics| metrics.get(name).unwrap());
            assert!((here - there).abs() < 2e-5 * here.abs().max(1.0), "{text}: {name}: {there} for {here}");
        }
        // A saved training goes on bit for bit.
        let saved = trainer.save().unwrap();
        trainer.update().unwrap();
        let mut other = SupervisedTrainer::new(&config(text, "cuda")).unwrap();
        other.restore(saved).unwrap();
        other.update().unwrap();
        let [other, whole]: [SavedTrainer; 2] = [other.save().unwrap(), trainer.save().unwrap()];
        assert_eq!((other.parameters, other.adam), (whole.parameters, whole.adam));
        let stop = Stop::default();
        trainer.set_stop(&stop);
        stop.abandon();
        assert!(trainer.update().is_err(), "a stop is heard");
    }
}

#[test]
fn a_network_has_the_same_test_result_on_the_device() {
    if !emulated("supervised::a_network_has_the_same_test_result_on_the_device") {
        return;
    }
    for text in TASKS {
        let mut trainer = SupervisedTrainer::new(&config(text, "cuda")).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let run = RunConfig::Supervised(config(text, "cuda"));
        let saved = trainer.save().unwrap();
        let path = checkpoint::write(directory.path(), &run, trainer.layout(), &saved, false).unwrap();
        let checkpoint = checkpoint::find(&path).unwrap();
        let [here, there] = ["cpu", "cuda"]
            .map(|device| supervised::test(&config(text, device), &checkpoint, None, &Stop::default()).unwrap());
        let of = |report: TestReport| -> Vec<TestScores> {
            let others = report.generalization.into_iter().map(|other| other.scores);
            [report.scores].into_iter().chain(others).collect()
        };
        let scores = of(here).into_iter().zip(of(there));
        for (here, there) in scores {
            assert_eq!((there.accuracy, there.true_positive_rate), (here.accuracy, here.true_positive_rate), "{text}");
            let numbers = [(here.loss, there.loss), (here.energy_per_step.unwrap(), there.energy_per_step.unwrap())];
            assert!(
                numbers.iter().all(|(here, there)| (here - there).abs() < 2e-5 * here.abs().max(1.0)),
                "{numbers:?}"
            );
        }
    }
}
