//! Training and resuming in a registered environment, by its name in a configuration.

use std::ops::ControlFlow;
use std::path::Path;

use stpn_agents::run::{Run, saved_config};
use stpn_agents::{RunConfig, Training, checkpoint};
use stpn_envs::classic::CartPoleConfig;
use stpn_envs::custom;

fn config(id: &str, updates: u64) -> RunConfig {
    let text = format!(
        "
        training.updates = {updates}
        env = {{ name = 'custom', id = '{id}', options.max_episode_steps = 15 }}
        rollout = {{ environments = 4, steps = 10 }}
        policy = {{ hidden = 4, cell.name = 'stpn' }}
        algorithm.name = 'a2c'
        # The default falls over the length of a run.
        optimizer.learning_rate = 3e-3
        "
    );
    RunConfig::from_table(text.parse().unwrap()).unwrap()
}

/// The parameters' file of the newest checkpoint.
fn parameters(run: &Path) -> Vec<u8> {
    let (newest, damaged) = checkpoint::newest(&run.join("checkpoints")).unwrap();
    assert!(damaged.is_empty());
    std::fs::read(newest.path.join("parameters.safetensors")).unwrap()
}

#[test]
fn a_registered_environment_trains_and_resumes_by_its_name() {
    custom::register("pole", |config: CartPoleConfig| config.make()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (whole, halves) = (directory.path().join("whole"), directory.path().join("halves"));
    let go_on = |_: &dyn Training, _: &_| ControlFlow::Continue(());
    let mut run = Run::start(&config("pole", 6), &whole, "test").unwrap();
    run.train(go_on).unwrap();
    assert!(run.training().progress().episodes >= 4 * 6 * 10 / 15, "max_episode_steps was read");

    Run::start(&config("pole", 3), &halves, "test").unwrap().train(go_on).unwrap();
    assert_eq!(saved_config(&halves).unwrap().experiment(), "pole");
    let (mut run, damaged) = Run::resume(&halves, |config| config.training_mut().updates = 6).unwrap();
    assert!(damaged.is_empty());
    run.train(go_on).unwrap();
    assert!(parameters(&whole) == parameters(&halves));
}

#[test]
fn an_environment_that_is_not_registered_is_refused_with_the_remedy() {
    let text = "env = { name = 'custom', id = 'nowhere' }
        rollout = { environments = 1, steps = 1 }
        policy = { hidden = 1, cell.name = 'stpn' }
        algorithm.name = 'a2c'";
    let error = RunConfig::from_table(text.parse().unwrap()).unwrap_err().to_string();
    assert!(error.contains("`nowhere`") && error.contains("custom::register"), "{error}");
}
