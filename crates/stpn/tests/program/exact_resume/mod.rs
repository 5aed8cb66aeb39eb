//! A run continued from its checkpoint equals the run that was never interrupted, bit for bit.

mod experiments;

use std::path::Path;

use crate::binary::{metrics, small, stpn};
use experiments::Experiment;

/// Cells with fast weights of each kind, and the one everybody knows.
const CELLS: [&str; 4] = ["stpn", "stpnf", "lstm", "backpropamine"];

/// Updates of an undisturbed run.
const UPDATES: u64 = 7;

fn run(line: &str) {
    let done = stpn(&line.split_whitespace().map(String::from).collect::<Vec<_>>());
    assert!(done.status.success(), "{line}: {}", done.error);
}

fn file(run: &Path, update: u64, name: &str) -> Vec<u8> {
    std::fs::read(run.join(format!("checkpoints/update-{update:08}")).join(name)).unwrap()
}

/// The update of the best checkpoint, where there is one.
fn best(run: &Path) -> Option<u64> {
    let name = std::fs::read_to_string(run.join("checkpoints/best")).ok()?;
    Some(name.trim().strip_prefix("update-").unwrap().parse().unwrap())
}

/// Every logged number; of the last and the best checkpoint parameters, optimiser, counters with normalisers and
/// best-so-far, environments and streams.
fn assert_equal(whole: &Path, parts: &Path, updates: u64, what: &str) {
    let logged: u64 = metrics(whole).iter().map(|line| line["updates"].as_u64().unwrap()).sum();
    assert_eq!(logged, updates, "{what}");
    assert_eq!(metrics(whole), metrics(parts), "{what}");
    let best = best(whole);
    assert_eq!(best, self::best(parts), "{what}");
    for update in best.into_iter().chain([updates]) {
        for name in ["parameters.safetensors", "optimizer.safetensors", "workers-00000.safetensors", "progress.json"] {
            assert!(file(whole, update, name) == file(parts, update, name), "{what}: {name} of {update} differs");
        }
    }
}

/// N updates in one go equal k, then N − k, for several k, in processes with other numbers of threads.
fn proves_exact_resume(experiment: &Experiment) {
    for cell in CELLS {
        let directory = tempfile::tempdir().unwrap();
        let whole = directory.path().join("whole");
        let file = directory.path().join("experiment.toml");
        std::fs::write(&file, experiment.text).unwrap();
        let train = format!("train {} --cell {cell} --hidden 5", file.display());
        run(&format!("{train} --updates {UPDATES} --threads 1 --run-dir {}", whole.display()));
        for stops in experiment.stops {
            let what = format!("{} with {cell}, stopped after {stops:?}", experiment.name);
            let parts = directory.path().join(format!("{stops:?}").replace(' ', ""));
            let (first, rest) = stops.split_first().unwrap();
            run(&format!("{train} --updates {first} --threads 2 --run-dir {}", parts.display()));
            for (i, updates) in rest.iter().chain([&UPDATES]).enumerate() {
                run(&format!("resume {} --updates {updates} --threads {}", parts.display(), 1 + i % 3));
            }
            assert_equal(&whole, &parts, UPDATES, &what);
        }
    }
}

#[test]
fn maze_with_a2c() {
    proves_exact_resume(&experiments::MAZE);
}

#[test]
fn cartpole_with_ppo() {
    proves_exact_resume(&experiments::CARTPOLE);
}

#[test]
fn associative_retrieval() {
    proves_exact_resume(&experiments::ART);
}

#[test]
fn familiarity() {
    proves_exact_resume(&experiments::FAMILIARITY);
}

#[cfg(feature = "mujoco")]
#[test]
fn inverted_pendulum_with_ppo() {
    proves_exact_resume(&experiments::INVERTED_PENDULUM);
}

#[cfg(feature = "atari")]
#[test]
fn pong_with_a2c() {
    proves_exact_resume(&experiments::PONG);
}

#[cfg(feature = "atari")]
#[test]
fn stacked_pong_with_ppo() {
    proves_exact_resume(&experiments::PONG_STACKED);
}

#[test]
fn a_damaged_checkpoint_is_passed_over_by_resume_and_refused_by_eval() {
    let directory = tempfile::tempdir().unwrap();
    let (whole, parts) = (directory.path().join("whole"), directory.path().join("parts"));
    let settings = "--set checkpoint.every=2";
    let train = |updates: u64, run: &Path| {
        let trained = stpn(&small(&format!("train maze-small --updates {updates} {settings}"), run));
        assert!(trained.status.success(), "{}", trained.error);
    };
    train(8, &whole);
    train(6, &parts);
    let damaged = parts.join("checkpoints/update-00000006/optimizer.safetensors");
    let mut contents = std::fs::read(&damaged).unwrap();
    let middle = contents.len() / 2;
    contents[middle] ^= 1;
    std::fs::write(&damaged, contents).unwrap();

    let refused = stpn(&["eval".to_string(), parts.display().to_string()]);
    assert_eq!(refused.status.code(), Some(3));
    assert!(refused.error.contains("optimizer.safetensors") && refused.error.contains("checksum"), "{}", refused.error);

    let resumed = stpn(&["resume".to_string(), parts.display().to_string(), "--updates".into(), "8".into()]);
    assert!(resumed.status.success(), "{}", resumed.error);
    for said in ["passed over a damaged checkpoint", "optimizer.safetensors", "at update 4 of 8"] {
        assert!(resumed.error.contains(said), "no `{said}` in: {}", resumed.error);
    }
    assert_equal(&whole, &parts, 8, "with a damaged checkpoint");
}
