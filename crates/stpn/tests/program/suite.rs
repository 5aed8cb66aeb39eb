//! A comparison over the tasks of a suite: resumable as a whole, and a page on all of them.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::binary::{Finished, stpn};

fn compare(line: &str, out: &Path) -> Finished {
    let line = format!("compare {line} --out {}", out.display());
    stpn(&line.split(' ').map(String::from).collect::<Vec<_>>())
}

/// Small networks and short runs; an entry of the log has two updates of 8 × 52 steps.
const SMALL: &str = "popgym --suite core --cells stpn,mlp --tasks repeat-previous-easy,repeat-first-easy --jobs 2 \
                     --threads 2 --episodes 5 --set policy.encoder.sizes=[4] --set rollout.environments=8 --set \
                     rollout.steps=52 --set rollout.sequence_length=52 --set algorithm.minibatch_size=208 --set \
                     log.every=2";

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn a_suite_keeps_finished_runs_resumes_interrupted_ones_and_makes_a_page_of_all() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("core");
    let first = compare(&format!("{SMALL} --seeds 2 --updates 4"), &out);
    assert!(first.status.success(), "{}", first.error);
    for text in
        ["8 runs, 0 finished", "**Shortened**", "repeat-first easy stpn-seed1", "measuring repeat-previous easy"]
    {
        assert!(first.error.contains(text), "{text} in\n{}", first.error);
    }
    for text in ["MMER", "repeat-previous easy", "final return", "over all tasks", "stpn is ahead", "suite.md"] {
        assert!(first.output.contains(text), "{text} in\n{}", first.output);
    }

    // Every task has the files of a comparison, the suite those over all tasks.
    for task in ["repeat-previous-easy", "repeat-first-easy"] {
        for file in ["comparison.json", "comparison.md", "learning-curves.svg", "stpn-seed2/evaluation.json"] {
            assert!(out.join(task).join(file).exists(), "{task}/{file}");
        }
    }
    let results = json(&out.join("suite.json"));
    let tasks = results["tasks"].as_array().unwrap();
    let names: Vec<&str> = tasks.iter().map(|task| task["folder"].as_str().unwrap()).collect();
    assert_eq!(names, ["repeat-previous-easy", "repeat-first-easy"], "in the suite's order");
    for task in tasks {
        let folder = out.join(task["folder"].as_str().unwrap());
        let cells = task["cells"].as_array().unwrap();
        assert_eq!(cells.len(), 2);
        for (cell, name) in cells.iter().zip(["stpn", "mlp"]) {
            assert_eq!(cell["cell"], *name);
            assert_eq!(cell["learned"].is_object(), name == "stpn");
            for (run, seed) in cell["runs"].as_array().unwrap().iter().zip(1..) {
                let run_folder = folder.join(format!("{name}-seed{seed}"));
                assert_eq!(run["result"], json(&run_folder.join("evaluation.json"))["mean_return"]);
                let metrics = fs::read_to_string(run_folder.join("metrics.jsonl")).unwrap();
                let of_entry = |line: &str| {
                    let entry: Value = serde_json::from_str(line).unwrap();
                    entry["charts/episodic_return"].as_f64()
                };
                let best = metrics.lines().filter_map(of_entry).fold(f64::MIN, f64::max);
                assert_eq!(run["mmer"].as_f64(), Some(best), "{}", run_folder.display());
            }
        }
        let count = |cell: &Value| cell["parameters"].as_f64().unwrap();
        assert!((count(&cells[1]) / count(&cells[0]) - 1.0).abs() < 0.05, "matched: {cells:?}");
    }
    assert!(results["over_tasks"][1]["behind"]["interval"][0].is_f64(), "{}", results["over_tasks"]);
    let text = |name: &str| fs::read_to_string(out.join(name)).unwrap();
    for file in ["scores.csv", "mmer.csv"] {
        assert_eq!(text(file).lines().count(), 1 + 2 * 2 * 2, "{file}: tasks, cells, seeds");
        assert!(text(file).contains("stpn,popgym repeat-first easy,2,"), "{}", text(file));
    }
    let page = text("suite.md");
    assert!(
        page.contains("| repeat-previous easy at hard |") && page.contains("| repeat-first easy at medium |"),
        "{page}"
    );
    assert!(out.join("repeat-previous-easy/stpn-seed1/evaluation-hard.json").is_file());
    for part in [
        "4 updates, 1,664 steps",
        "**Shortened**: published runs have 15,000,000 steps.",
        "**Iterations** have 832 steps in place of 65,536",
        "rollout.steps=52",
        "**Not run**: repeat-previous medium",
        "Seeds: 1 to 2.",
        "| task | GRU, published | stpn | mlp |",
        "| [repeat-previous easy](repeat-previous-easy/comparison.md) | 1.000 |",
        "| task | random policy | oracle | stpn | mlp |",
        "| cell | final return | MMER | stpn is ahead |",
        "![Performance profiles](profiles.svg)",
        "| task | k | stpn: τ (steps) | stpn: γ |",
        "| repeat-previous easy | 4 |",
        "| repeat-first easy | 1 to 51 |",
        "| cell | units | parameters |",
        "](repeat-first-easy/learning-curves.svg)",
    ] {
        assert!(page.contains(part), "{part} in\n{page}");
    }

    // What is finished is kept; what was lost is made again, the same; what was interrupted is continued.
    let metrics = || fs::read(out.join("repeat-first-easy/mlp-seed1/metrics.jsonl")).unwrap();
    let kept = metrics();
    fs::remove_dir_all(out.join("repeat-previous-easy/stpn-seed2")).unwrap();
    fs::remove_file(out.join("suite.md")).unwrap();
    let second = compare(&format!("{SMALL} --seeds 2 --updates 4"), &out);
    assert!(second.status.success() && second.error.contains("8 runs, 7 finished"), "{}", second.error);
    assert_eq!(metrics(), kept, "a finished run was touched");
    let scores = |results: &Value| results["tasks"].clone();
    assert_eq!(scores(&json(&out.join("suite.json"))), scores(&results));
    assert_eq!(text("suite.md"), page);
    let third = compare(&format!("{SMALL} --seeds 2 --updates 4"), &out);
    assert!(third.status.success() && third.error.contains("8 runs, 8 finished"), "{}", third.error);
    let longer = compare(&format!("{SMALL} --seeds 2 --updates 6"), &out);
    assert!(longer.status.success() && longer.error.contains("8 runs, 0 finished"), "{}", longer.error);
    assert!(text("suite.md").contains("6 updates, 2,496 steps"), "{}", text("suite.md"));

    // Without the runs, pictures are made again from the results.
    let picture = fs::read(out.join("profiles.svg")).unwrap();
    fs::remove_file(out.join("profiles.svg")).unwrap();
    let drawn = stpn(&["draw".into(), out.display().to_string()]);
    assert!(drawn.status.success(), "{}", drawn.error);
    assert!(drawn.output.contains("repeat-first-easy/learning-curves.svg"), "{}", drawn.output);
    assert_eq!(fs::read(out.join("profiles.svg")).unwrap(), picture);
}

#[test]
fn a_suite_refuses_what_contradicts_it() {
    let directory = tempfile::tempdir().unwrap();
    for (line, said) in [
        ("maze --suite core", "suite core: its tasks are those of the preset `popgym` alone"),
        ("my.toml --suite core", "suite core: its tasks are those of the preset `popgym` alone"),
        ("popgym --suite huge", "core"),
        ("popgym --tasks repeat-first-easy", "--suite"),
        ("popgym --suite core --tasks repeat-first", "repeat-first-easy"),
        ("popgym --suite core --cells stpn,stpn", "stpn is named twice"),
        ("popgym --suite core --set env.level=hard", "--set env.level=hard: the tasks are those of the suite core"),
        ("popgym --suite core --set env=maze", "the tasks are those of the suite core"),
    ] {
        let out = directory.path().join("suite");
        let refused = compare(line, &out);
        assert_eq!(refused.status.code(), Some(2), "{line}: {}", refused.error);
        assert!(refused.error.contains(said), "{line}: {}", refused.error);
        assert!(!out.exists(), "{line}");
    }
}
