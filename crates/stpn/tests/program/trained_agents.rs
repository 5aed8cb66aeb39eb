//! The agents in `checkpoints/` are as good as their table says, and an exported agent is what its run was.

use std::fs;
use std::path::{Path, PathBuf};

use crate::binary::{Finished, small, stpn};
use serde_json::Value;

/// Standard errors of the difference of two means that a run on another instruction set may be away.
const ERRORS: f64 = 4.0;

fn published() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../checkpoints")
}

/// Agent, episodes, mean return and its standard deviation, row by row.
fn table() -> Vec<(String, usize, f64, f64)> {
    let text = fs::read_to_string(published().join("README.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| ["));
    rows.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let name = cells[0].split(['[', ']']).nth(1).unwrap().to_string();
        (name, cells[5].parse().unwrap(), cells[6].parse().unwrap(), cells[7].parse().unwrap())
    })
    .collect()
}

fn run(line: &str) -> Finished {
    stpn(&line.split(' ').map(String::from).collect::<Vec<_>>())
}

fn evaluate(agent: &Path, episodes: usize) -> Value {
    let done = run(&format!("eval {} --episodes {episodes} --json", agent.display()));
    assert!(done.status.success(), "{}: {}", agent.display(), done.error);
    serde_json::from_str(&done.output).unwrap()
}

/// Evaluates the agents whose environments a build `has`; returns how many they are.
fn check(has: impl Fn(&str) -> bool) -> usize {
    let mut checked = 0;
    for (name, episodes, mean, deviation) in table() {
        if !has(&name) {
            continue;
        }
        let result = evaluate(&published().join(&name), episodes);
        let allowed = ERRORS * (2.0 / episodes as f64).sqrt() * deviation + 0.005 * mean.abs() + 0.01;
        let got = result["mean_return"].as_f64().unwrap();
        assert!((got - mean).abs() <= allowed, "{name}: {got}, the table says {mean} ± {allowed}");
        assert!(fs::metadata(published().join(&name).join("metrics.jsonl")).unwrap().len() > 0);
        checked += 1;
    }
    checked
}

/// Whether its environment needs a feature.
fn is_native(name: &str) -> bool {
    !["maze", "cartpole", "memory"].iter().any(|environment| name.starts_with(environment))
}

#[test]
fn trained_agents_are_as_good_as_their_table_says() {
    assert!(check(|name| !is_native(name)) >= 2);
}

#[cfg(all(feature = "atari", feature = "mujoco"))]
#[test]
fn trained_agents_of_native_environments_are_as_good_as_their_table_says() {
    assert!(check(is_native) >= 3);
}

#[test]
fn an_exported_agent_is_evaluated_like_its_run_and_refuses_to_be_resumed() {
    let directory = tempfile::tempdir().unwrap();
    let (source, out) = (directory.path().join("run"), directory.path().join("agent"));
    let done = stpn(&small("train maze-small --updates 2", &source));
    assert!(done.status.success(), "{}", done.error);
    let export = format!("export {} {}", source.display(), out.display());
    let done = run(&export);
    assert!(done.status.success(), "{}", done.error);
    assert_eq!(evaluate(&out, 3), evaluate(&source, 3));
    assert_eq!(fs::read(out.join("metrics.jsonl")).unwrap(), fs::read(source.join("metrics.jsonl")).unwrap());

    let again = run(&export);
    assert!(!again.status.success() && again.error.contains("holds update-00000002 already"), "{}", again.error);
    let resumed = run(&format!("resume {} --updates 3", out.display()));
    assert!(!resumed.status.success() && resumed.error.contains("exported agent"), "{}", resumed.error);
    let checkpoint = source.join("checkpoints/update-00000002");
    let part = directory.path().join("part");
    let refused = run(&format!("export {} {}", checkpoint.display(), part.display()));
    assert_eq!(refused.status.code(), Some(2), "{}", refused.error);
    assert!(refused.error.contains("name the folder of the run") && !part.exists(), "{}", refused.error);
    let best = run(&format!("export --best {} {}-best", source.display(), out.display()));
    let has_best = source.join("checkpoints/best").exists();
    assert_eq!(best.status.success(), has_best, "{}", best.error);
    assert!(has_best || best.error.contains("take the newest"), "{}", best.error);
}

#[test]
fn a_run_exported_whole_is_resumed_elsewhere_with_the_same_bits() {
    let directory = tempfile::tempdir().unwrap();
    let (source, out) = (directory.path().join("run"), directory.path().join("copy"));
    let trained = stpn(&small("train maze-small --updates 2", &source));
    assert!(trained.status.success(), "{}", trained.error);
    let changed = run(&format!("resume {} --updates 3 --set optimizer.learning_rate=0.002", source.display()));
    assert!(changed.status.success(), "{}", changed.error);
    let done = run(&format!("export --resumable {} {}", source.display(), out.display()));
    assert!(done.status.success() && done.output.contains("resume with:"), "{} {}", done.output, done.error);
    for folder in [&source, &out] {
        let done = run(&format!("resume {} --updates 5", folder.display()));
        assert!(done.status.success(), "{}", done.error);
    }
    for file in ["optimizer.safetensors", "parameters.safetensors", "workers-00000.safetensors", "config.toml"] {
        let of = |folder: &Path| fs::read(folder.join("checkpoints/update-00000005").join(file)).unwrap();
        assert!(of(&source) == of(&out), "{file}");
    }
    assert_eq!(fs::read(out.join("changes.jsonl")).unwrap(), fs::read(source.join("changes.jsonl")).unwrap());

    let agent = directory.path().join("agent");
    assert!(run(&format!("export {} {}", source.display(), agent.display())).status.success());
    let refused = run(&format!("export --resumable {} {}-whole", agent.display(), agent.display()));
    assert!(!refused.status.success() && refused.error.contains("exported agent"), "{}", refused.error);
}

#[test]
fn a_supervised_run_exported_whole_went_on_from_its_best_epoch() {
    let directory = tempfile::tempdir().unwrap();
    let (source, out) = (directory.path().join("run"), directory.path().join("copy"));
    let small = "--set task.training_sequences=512 --set task.validation_sequences=100 --set task.test_sequences=100";
    let trained = run(&format!("train art --updates 2 {small} --run-dir {}", source.display()));
    assert!(trained.status.success(), "{}", trained.error);
    // So large a rate that what follows is worse.
    let worse = run(&format!("resume {} --updates 4 --set optimizer.learning_rate=50", source.display()));
    assert!(worse.status.success(), "{}", worse.error);
    let best = |run: &Path| fs::read_to_string(run.join("checkpoints/best")).unwrap();
    assert!(best(&source).as_str() < "update-00000004", "{}", best(&source));
    let done = run(&format!("export --resumable {} {}", source.display(), out.display()));
    assert!(done.status.success() && done.output.contains("update-00000004 as"), "{} {}", done.output, done.error);
    assert_eq!(best(&out), best(&source));
    for folder in [&source, &out] {
        let done = run(&format!("resume {} --updates 5", folder.display()));
        assert!(done.status.success(), "{}", done.error);
    }
    let test = |run: &Path| fs::read_to_string(run.join("test.json")).unwrap();
    assert_eq!(test(&out), test(&source));
}

#[test]
fn runs_that_are_kept_to_be_continued_are_continued() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../reproduction/runs/maze");
    let directory = tempfile::tempdir().unwrap();
    let mut continued = 0;
    for source in fs::read_dir(kept).unwrap().map(|entry| entry.unwrap().path()) {
        let out = directory.path().join(source.file_name().unwrap());
        let done = run(&format!("export --resumable {} {}", source.display(), out.display()));
        assert!(done.status.success(), "{}", done.error);
        let progress =
            fs::read_dir(out.join("checkpoints")).unwrap().next().unwrap().unwrap().path().join("progress.json");
        let progress: Value = serde_json::from_str(&fs::read_to_string(progress).unwrap()).unwrap();
        let update = progress["update"].as_u64().unwrap();
        let done = run(&format!("resume {} --updates {}", out.display(), update + 1));
        assert!(done.status.success(), "{}: {}", source.display(), done.error);
        let log = fs::read_to_string(out.join("metrics.jsonl")).unwrap();
        let updates: Vec<u64> = log
            .lines()
            .rev()
            .take(2)
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["update"].as_u64().unwrap())
            .collect();
        assert_eq!(updates, [update + 1, update], "{}", source.display());
        continued += 1;
    }
    assert!(continued >= 4, "{continued} runs");
}
