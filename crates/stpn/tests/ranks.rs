//! Training on two ranks of an MPI job, with the real binary under the real mpirun: on this host, or if the command
//! in `STPN_MPIRUN` puts them (`scripts/two_hosts.sh`).

#![cfg(all(feature = "mpi", unix))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod binary;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use binary::{finished, metrics, stpn};

/// `mpirun -n ranks stpn …`, on one host whatever its cores where nothing else is asked for.
fn mpirun(ranks: usize, arguments: &[String]) -> Command {
    let launcher = std::env::var("STPN_MPIRUN").unwrap_or_else(|_| "mpirun --oversubscribe".into());
    let mut words = launcher.split_whitespace();
    let mut command = Command::new(words.next().expect("STPN_MPIRUN is a command"));
    command.args(words).args(["-n", &ranks.to_string(), env!("CARGO_BIN_EXE_stpn")]).args(arguments);
    for name in ["OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] {
        command.env(name, "1");
    }
    // Beside the run, which comes last: jobs that share a folder for their sessions fail now and then, for one removes
    // what another is about to use.
    if let Some(folder) = arguments.last().and_then(|run| Path::new(run).parent()) {
        command.env("TMPDIR", folder);
    }
    command
}

fn arguments(line: &str, run: &Path, settings: &[&str]) -> Vec<String> {
    let mut arguments: Vec<String> = line.split(' ').map(String::from).collect();
    for setting in settings {
        arguments.extend(["--set".into(), (*setting).into()]);
    }
    arguments.extend(["--threads".into(), "1".into(), "--run-dir".into(), run.display().to_string()]);
    arguments
}

/// The parameters of a run's newest checkpoint.
fn parameters(run: &Path) -> Vec<f32> {
    let checkpoints = run.join("checkpoints");
    let newest = fs::read_to_string(checkpoints.join("latest")).unwrap();
    let bytes = fs::read(checkpoints.join(newest.trim()).join("parameters.safetensors")).unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    bytes[header..].chunks_exact(4).map(|chunk| f32::from_le_bytes(chunk.try_into().unwrap())).collect()
}

/// The same training in one process with 16 environments and on two ranks with 8 each.
fn one_and_two(line: &str, settings: &[&str]) -> [Vec<f32>; 2] {
    let directory = tempfile::tempdir().unwrap();
    let (one, two) = (directory.path().join("one"), directory.path().join("two"));
    let with = |environments: &'static str| [settings, &[environments]].concat();
    let alone = stpn(&arguments(line, &one, &with("rollout.environments=16")));
    assert!(alone.status.success(), "{}", alone.error);
    let both = finished(&mut mpirun(2, &arguments(line, &two, &with("rollout.environments=8"))));
    assert!(both.status.success(), "{}", both.error);
    let (alone, both) = (metrics(&one), metrics(&two));
    assert_eq!(alone.len(), both.len());
    assert_eq!(alone.last().unwrap()["env_steps"], both.last().unwrap()["env_steps"]);
    [parameters(&one), parameters(&two)]
}

/// The process that trains as this rank in that run directory, on whichever host of this machine.
fn process_of_rank(rank: usize, run: &Path) -> String {
    let (rank, run) = (format!("OMPI_COMM_WORLD_RANK={rank}"), run.display().to_string());
    let has = |process: &Path, file: &str, word: &str| {
        let text = fs::read(process.join(file)).unwrap_or_default();
        text.split(|&byte| byte == 0).any(|found| found == word.as_bytes())
    };
    let mut processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let found = processes.find(|path| has(path, "cmdline", &run) && has(path, "environ", &rank));
    found.expect("mpirun has started its ranks").file_name().unwrap().to_str().unwrap().into()
}

fn distance([a, b]: &[Vec<f32>; 2]) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let difference = norm(&mut a.iter().zip(b).map(|(a, b)| f64::from(a - b)));
    difference / norm(&mut a.iter().map(|&a| f64::from(a)))
}

const MAZE: &str = "train maze-small --hidden 8 --updates 20";
const CARTPOLE: &str = "train cartpole --hidden 8 --updates 20";

#[test]
fn two_ranks_train_as_one_process_with_twice_the_environments() {
    let maze = ["env.episode_length=20", "rollout.steps=20"];
    // Steps so small that no action falls otherwise for a rounding: after that the two would be different trainings.
    let cartpole = ["rollout.steps=16", "algorithm.epochs=4", "optimizer.learning_rate=1e-4"];
    for (line, settings) in [(MAZE, &maze[..]), (CARTPOLE, &cartpole)] {
        let distance = distance(&one_and_two(line, settings));
        assert!(distance < 1e-5, "{line}: {distance}");
    }
}

#[test]
fn sums_in_canonical_order_are_the_same_bits() {
    for (line, settings) in [
        (MAZE, &["env.episode_length=20", "rollout.steps=20", "rollout.canonical_sums=true"][..]),
        (CARTPOLE, &["rollout.steps=16", "rollout.canonical_sums=true"]),
    ] {
        let [one, two] = one_and_two(line, settings);
        assert!(one == two, "{line}");
    }
}

/// kill -9 of one rank takes the job down at once; a relaunch ends where an undisturbed job does.
#[test]
fn a_killed_rank_ends_the_job_and_a_relaunch_continues_exactly() {
    let directory = tempfile::tempdir().unwrap();
    let (whole, killed) = (directory.path().join("whole"), directory.path().join("killed"));
    let settings = ["rollout.environments=8", "checkpoint.every=5"];
    let line = "train maze-small --hidden 8 --updates 60";
    let undisturbed = finished(&mut mpirun(2, &arguments(line, &whole, &settings)));
    assert!(undisturbed.status.success(), "{}", undisturbed.error);

    let mut job = mpirun(2, &arguments(line, &killed, &settings));
    let mut job = job.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(120);
    while !killed.join("checkpoints/latest").exists() {
        assert!(Instant::now() < deadline, "no checkpoint");
        std::thread::sleep(Duration::from_millis(5));
    }
    let rank = process_of_rank(1, &killed);
    assert!(Command::new("kill").args(["-9", &rank]).status().unwrap().success());
    let start = Instant::now();
    while job.try_wait().unwrap().is_none() {
        assert!(start.elapsed() < Duration::from_secs(20), "the job outlived one of its ranks");
        std::thread::sleep(Duration::from_millis(20));
    }
    let resume = ["resume".to_string(), killed.display().to_string(), "--threads".into(), "1".into()];
    let resumed = finished(&mut mpirun(2, &resume));
    assert!(resumed.status.success(), "{}", resumed.error);
    assert!(parameters(&whole) == parameters(&killed));
    assert_eq!(metrics(&whole), metrics(&killed));

    // Another number of ranks goes on from the same parameters, in environments that begin anew.
    let alone = [&resume[..], &["--updates".into(), "62".into()]].concat();
    let alone = stpn(&alone);
    assert!(alone.status.success() && alone.error.contains("begin anew"), "{}", alone.error);
}

#[test]
fn an_error_on_every_rank_is_told_once_per_rank_and_ends_the_job() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("metrics.jsonl"), "").unwrap();
    let refused = finished(&mut mpirun(2, &arguments(MAZE, directory.path(), &[])));
    assert!(!refused.status.success());
    assert!(refused.error.contains("holds a run already"), "{}", refused.error);
}

/// `mpirun` kills its ranks a second after it was signalled: an update that takes longer is given up on all of them.
#[test]
fn an_interrupted_job_of_long_updates_saved_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("run");
    // An evaluation that takes minutes, beside the second update.
    let settings = ["rollout.environments=8", "evaluation.every=2", "evaluation.episodes=1000000"];
    for kind in ["INT", "TERM"] {
        let line = "train maze-small --hidden 8 --updates 100 --or-resume";
        let mut job = mpirun(2, &arguments(line, &run, &settings));
        let mut job = job.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(120);
        let logged = || fs::read_to_string(run.join("metrics.jsonl")).map_or(0, |text| text.lines().count());
        while logged() < 1 {
            assert!(Instant::now() < deadline, "no update");
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(1500));
        assert!(Command::new("kill").args(["-s", kind, &job.id().to_string()]).status().unwrap().success());
        job.wait().unwrap();
        let newest = fs::read_to_string(run.join("checkpoints/latest")).unwrap();
        assert_eq!(newest.trim(), "update-00000001", "{kind}");
        fs::remove_dir_all(&run).unwrap();
    }
}
