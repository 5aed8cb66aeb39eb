//! Comparisons: resumable as a whole, and a table of what their runs gave.

use std::fs;
use std::path::Path;
use std::sync::Mutex;

use crate::binary::{Finished, stpn};
use serde_json::Value;
use stpn::cells::CellName;
use stpn::comparison::jobs::{self, Jobs};
use stpn::comparison::plan::Request;
use stpn::comparison::{Observer, Plan};
use stpn_agents::lock::RunLock;

fn run(line: &str) -> Finished {
    stpn(&line.split(' ').map(String::from).collect::<Vec<_>>())
}

const SIZES: [&str; 3] = ["task.training_sequences=600", "task.validation_sequences=100", "task.test_sequences=200"];

fn compare(settings: &str, out: &Path) -> Finished {
    let sizes = SIZES.map(|size| format!("--set {size}")).join(" ");
    run(&format!("compare art {sizes} {settings} --out {}", out.display()))
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Observer for Heard {
    fn note(&self, line: &str) {
        self.0.lock().unwrap().push(line.into());
    }
}

#[test]
fn what_a_comparison_said_reached_nobody_but_stderr() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("art");
    let trained = compare("--cells rnn --seeds 1 --updates 1", &out);
    assert!(trained.status.success(), "{}", trained.error);
    let overrides = SIZES.map(|text| text.parse().unwrap());
    let cells = [CellName::Rnn];
    let (experiment, environment, updates, directory) = ("art", None, Some(1), out.as_path());
    let of_cells = &[];
    let request = Request {
        experiment,
        environment,
        cells: &cells,
        seeds: 1,
        updates,
        overrides: &overrides,
        of_cells,
        directory,
    };
    let (plan, heard) = (Plan::new(&request).unwrap(), Heard::default());
    jobs::train(&plan.runs, Jobs::new(1, 1).unwrap(), &heard).unwrap();
    assert_eq!(heard.0.into_inner().unwrap(), ["1 runs, 1 finished; 1 at a time, threads each: 1"]);
    jobs::train(&plan.runs, Jobs::new(1, 1).unwrap(), &()).unwrap();
}

#[test]
fn a_comparison_keeps_finished_runs_resumes_interrupted_ones_and_tabulates_all() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("art");
    let first = compare("--cells rnn,stpn --seeds 2 --updates 2 --jobs 2", &out);
    assert!(first.status.success(), "{}", first.error);
    for text in ["2,039", "1,937", "test accuracy", "Student's t"] {
        assert!(first.output.contains(text), "{text} in\n{}", first.output);
    }
    let results = json(&out.join("comparison.json"));
    let cells: Vec<&str> = results["cells"].as_array().unwrap().iter().map(|c| c["cell"].as_str().unwrap()).collect();
    assert_eq!(cells, ["rnn", "stpn"], "in the order asked for");
    for cell in results["cells"].as_array().unwrap() {
        let of_runs: Vec<f64> = (results["runs"].as_array().unwrap().iter())
            .filter(|run| run["cell"] == cell["cell"])
            .map(|run| run["result"].as_f64().unwrap())
            .collect();
        assert_eq!(of_runs.len(), 2);
        let mean = cell["result"]["mean"].as_f64().unwrap();
        assert!((mean - (of_runs[0] + of_runs[1]) / 2.0).abs() < 1e-12);
        assert!(cell["result"]["interval"][0].as_f64().unwrap() <= mean);
        assert!(cell["energy"]["mean"].as_f64().unwrap() > 0.0);
    }
    for run in results["runs"].as_array().unwrap() {
        let test = json(&out.join(run["directory"].as_str().unwrap()).join("test.json"));
        assert_eq!(run["result"], test["accuracy"]);
    }
    let curves = fs::read_to_string(out.join("curves.csv")).unwrap();
    assert_eq!(curves.lines().count(), 1 + 2 * 2 * 2, "cells, seeds, updates");
    let picture = fs::read_to_string(out.join("learning-curves.svg")).unwrap();
    assert!(picture.contains("<svg") && picture.contains("stpn") && picture.contains("rnn"));

    // A finished comparison trains nothing; a lost run is made again, the same; a shortened one is continued.
    let metrics = |name: &str| fs::read(out.join(name).join("metrics.jsonl")).unwrap();
    let (kept, lost) = (metrics("rnn-seed1"), json(&out.join("stpn-seed2/test.json")));
    fs::remove_dir_all(out.join("stpn-seed2")).unwrap();
    let second = compare("--cells rnn,stpn --seeds 2 --updates 2", &out);
    assert!(second.error.contains("4 runs, 3 finished"), "{}", second.error);
    assert_eq!(metrics("rnn-seed1"), kept, "a finished run was touched");
    assert_eq!(json(&out.join("stpn-seed2/test.json")), lost);
    // A run that was killed before its first checkpoint is begun again.
    fs::remove_dir_all(out.join("stpn-seed2/checkpoints")).unwrap();
    let begun_again = compare("--cells rnn,stpn --seeds 2 --updates 2", &out);
    assert!(begun_again.status.success() && begun_again.error.contains("3 finished"), "{}", begun_again.error);
    assert_eq!(json(&out.join("stpn-seed2/test.json")), lost);
    let third = compare("--cells rnn,stpn --seeds 2 --updates 3", &out);
    assert!(third.status.success() && third.error.contains("4 runs, 0 finished"), "{}", third.error);
    assert_eq!(json(&out.join("comparison.json"))["cells"][0]["updates"]["mean"], 3.0);
}

#[test]
fn a_comparison_refuses_runs_of_other_settings_and_unknown_cells() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("art");
    assert!(compare("--cells rnn --seeds 1 --updates 1", &out).status.success());
    let other = compare("--cells rnn --seeds 1 --updates 1 --set optimizer.learning_rate=0.5", &out);
    assert_eq!(other.status.code(), Some(3));
    assert!(other.error.contains("other settings") && other.error.contains("--out"), "{}", other.error);
    assert!(other.error.contains("optimizer.learning_rate"), "what differs is named: {}", other.error);
    let unknown = compare("--cells transformer", &out);
    assert_eq!(unknown.status.code(), Some(2));
    let failing = compare("--cells rnn --seeds 2 --updates 9 --set optimizer.learning_rate=1e38", directory.path());
    assert_eq!(failing.status.code(), Some(1));
    assert!(failing.error.contains("2 of 2 runs failed") && failing.error.contains("not finite"), "{}", failing.error);
}

#[test]
fn two_comparisons_in_one_folder_broke_the_runs_of_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path();
    let _first = RunLock::take(out).unwrap();
    for line in [
        "compare memory --cells lstm --seeds 1 --updates 1 --out",
        "tune memory --trials 3 --updates 9 --out",
        "reproduce art --cells lstm --seeds 1 --updates 1 --out reproduction --runs",
    ] {
        let second = run(&format!("{line} {}", out.display()));
        assert_eq!(second.status.code(), Some(3), "{line}: {}", second.error);
        assert!(second.error.contains(&format!("in use by process {} on", std::process::id())), "{}", second.error);
    }
    assert_eq!(fs::read_dir(out).unwrap().count(), 1, "the lock alone");
}

#[test]
fn what_could_be_refused_at_once_was_refused_after_training() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    for (line, named) in [
        ("compare memory nope --cells lstm --seeds 1 --updates 1", "nope"),
        ("compare memory --cells lstm --seeds 1 --updates 1 --episodes 0", "--episodes"),
        ("tune memory --updates 9 --episodes 0", "--episodes"),
        ("compare memory --cells lstm,mlp --seeds 1 --updates 1 --set policy.cell=gru", "policy.cell.name"),
        ("compare memory --cells lstm --seeds 1 --updates 1 --set seed=5", "seed"),
        ("compare memory --cells lstm --seeds 1 --updates 1 --set rollout.noise_correlation=0.5", "noise_correlation"),
    ] {
        let refused = run(&format!("{line} --out {}", out.display()));
        assert_eq!(refused.status.code(), Some(2), "{line}: {}", refused.error);
        assert!(refused.error.contains(named), "{line}: {}", refused.error);
        assert!(!out.exists(), "{line}");
    }
}

#[test]
fn a_finished_longer_run_was_put_beside_shorter_ones() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("art");
    assert!(compare("--cells rnn --seeds 1 --updates 3", &out).status.success());
    let mixed = compare("--cells rnn,stpn --seeds 1 --updates 2", &out);
    assert_eq!(mixed.status.code(), Some(3), "{}", mixed.error);
    for text in ["rnn-seed1", "3 updates in place of 2", "--updates", "--out"] {
        assert!(mixed.error.contains(text), "{text} in {}", mixed.error);
    }
    // How a run logs and saves does not make it another one.
    let quiet = compare("--cells rnn --seeds 1 --updates 3 --set log.every=2 --set checkpoint.every=7", &out);
    assert!(quiet.status.success() && quiet.error.contains("1 finished"), "{}", quiet.error);
    // The run of one seed in another's folder.
    fs::create_dir(directory.path().join("seeds")).unwrap();
    fs::rename(out.join("rnn-seed1"), directory.path().join("seeds/rnn-seed2")).unwrap();
    let moved = compare("--cells rnn --seeds 2 --updates 3", &directory.path().join("seeds"));
    assert_eq!(moved.status.code(), Some(3), "{}", moved.error);
    assert!(moved.error.contains("seed 1, not 2"), "{}", moved.error);
}

#[test]
fn agents_are_compared_by_their_evaluation_beside_the_random_policy_and_the_oracle() {
    let directory = tempfile::tempdir().unwrap();
    let settings = "--set rollout.environments=8 --updates 2 --seeds 1 --episodes 10";
    let done = run(&format!("compare maze-small --cells rnn {settings} --out {}", directory.path().display()));
    assert!(done.status.success(), "{}", done.error);
    let results = json(&directory.path().join("comparison.json"));
    assert_eq!(results["measure"], "mean return");
    assert_eq!(results["cells"][0]["result"]["interval"], Value::Null, "a single seed has no interval");
    let oracle = results["oracle"].as_f64().unwrap();
    assert!((oracle - 209.29).abs() < 0.01, "{oracle}");
    assert!(results["random"].as_f64().unwrap() > 0.0);
    assert!(done.output.contains("random policy") && done.output.contains("oracle"), "{}", done.output);
}

#[test]
fn a_comparison_measures_the_most_probable_actions_if_asked() {
    let directory = tempfile::tempdir().unwrap();
    let settings = "--cells rnn --updates 4 --seeds 1 --episodes 10";
    let measured = |more: &str| {
        let done = run(&format!("compare cartpole {settings}{more} --out {}", directory.path().display()));
        assert!(done.status.success(), "{}", done.error);
        let results = json(&directory.path().join("comparison.json"));
        (results["measure"].as_str().unwrap().to_string(), results["cells"][0]["result"]["mean"].as_f64().unwrap())
    };
    // What the folder holds of the other way of measuring is not taken for this one.
    let sampled = measured("");
    let (measure, mean) = measured(" --deterministic");
    assert_eq!((&*sampled.0, &*measure), ("mean return", "mean return, deterministic"));
    assert_ne!(sampled.1, mean);
    assert_eq!(measured(""), sampled);
    let evaluated = run(&format!("eval {}/rnn-seed1 --episodes 10 --deterministic --json", directory.path().display()));
    let evaluated: Value = serde_json::from_str(&evaluated.output).unwrap();
    assert_eq!(evaluated["mean_return"], mean);

    let refused = compare("--cells rnn --deterministic", &directory.path().join("supervised"));
    assert_eq!(refused.status.code(), Some(2), "{}", refused.error);
    assert!(refused.error.contains("--deterministic is for agents; art is a supervised task"), "{}", refused.error);
    let refused = run("compare popgym --suite core --deterministic");
    assert_eq!(refused.status.code(), Some(2), "{}", refused.error);
}

#[test]
fn cells_are_compared_on_several_tasks_and_over_all_of_them() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().display();
    let settings = "--cells rnn,mlp --seeds 2 --updates 2 --episodes 5";
    let done = run(&format!("compare cartpole memory {settings} --out {out}"));
    assert!(done.status.success(), "{}", done.error);
    for text in ["== cartpole ==", "== memory ==", "interquartile mean of scores", "rnn is ahead", "Over 2 tasks"] {
        assert!(done.output.contains(text), "{text} in\n{}", done.output);
    }
    let text = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
    assert_eq!(text("scores.csv").lines().count(), 1 + 2 * 2 * 2, "{}", text("scores.csv"));
    assert!(text("tasks.md").contains("![Performance profiles](profiles.svg)"), "{}", text("tasks.md"));
    let pictures = ["profiles.svg", "memory/learning-curves.svg"];
    let drawn = pictures.map(text);
    pictures.iter().for_each(|name| fs::remove_file(directory.path().join(name)).unwrap());
    let again = run(&format!("draw {out}"));
    assert!(again.status.success(), "{}", again.error);
    assert_eq!(pictures.map(text), drawn);
    let twice = run(&format!("compare cartpole cartpole {settings} --out {out}"));
    assert_eq!(twice.status.code(), Some(2), "{}", twice.error);
    assert!(twice.error.contains("cartpole: is named twice"), "{}", twice.error);
    // A report on the same runs says the same over all of them.
    let report = directory.path().join("report.html");
    let runs = ["cartpole/rnn-seed1", "cartpole/mlp-seed1", "memory/rnn-seed1", "memory/mlp-seed1"];
    let runs: Vec<String> = runs.iter().map(|run| format!("{out}/{run}")).collect();
    let page = run(&format!("report {} --out {}", runs.join(" "), report.display()));
    assert!(page.status.success(), "{}", page.error);
    let page = fs::read_to_string(report).unwrap();
    for text in ["Performance profiles", "Aggregates over all tasks", "data-series=\"rnn;mlp\""] {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn a_reproduction_under_a_budget_is_shortened_says_so_and_is_lengthened_by_a_larger_one() {
    let directory = tempfile::tempdir().unwrap();
    let (out, runs) = (directory.path().join("reproduction"), directory.path().join("runs"));
    // A budget of nothing: one update a run.
    let small = "--seeds 1 --jobs 2 --set task.steps=120 --set task.test_intervals=[1,5]";
    let line = format!("reproduce familiarity {small} --runs {} --out {}", runs.display(), out.display());
    let done = run(&format!("{line} --budget 0.000001"));
    assert!(done.status.success(), "{}", done.error);
    let report = fs::read_to_string(out.join("README.md")).unwrap();
    for text in ["1 updates in place of 3500", "Shortened", "task.steps=120", "hebbff", "Seed 1; ", "commit"] {
        assert!(report.contains(text), "{text} in\n{report}");
    }
    let plan = json(&out.join("familiarity-fixed-r3/plan.json"));
    assert_eq!((&plan["published_updates"], &plan["updates"]), (&3000.into(), &1.into()));
    assert!(out.join("familiarity-fresh-r6/curves.csv").exists());
    let again = run(&format!("{line} --budget 0.000001"));
    assert!(again.status.success() && again.error.contains("6 runs, 6 finished"), "{}", again.error);
    // Without the runs, tables and pictures are made again from the results.
    let pictures = ["learning-curves.svg", "energy.svg"].map(|name| out.join("familiarity-fresh-r6").join(name));
    let drawn = pictures.each_ref().map(|picture| fs::read(picture).ok());
    assert!(drawn[1].is_some(), "no picture");
    pictures.iter().for_each(|picture| drop(fs::remove_file(picture)));
    let redrawn = run(&format!("reproduce familiarity --redraw --out {}", out.display()));
    assert!(redrawn.status.success(), "{}", redrawn.error);
    assert_eq!(pictures.each_ref().map(|picture| fs::read(picture).ok()), drawn);
    assert_eq!(fs::read_to_string(out.join("README.md")).unwrap(), report);
    let wrong = run(&format!("{line} --only familiarity"));
    assert_eq!(wrong.status.code(), Some(2), "{}", wrong.error);
    assert!(wrong.error.contains("familiarity-fresh-r3"), "{}", wrong.error);
    let fewer = run(&format!("{line} --only familiarity-fresh-r6 --updates 2 --cells lstm,stpnf"));
    assert!(fewer.status.success() && fewer.error.contains("2 runs, 0 finished"), "{}", fewer.error);
    assert!(!fewer.error.contains("one fixed data set"), "{}", fewer.error);
    let report = fs::read_to_string(out.join("README.md")).unwrap();
    for text in ["2 updates in place of 3500", "**Not run**: stpn, stpn-scalar, stpnf-scalar, hebbff."] {
        assert!(report.contains(text), "{text} in\n{report}");
    }
}

#[test]
fn a_reproduction_was_given_up_if_one_run_diverged() {
    let directory = tempfile::tempdir().unwrap();
    let (out, runs) = (directory.path().join("reproduction"), directory.path().join("runs"));
    // At the second update, so large a learning rate makes parameters infinite.
    let rates = "optimizer.learning_rate={initial=1e-3,last=1e39,horizon=1}";
    let done = run(&format!(
        "reproduce familiarity --only familiarity-fresh-r6 --cells lstm,stpnf --seeds 1 --updates 3 --jobs 2 --set \
         task.steps=120 --set task.test_intervals=[1,5] --set {rates} --runs {} --out {}",
        runs.display(),
        out.display()
    ));
    assert!(done.status.success(), "{}", done.error);
    let report = fs::read_to_string(out.join("README.md")).unwrap();
    // In the order of the plan, whichever ended first.
    let both = "**Diverged**: lstm with seed 1 after 1 of 3 updates, stpnf with seed 1 after 1 of 3 updates";
    for text in [both, "its best state in validation"] {
        assert!(report.contains(text), "{text} in\n{report}");
    }
    let results = json(&out.join("familiarity-fresh-r6/comparison.json"));
    assert_eq!(results["runs"].as_array().unwrap().iter().filter(|run| run["diverged"] == true).count(), 2);
}

#[test]
fn a_search_continues_where_it_was_interrupted_and_names_the_best() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("tune");
    let search = |more: &str| {
        run(&format!(
            "tune cartpole --cell rnn --updates 9 --trials 4 --episodes 3 --threads 1 --out {}{more}",
            out.display()
        ))
    };
    let first = search("");
    assert!(first.status.success(), "{}", first.error);
    let found = json(&out.join("search.json"));
    assert_eq!(found["plan"]["rungs"].as_array().unwrap().len(), 2);
    let trials = found["trials"].as_array().unwrap();
    let whole: Vec<&Value> = trials.iter().filter(|trial| trial["scores"].as_array().unwrap().len() == 2).collect();
    assert_eq!((trials.len(), whole.len()), (4, 2));
    assert!(trials[0]["settings"].as_object().unwrap().is_empty(), "the experiment's own settings are tried too");
    let best = fs::read_to_string(out.join("best.toml")).unwrap();
    assert!(best.contains("updates = 9") && best.contains("seed = 1\n"), "{best}");

    // What is lost is made again: the second rung of a search of which only the first was written down.
    let mut shortened = found.clone();
    for trial in shortened["trials"].as_array_mut().unwrap() {
        trial["scores"].as_array_mut().unwrap().truncate(1);
    }
    fs::write(out.join("search.json"), shortened.to_string()).unwrap();
    fs::remove_file(out.join("best.toml")).unwrap();
    let again = search("");
    assert!(again.status.success(), "{}", again.error);
    assert_eq!(json(&out.join("search.json")), found);
    assert_eq!(fs::read_to_string(out.join("best.toml")).unwrap(), best);

    let other = search(" --seed 2");
    assert!(!other.status.success() && other.error.contains("another search, with seed 1, not 2"), "{}", other.error);
    let short = search("2 --minutes 0.0001");
    assert!(!short.status.success() && short.error.contains("too short for a search"), "{}", short.error);
}

#[test]
fn keys_that_a_search_or_comparison_gives_itself_were_refused_only_by_its_runs() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    for (line, remedy) in [
        ("compare cartpole --cells rnn --set training.threads=1", "--threads"),
        ("tune cartpole --trials 4 --set training.threads=1", "--threads"),
        ("tune cartpole --trials 4 --set training.updates=9", "--updates"),
    ] {
        let refused = run(&format!("{line} --out {}", out.display()));
        assert_eq!(refused.status.code(), Some(2), "{line}: {}", refused.error);
        assert!(refused.error.contains("error: training.") && refused.error.contains(remedy), "{}", refused.error);
    }
    let space = directory.path().join("space.toml");
    fs::write(&space, "[optimizer.learning_rate]\nlow = 1e-4\n").unwrap();
    let refused = run(&format!("tune cartpole --trials 4 --space {} --out {}", space.display(), out.display()));
    assert_eq!(refused.status.code(), Some(2), "{}", refused.error);
    assert!(refused.error.contains("space.toml"), "{}", refused.error);
}
