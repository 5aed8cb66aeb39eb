//! What a build without features says of what it leaves out.
//!
//! `cargo test -p stpn` runs these on its own program. `cargo xtask check` runs them on that of the package for Python,
//! which has no features either, so that nothing is built for them alone: `STPN_DEFAULT_PROGRAM` names it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod binary;

use std::fs;
use std::path::Path;
use std::process::Command;

use binary::{finished, small};

fn program() -> Command {
    Command::new(std::env::var_os("STPN_DEFAULT_PROGRAM").unwrap_or(env!("CARGO_BIN_EXE_stpn").into()))
}

/// An environment that this build leaves out is told from a misspelt one, wherever it is named.
#[test]
#[cfg_attr(any(feature = "mpi", feature = "mujoco"), ignore = "needs a build without features")]
fn an_environment_left_out_is_named_with_its_feature() {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("refused").display().to_string();
    for line in [
        "check-env hopper",
        "bench envs --case hopper",
        "train hopper",
        &format!("train cartpole --set env.name=hopper --run-dir {run}"),
    ] {
        let refused = finished(program().args(line.split(' ')));
        assert_eq!(refused.status.code(), Some(2), "{line}: {}", refused.error);
        for text in ["hopper", "--features mujoco", "cargo xtask setup"] {
            assert!(refused.error.contains(text), "{line}: {}", refused.error);
        }
    }
}

#[test]
#[cfg_attr(any(feature = "mpi", feature = "mujoco"), ignore = "needs a build without features")]
fn a_device_left_out_is_named_with_its_feature() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out").display().to_string();
    for line in [
        format!("train maze-small --device cuda --run-dir {out}"),
        format!("compare maze-small --set training.device=cuda --out {out}"),
        format!("eval {}/../../checkpoints/maze-small-stpn --device cuda", env!("CARGO_MANIFEST_DIR")),
    ] {
        let refused = finished(program().args(line.split(' ')));
        assert_eq!(refused.status.code(), Some(2), "{line}: {}", refused.error);
        for text in ["training.device", "the feature `cuda`", "--features cuda"] {
            assert!(refused.error.contains(text), "{line}: {}", refused.error);
        }
        assert!(!Path::new(&out).exists(), "{line}");
    }
}

#[test]
#[cfg_attr(any(feature = "mpi", feature = "mujoco"), ignore = "needs a build without features")]
fn two_processes_of_a_launcher_trained_the_same_twice() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = small("train maze-small --updates 1", &directory.path().join("run"));
    for variable in ["PMI_SIZE=2", "SLURM_STEP_NUM_TASKS=4", "PMIX_RANK=0", "OMPI_COMM_WORLD_SIZE=2"] {
        let (name, value) = variable.split_once('=').unwrap();
        let mut command = program();
        let refused = finished(command.args(&arguments).env(name, value));
        assert_eq!(refused.status.code(), Some(2), "{variable}: {}", refused.error);
        assert!(refused.error.contains("the feature `mpi`"), "{variable}: {}", refused.error);
    }
    let out = directory.path().join("comparison");
    for line in ["compare cartpole --cells mlp --updates 1 --out", "reproduce maze --cells rnn --updates 1 --out"] {
        let mut command = program();
        let command = command.args(line.split(' ')).arg(&out).env("OMPI_COMM_WORLD_SIZE", "2");
        let refused = finished(command);
        assert_eq!(refused.status.code(), Some(2), "{line}: {}", refused.error);
        assert!(refused.error.contains("start it once") && !out.exists(), "{line}: {}", refused.error);
    }
    let mut command = program();
    let alone = finished(command.args(&arguments).env("SLURM_NTASKS", "64").env("SLURM_STEP_NUM_TASKS", "1"));
    assert!(alone.status.success(), "{}", alone.error);
}

/// Its checkpoint is sound, its curves need no simulator.
#[test]
#[cfg_attr(any(feature = "mpi", feature = "mujoco"), ignore = "needs a build without features")]
fn an_environment_that_is_not_in_this_build_was_called_damage() {
    let directory = tempfile::tempdir().unwrap();
    let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../checkpoints/hopper-stpnf");
    let page = directory.path().join("page.html");
    let done = finished(program().arg("report").arg(&run).arg("--out").arg(&page));
    let page = fs::read_to_string(page).unwrap_or_default();
    assert!(done.status.success(), "{}", done.error);
    for (text, said) in [(&done.error, "--features mujoco"), (&page, "the cargo feature `mujoco`")] {
        assert!(text.contains(said) && !text.contains("no sound checkpoint"), "{text}");
    }
    assert!(page.contains("hopper-learning-curves") && page.contains("hopper-energy"));
    for command in ["eval", "play"] {
        let refused = finished(program().arg(command).arg(&run));
        assert_eq!(refused.status.code(), Some(2), "{command}: {}", refused.error);
        assert!(refused.error.contains("--features mujoco"), "{command}: {}", refused.error);
        assert!(!refused.error.contains("no sound checkpoint"), "{command}: {}", refused.error);
    }
}
