//! Reports: which runs are drawn together, and what becomes of those that cannot be drawn in full.

use std::fs;
use std::path::{Path, PathBuf};

use crate::binary::{Finished, small, stpn};

fn train(line: &str, run: &Path) {
    let trained = stpn(&small(line, run));
    assert!(trained.status.success(), "{line}: {}", trained.error);
}

/// A report on `runs`, and its page.
fn report(runs: &[&Path], out: &Path) -> (Finished, String) {
    let mut arguments = vec!["report".to_string()];
    arguments.extend(runs.iter().map(|run| run.display().to_string()));
    arguments.extend(["--out".into(), out.display().to_string()]);
    let done = stpn(&arguments);
    let page = fs::read_to_string(out).unwrap_or_default();
    (done, page)
}

/// An agent that the repository ships.
fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../checkpoints").join(name)
}

#[test]
fn unlike_runs_were_averaged_as_seeds() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    train("train cartpole --updates 2 --seed 1", &path("one"));
    train("train cartpole --updates 2 --seed 2 --set log.every=2", &path("two"));
    train("train cartpole --updates 2 --seed 3 --set optimizer.learning_rate=0.01", &path("fast"));
    train("train cartpole --updates 2 --seed 1 --algo a2c", &path("a2c"));
    train("train maze-small --updates 1", &path("small"));
    train("train maze-small --updates 1 --set env.size=11", &path("large"));
    let runs = ["one", "two", "fast", "a2c", "small", "large"].map(path);
    let runs: Vec<&Path> = runs.iter().map(PathBuf::as_path).collect();
    let (done, page) = report(&runs, &path("page.html"));
    assert!(done.status.success(), "{}", done.error);
    let series = |id: &str| {
        let figure =
            page.split("<figure id=\"").find(|figure| figure.starts_with(id)).unwrap_or_else(|| panic!("{id}"));
        figure.split("data-series=\"").nth(1).unwrap().split('"').next().unwrap().to_string()
    };
    let curves = series("cartpole-learning-curves");
    assert!(curves.contains("learning_rate 0.01") && curves.contains("algorithm a2c"), "{curves}");
    assert!(page.contains("<td>1, 2</td>"), "two seeds that differ in logging alone are one series");
    assert!(page.contains("maze-size-9-learning-curves") && page.contains("maze-size-11-learning-curves"));
}

#[test]
fn a_repeated_run_was_a_second_sample() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    train("train cartpole --updates 2 --seed 1", &path("one"));
    train("train cartpole --updates 2 --seed 1", &path("again"));
    fs::write(path("table.csv"), "what else lies in the folder").unwrap();
    let runs = ["one", "again", "table.csv"].map(path);
    let runs: Vec<&Path> = runs.iter().map(PathBuf::as_path).collect();
    let (done, page) = report(&runs, &path("page.html"));
    assert!(done.status.success(), "{}", done.error);
    assert!(done.error.contains("again: passed over: the same as"), "{}", done.error);
    assert!(!done.error.contains("table.csv"), "{}", done.error);
    assert!(page.contains("<td>1</td>") && !page.contains("<td>1, 1</td>"));
}

#[test]
fn one_folder_without_a_checkpoint_stopped_a_whole_report() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    for (name, seed) in [("young", 1), ("whole", 2)] {
        train(&format!("train maze-small --updates 2 --seed {seed}"), &path(name));
    }
    fs::remove_dir_all(path("young").join("checkpoints")).unwrap();
    fs::create_dir(path("empty")).unwrap();
    let (whole, young, empty) = (path("whole"), path("young"), path("empty"));
    let (done, page) = report(&[&empty, &young, &whole], &path("page.html"));
    assert!(done.status.success(), "{}", done.error);
    for said in ["passed over: ", "holds no run", "drawn from its metrics alone: it has no checkpoint"] {
        assert!(done.error.contains(said) && page.contains(said), "{said} in {}", done.error);
    }
    assert!(page.contains("maze-learning-curves") && page.contains("<td>1, 2</td>"), "both runs are drawn");
    let (done, _) = report(&[&young], &path("young.html"));
    assert!(done.status.success(), "{}", done.error);
    let (done, page) = report(&[&empty], &path("none.html"));
    assert!(!done.status.success() && page.is_empty());
    assert!(done.error.contains("holds no run"), "{}", done.error);
}

#[test]
fn a_newer_checkpoint_that_is_damaged_was_passed_over_in_silence() {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("run");
    train("train maze-small --updates 2 --set checkpoint.every=1", &run);
    fs::write(run.join("checkpoints/update-00000002/parameters.safetensors"), "torn").unwrap();
    let (done, _) = report(&[&run], &directory.path().join("page.html"));
    assert!(done.status.success(), "{}", done.error);
    assert!(done.error.contains("older checkpoint") && done.error.contains("update-00000002"), "{}", done.error);
}

#[test]
fn one_episode_had_an_interval_of_no_width() {
    let run = shipped("maze-small-stpn").display().to_string();
    let eval = |line: &str| stpn(&format!("eval {run} {line}").split(' ').map(String::from).collect::<Vec<_>>());
    let one = eval("--episodes 1 --json");
    let json: serde_json::Value = serde_json::from_str(&one.output).unwrap();
    assert_eq!((&json["ci95"], &json["std_return"]), (&serde_json::Value::Null, &serde_json::Value::Null), "{json}");
    assert!(json["statistics"].as_str().unwrap().contains("Student's t"));
    let one = eval("--episodes 1");
    assert!(one.output.contains("one episode: no interval"), "{}", one.output);
    // Three episodes: t with two degrees of freedom, and no return below 0.
    let few: serde_json::Value = serde_json::from_str(&eval("--episodes 3 --json --random").output).unwrap();
    let [mean, deviation] = ["mean_return", "std_return"].map(|key| few[key].as_f64().unwrap());
    let half = 4.302_653 * deviation / 3f64.sqrt();
    assert!((few["ci95"][0].as_f64().unwrap() - (mean - half).max(0.0)).abs() < 1e-4, "{few}");
    assert!((few["ci95"][1].as_f64().unwrap() - (mean + half)).abs() < 1e-4, "{few}");
}

#[test]
fn a_whole_episode_is_filmed_up_to_the_number_of_frames() {
    let directory = tempfile::tempdir().unwrap();
    let gif = directory.path().join("maze.gif");
    let run = shipped("maze-small-stpn").display().to_string();
    let played = stpn(&["play", &run, "--frames", "30", "--gif", gif.to_str().unwrap()].map(String::from));
    assert!(played.status.success() && played.output.contains("30 frames"), "{}{}", played.output, played.error);
    let bytes = fs::read(&gif).unwrap();
    assert_eq!((&bytes[..6], bytes.last()), (b"GIF89a".as_slice(), Some(&0x3b)), "from its header to its trailer");
}
