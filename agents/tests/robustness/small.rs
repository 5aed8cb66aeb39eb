//! A run that takes milliseconds.

use std::ops::ControlFlow;
use std::path::Path;

use stpn_agents::RunConfig;
use stpn_agents::run::Run;

/// Four 5×5 mazes, ten steps an update, four units, a checkpoint after every update.
pub fn config() -> RunConfig {
    let text = "
        seed = 3
        [training]
        updates = 3
        [env]
        name = 'maze'
        size = 5
        episode_length = 25
        [rollout]
        environments = 4
        steps = 10
        [policy]
        hidden = 4
        [policy.cell]
        name = 'stpn'
        [algorithm]
        name = 'a2c'
        [checkpoint]
        every = 1
    ";
    RunConfig::from_table(text.parse().unwrap()).unwrap()
}

/// Trains the whole run in `directory`.
pub fn train(directory: &Path) {
    Run::start(&config(), directory, "test").unwrap().train(|_, _| ControlFlow::Continue(())).unwrap();
}

/// Copies a folder.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}
