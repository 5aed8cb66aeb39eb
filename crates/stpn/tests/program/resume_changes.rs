//! `stpn resume` with changes: what changes, where it is recorded, and what is refused.

use std::fs;
use std::path::Path;

use crate::binary::{Finished, metrics, small, stpn};

fn train(updates: u64, settings: &str, run: &Path) {
    let line = format!("train maze-small --updates {updates} --set optimizer.learning_rate=1e-3{settings}");
    let done = stpn(&small(&line, run));
    assert!(done.status.success(), "{}", done.error);
}

fn resume(run: &Path, more: &str) -> Finished {
    let mut arguments = vec!["resume".to_string(), run.display().to_string()];
    arguments.extend(more.split_whitespace().map(String::from));
    stpn(&arguments)
}

fn newest(run: &Path) -> String {
    let name = fs::read_to_string(run.join("checkpoints/latest")).unwrap();
    fs::read_to_string(run.join("checkpoints").join(name.trim()).join("config.toml")).unwrap()
}

fn rates(run: &Path) -> Vec<f64> {
    metrics(run).iter().map(|line| line["charts/learning_rate"].as_f64().unwrap()).collect()
}

#[test]
fn edits_on_resume_vanished() {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("run");
    train(2, "", &run);
    let path = run.join("config.toml");
    let config = fs::read_to_string(&path).unwrap();
    let edited = config.replace("learning_rate = 0.001", "learning_rate = 0.0005");
    assert_ne!(config, edited);
    fs::write(&path, &edited).unwrap();
    let resumed = resume(&run, "--updates 3");
    assert!(resumed.status.success(), "{}", resumed.error);
    for said in ["optimizer.learning_rate = 0.0005 in place of 0.001", "config.toml.edited", "--set KEY=VALUE"] {
        assert!(resumed.error.contains(said), "no `{said}` in: {}", resumed.error);
    }
    assert_eq!(fs::read_to_string(run.join("config.toml.edited")).unwrap(), edited, "somebody's work is kept");
    assert_eq!(rates(&run), [0.001; 3], "the checkpoint's configuration holds");
    // Once said, it is said no more.
    let again = resume(&run, "--updates 4");
    assert!(again.status.success() && !again.error.contains("edited"), "{}", again.error);

    let changed = resume(&run, "--updates 5 --set optimizer.learning_rate=0.0005 --set log.histograms_every=9");
    assert!(changed.status.success(), "{}", changed.error);
    assert!(changed.error.contains("optimizer.learning_rate = 0.0005 in place of 0.001"), "{}", changed.error);
    assert_eq!(rates(&run)[3..], [0.001, 0.0005]);
    let (checkpoint, config) = (newest(&run), fs::read_to_string(&path).unwrap());
    assert!(checkpoint.contains("learning_rate = 0.0005") && checkpoint == config, "{checkpoint}");
    let record = fs::read_to_string(run.join("changes.jsonl")).unwrap();
    let last: serde_json::Value = serde_json::from_str(record.lines().last().unwrap()).unwrap();
    assert_eq!(last["update"], 4);
    let changes = last["changes"].as_array().unwrap();
    let of = |key: &str| changes.iter().find(|change| change["key"] == key).unwrap();
    assert_eq!(of("optimizer.learning_rate")["to"], 0.0005);
    assert_eq!(of("training.updates")["from"], 4);
    let events = fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().path());
    let events = events.filter(|path| path.to_string_lossy().contains("tfevents")).map(|path| fs::read(path).unwrap());
    let told = b"optimizer.learning_rate = 0.0005 in place of 0.001";
    assert!(events.into_iter().any(|events| events.windows(told.len()).any(|part| part == told)), "not in TensorBoard");
}

#[test]
fn a_change_was_lost_with_a_process_that_was_killed_before_its_next_checkpoint() {
    let directory = tempfile::tempdir().unwrap();
    let (whole, killed) = (directory.path().join("whole"), directory.path().join("killed"));
    for run in [&whole, &killed] {
        train(2, "", run);
        assert!(resume(run, "--updates 4 --set optimizer.learning_rate=0.0005").status.success());
    }
    // As if it had been killed between the two.
    fs::remove_dir_all(killed.join("checkpoints/update-00000004")).unwrap();
    fs::write(killed.join("checkpoints/latest"), "update-00000002\n").unwrap();
    let resumed = resume(&killed, "");
    assert!(resumed.status.success(), "{}", resumed.error);
    assert!(!resumed.error.contains("edited"), "nobody edited anything: {}", resumed.error);
    assert_eq!(rates(&killed), [0.001, 0.001, 0.0005, 0.0005]);
    assert_eq!(metrics(&whole), metrics(&killed));
    assert_eq!(newest(&whole), newest(&killed));
}

#[test]
fn what_a_run_cannot_change_is_refused_by_name_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("run");
    train(2, "", &run);
    let before = newest(&run);
    for (setting, said) in [
        ("env.size=7", "env.size"),
        ("seed=5", "seed"),
        ("policy.hidden=9", "policy.hidden"),
        ("policy.cell.clamp=0.5", "policy.cell.clamp"),
        ("rollout.environments=3", "rollout.environments"),
        ("algorithm.name=ppo", "algorithm"),
        ("algorithm.gamma=0.5", "algorithm.gamma"),
        ("normalization.rewards=true", "normalization.rewards"),
        ("training.warmup_updates=1", "training.warmup_updates"),
        ("optimizer.learning_rate=fast", "optimizer.learning_rate"),
        ("optimizer.learning_rat=1", "learning_rat"),
    ] {
        let refused = resume(&run, &format!("--updates 3 --set {setting}"));
        assert_eq!(refused.status.code(), Some(2), "{setting}: {}", refused.error);
        assert!(refused.error.contains(said), "{setting}: {}", refused.error);
    }
    let refused = resume(&run, "--set policy.hidden=9");
    assert!(refused.error.contains("parameters are of that network"), "{}", refused.error);
    assert_eq!(newest(&run), before);
    assert!(!run.join("changes.jsonl").exists());
    for setting in [
        "rollout.steps=50",
        "rollout.sequence_length=5",
        "algorithm.value_coefficient=0.5",
        "algorithm.entropy_coefficient={initial=0.1,last=0.0}",
        "optimizer.max_grad_norm=none",
        "evaluation.every=1",
        "checkpoint.every=1",
        "log.every=2",
    ] {
        let done = metrics(&run).last().unwrap()["update"].as_u64().unwrap();
        let changed = resume(&run, &format!("--updates {} --set {setting}", done + 1));
        assert!(changed.status.success(), "{setting}: {}", changed.error);
        assert!(changed.error.contains("from here on: "), "{setting}: {}", changed.error);
    }
    assert!(metrics(&run).last().unwrap().contains_key("eval/episodic_return"));
}

#[test]
fn fewer_updates_on_resume_changed_the_run() {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("run");
    train(3, "", &run);
    let files = || ["config.toml", "metrics.jsonl"].map(|name| fs::read(run.join(name)).unwrap());
    let before = files();
    let resumed = resume(&run, "--updates 2");
    assert!(resumed.status.success(), "{}", resumed.error);
    assert!(resumed.output.contains("has done 3 updates") && resumed.output.contains("nothing is changed"));
    assert!(files() == before && !run.join("changes.jsonl").exists());
    assert!(newest(&run).contains("updates = 3"));
}

#[test]
fn the_advice_of_exit_code_4_did_not_work() {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("run");
    // So large that the first step itself is not finite: the state before it is sound.
    let failed = stpn(&small("train maze-small --updates 4 --set optimizer.learning_rate=1e39", &run));
    assert_eq!(failed.status.code(), Some(4), "{}", failed.error);
    assert!(failed.error.contains("stpn resume RUN --set optimizer.learning_rate="), "{}", failed.error);
    let resumed = resume(&run, "--set optimizer.learning_rate=0.001");
    assert!(resumed.status.success(), "{}", resumed.error);
    assert_eq!(rates(&run), [0.001; 4]);
}

#[test]
fn a_longer_run_says_which_schedules_end_later() {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("run");
    train(2, " --set algorithm.entropy_coefficient={initial=0.1,last=0.0}", &run);
    let resumed = resume(&run, "--updates 4");
    assert!(resumed.status.success(), "{}", resumed.error);
    assert!(
        resumed.error.contains("recomputed for the new end of the run: algorithm.entropy_coefficient"),
        "{}",
        resumed.error
    );
}

#[test]
fn a_run_that_has_reached_its_return_says_so_and_can_aim_higher() {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("run");
    let mut line: Vec<String> =
        ["train", "cartpole", "--cell", "rnn", "--updates", "60", "--run-dir"].into_iter().map(String::from).collect();
    line.push(run.display().to_string());
    line.extend(
        ["rollout.environments=4", "rollout.steps=32", "training.target_return=5.0"]
            .iter()
            .flat_map(|change| ["--set".to_string(), (*change).to_string()]),
    );
    let trained = stpn(&line);
    assert!(trained.status.success(), "{}", trained.error);
    assert!(trained.error.contains("ended before its 60 updates"), "{}", trained.error);
    assert_eq!(metrics(&run).len(), 50, "as many updates as the mean is of");

    let again = resume(&run, "");
    assert!(again.status.success() && again.error.contains("training.target_return = 5 is reached"), "{}", again.error);
    let higher = resume(&run, "--set training.target_return=400.0");
    assert!(higher.status.success(), "{}", higher.error);
    assert_eq!(metrics(&run).len(), 60);
    assert!(!higher.error.contains("ended before"), "{}", higher.error);
}
