//! The real binary: what it prints, what it refuses, and its exit codes.

use crate::binary::{small, stpn};

#[test]
fn train_eval_and_list_work_on_one_another() {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("run");
    let trained = stpn(&small("train maze-small --updates 3", &run));
    assert!(trained.status.success(), "{}", trained.error);
    assert!(trained.output.contains("updates       3"), "{}", trained.output);
    for name in ["config.toml", "metrics.jsonl", "checkpoints/latest", "checkpoints/update-00000003/manifest.json"] {
        assert!(run.join(name).exists(), "{name}");
    }
    assert_eq!(std::fs::read_to_string(run.join("metrics.jsonl")).unwrap().lines().count(), 3);

    let run = run.to_str().unwrap();
    let evaluated = stpn(&["eval", run, "--episodes", "20", "--json"].map(String::from));
    assert!(evaluated.status.success(), "{}", evaluated.error);
    let json: serde_json::Value = serde_json::from_str(&evaluated.output).unwrap();
    assert_eq!(json["episodes"], 20);
    assert_eq!(json["mean_length"], 100.0);
    assert!(json["std_return"].as_f64().unwrap() >= 0.0 && json["energy_per_unit_step"].as_f64().unwrap() > 0.0);
    assert_eq!(json["ci95"].as_array().unwrap().len(), 2);
    let share = json["mean_return"].as_f64().unwrap() / json["oracle_share"].as_f64().unwrap();
    assert!(json["mean_return"] == 0.0 || (share - 209.29).abs() < 0.01, "{json}");
    let again = stpn(&["eval", run, "--episodes", "20", "--json", "--threads", "1"].map(String::from));
    assert_eq!(again.output, evaluated.output, "the same seed gives the same episodes");

    let listed = stpn(&["list".to_string()]);
    for text in ["maze-small", "12,215", "backpropamine", "Discrete(4)"] {
        assert!(listed.output.contains(text), "{text} in\n{}", listed.output);
    }
}

#[test]
fn supervised_tasks_train_resume_and_are_tested() {
    let directory = tempfile::tempdir().unwrap();
    for (preset, settings, generalizes) in [
        ("art", "--set task.training_sequences=1000 --set task.validation_sequences=200", false),
        ("familiarity", "--set task.steps=200 --set task.validate_every=3 --set task.test_intervals=[1,5]", true),
    ] {
        let run = directory.path().join(preset);
        let line = format!("train {preset} --cell rnn --hidden 5 --updates 3 {settings} --run-dir {}", run.display());
        let trained = stpn(&line.split(' ').map(String::from).collect::<Vec<_>>());
        assert!(trained.status.success(), "{}", trained.error);
        assert!(trained.output.contains("test accuracy"), "{}", trained.output);
        assert!(trained.error.contains("epoch 3/3") && trained.error.contains("accuracy"), "{}", trained.error);

        let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
        let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!((&last["update"], &last["epoch"]), (&3.into(), &3.into()));
        for name in ["charts/validation_accuracy", "losses/training_loss", "charts/energy"] {
            assert!(last[name].is_f64(), "{name} in {last}");
        }
        let report = std::fs::read_to_string(run.join("test.json")).unwrap();
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        assert!(report["accuracy"].is_f64() && report["energy_per_step"].as_f64().unwrap() > 0.0, "{report}");
        assert_eq!(report["generalization"].is_array(), generalizes, "{report}");

        let run = run.to_str().unwrap();
        let evaluated = stpn(&["eval", run, "--json"].map(String::from));
        assert!(evaluated.status.success(), "{}", evaluated.error);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&evaluated.output).unwrap(), report);
        let other = stpn(&["eval", run, "--json", "--seed", "77"].map(String::from));
        assert_ne!(other.output, evaluated.output, "another seed makes other test data");
        let resumed = stpn(&["resume", run, "--updates", "5"].map(String::from));
        assert!(resumed.status.success() && resumed.output.contains("updates       5"), "{}", resumed.error);
        assert_eq!(stpn(&["eval", run, "--random"].map(String::from)).status.code(), Some(2));
    }
}

#[test]
fn wrong_command_lines_name_the_key_and_what_is_allowed() {
    let directory = tempfile::tempdir().unwrap();
    let cases = [
        ("train labyrinth", "maze-small"),
        ("train maze-small --cell transformer", "lstm"),
        ("train maze-small --set env.size=8", "env.size = 8"),
        ("train maze-small --set env.sise=9", "`size`"),
        ("train maze-small --set algorithm.gamma=2", "algorithm.gamma"),
        ("train maze-small --set algorithm.gama=0.5", "`gamma`"),
        ("train maze-small --set rollout.steps=many", "rollout.steps"),
        ("train maze-small --set optimizer.learning_rate=-1", "optimizer.learning_rate"),
        ("train maze-small --set log.energy_skip_inputs=[99]", "log.energy_skip_inputs"),
        ("train maze-small --kernel quantum", "policy.kernel"),
        ("train gym FrozenLake-v1 --env-kwargs {\"map_name\":null}", "env.kwargs.map_name: null"),
        ("train maze-small --hidden 0", "policy.hidden"),
        ("train maze-small --set gamma", "section.key=value"),
        ("train absent.toml", "absent.toml"),
        ("train art --set task.batch=5", "batch_size"),
        ("train art --set task.batch_size=0", "task.batch_size"),
        ("train art --set task.patience=0", "task.patience"),
        ("train art --set env.name=maze", "excludes `env`"),
        ("train art --steps 100", "--updates"),
        ("train art --set training.warmup_updates=1", "training.warmup_updates"),
        ("train familiarity --set task.interval=6000", "task.steps"),
        ("train familiarity --set task.data=stale", "\"fresh\""),
    ];
    for (line, expected) in cases {
        let run = directory.path().join("refused");
        let mut arguments: Vec<String> = line.split(' ').map(String::from).collect();
        arguments.extend(["--run-dir".into(), run.display().to_string()]);
        let refused = stpn(&arguments);
        assert!(!refused.status.success(), "{line}");
        assert!(refused.error.contains(expected), "{line}: {}", refused.error);
        let code = if line.contains("absent") { 1 } else { 2 };
        assert_eq!(refused.status.code(), Some(code), "{line}: {}", refused.error);
    }
}

#[test]
fn a_hundred_million_units_aborted_in_the_allocator() {
    let directory = tempfile::tempdir().unwrap();
    for (line, key) in [
        ("train maze-small --hidden 100000000", "policy.hidden"),
        ("train art --hidden 100000000", "policy.hidden"),
        ("train maze-small --hidden 99999999999999", "policy.hidden"),
        ("train maze-small --threads 100000", "training.threads"),
        ("train maze-small --set training.threads=100000", "training.threads"),
        ("train maze-small --set rollout.environments=1000000000", "rollout.environments"),
        ("train maze-small --set rollout.environments=9000000000000000000", "rollout.environments"),
        ("train maze-small --set rollout.steps=2000000000", "rollout.steps"),
        ("train cartpole --set rollout.steps=2000000000", "rollout.steps"),
        ("train maze-small --set policy.encoder={name='mlp',sizes=[2000000,2000000]}", "policy.encoder.sizes"),
        ("train maze-small --set evaluation.episodes=1000000000000", "evaluation.episodes"),
        ("train art --set task.training_sequences=1000000000000", "task.training_sequences"),
        ("train familiarity --set task.steps=2000000000", "task.steps"),
        ("train familiarity --set task.dimension=2000000000", "task.dimension"),
    ] {
        let run = directory.path().join("refused").display().to_string();
        let mut arguments: Vec<String> = line.split(' ').map(String::from).collect();
        arguments.extend(["--run-dir".into(), run]);
        let refused = stpn(&arguments);
        assert_eq!(refused.status.code(), Some(2), "{line}: {}", refused.error);
        assert!(refused.error.contains(key), "{line}: {}", refused.error);
    }
    for (line, text) in [
        ("compare maze-small --jobs 100000", "100000"),
        ("compare maze-small --threads 100000", "100000"),
        ("compare maze-small --seeds 1000000000000", "10000"),
        ("compare maze-small --cells rnn --set policy.hidden=100000000", "policy.hidden"),
    ] {
        let out = directory.path().join("comparison").display().to_string();
        let refused = stpn(&line.split(' ').chain(["--out", &out]).map(String::from).collect::<Vec<_>>());
        assert_eq!(refused.status.code(), Some(2), "{line}: {}", refused.error);
        assert!(refused.error.contains(text), "{line}: {}", refused.error);
    }
}

#[test]
fn a_run_directory_in_use_is_not_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("metrics.jsonl"), "precious").unwrap();
    let refused = stpn(&small("train maze-small --updates 1", directory.path()));
    assert_eq!(refused.status.code(), Some(3));
    assert!(refused.error.contains("stpn resume"), "{}", refused.error);
    let missing = stpn(&["resume".into(), directory.path().join("nothing").display().to_string()]);
    assert_eq!(missing.status.code(), Some(3));
    assert!(missing.error.contains("nothing"), "{}", missing.error);
}

#[cfg(unix)]
#[test]
fn interrupting_finishes_the_update_and_says_how_to_resume() {
    use std::process::{Command, Stdio};
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("run");
    let mut child = Command::new(env!("CARGO_BIN_EXE_stpn"))
        .args(small("train maze-small --updates 1000000", &run))
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let metrics = run.join("metrics.jsonl");
    let lines = || std::fs::read_to_string(&metrics).map_or(0, |text| text.lines().count());
    while lines() < 2 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let mut error = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut error).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{error}");
    assert!(error.contains(&format!("stpn resume {}", run.display())), "{error}");
    let done = lines();
    let resumed = stpn(&["resume", run.to_str().unwrap(), "--updates", &(done + 2).to_string()].map(String::from));
    assert!(resumed.status.success(), "{}", resumed.error);
    assert_eq!(lines(), done + 2);
}

#[test]
fn numbers_that_stop_being_finite_stop_the_run_after_a_checkpoint_of_the_last_good_state() {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("run");
    let failed = stpn(&small("train maze-small --updates 50 --set optimizer.learning_rate=1e38", &run));
    assert_eq!(failed.status.code(), Some(4), "{}", failed.error);
    assert!(
        failed.error.contains("not finite at update") && failed.error.contains("learning_rate"),
        "{}",
        failed.error
    );
    let lines = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap().lines().count();
    assert!(run.join(format!("checkpoints/update-{lines:08}")).is_dir(), "no checkpoint after update {lines}");
    let evaluated = stpn(&["eval", run.to_str().unwrap(), "--episodes", "5"].map(String::from));
    assert!(evaluated.status.success(), "{}", evaluated.error);
}

#[test]
fn the_doctor_runs_every_environment() {
    let report = stpn(&["doctor".to_string()]);
    assert!(report.status.success(), "{}{}", report.output, report.error);
    for text in ["stpn 0.1.0", "maze", "cartpole-masked", "memory", "Discrete(4)"] {
        assert!(report.output.contains(text), "{text} in\n{}", report.output);
    }
    for (feature, built) in stpn_envs::native::FEATURES {
        let absent = report.output.lines().any(|line| line.contains("not in this build") && line.contains(feature));
        assert_eq!(absent, !built, "{feature} in\n{}", report.output);
    }
    assert_eq!(report.output.matches(" ok\n").count(), stpn_envs::registry::ENVIRONMENTS.len());
}

#[test]
fn the_doctor_looks_into_untrained_policies() {
    let doctor = |line: &str| stpn(&line.split(' ').map(String::from).collect::<Vec<_>>());
    let report = doctor("doctor --policy maze-small --cell stpn,lstm --steps 20");
    assert!(report.status.success(), "{}", report.error);
    for text in
        ["deviation between states", "320 states", "policy head", "value head", "stpn: entropy", "lstm: entropy"]
    {
        assert!(report.output.contains(text), "{text} in\n{}", report.output);
    }
    let json = doctor("doctor --policy cartpole-masked --steps 20 --json");
    let json: serde_json::Value = serde_json::from_str(&json.output).unwrap();
    let cell = &json["cells"][0];
    assert_eq!((&cell["cell"], &cell["layers"][1]["layer"]), (&"stpn".into(), &"cell".into()), "{json}");
    assert!(cell["layers"][1]["deviation"].as_f64().unwrap() > 0.0 && cell["flat"] == serde_json::json!([]), "{json}");
    let refused = doctor("doctor --policy art");
    assert_eq!(refused.status.code(), Some(2), "{}", refused.error);
    assert!(refused.error.contains("is a supervised task"), "{}", refused.error);
    assert_eq!(doctor("doctor --json").status.code(), Some(2));
}

#[test]
fn check_env_tells_which_rules_are_kept() {
    let check = |line: &str| stpn(&line.split(' ').map(String::from).collect::<Vec<_>>());
    let kept = check("check-env maze --set env.size=9 --set env.episode_length=30");
    assert!(kept.status.success(), "{}{}", kept.output, kept.error);
    assert!(kept.output.starts_with("maze: 14 of 14 checks passed"), "{}", kept.output);
    let endless = check("check-env cartpole --steps 2");
    assert_eq!(endless.status.code(), Some(1));
    assert!(endless.output.contains("no episode ended within 2 steps"), "{}", endless.output);
    for (line, problem) in [
        ("check-env labyrinth", "`labyrinth`"),
        ("check-env maze --set env.sise=9", "`size`"),
        ("check-env maze --set policy.hidden=9", "policy: there is no such key"),
        ("check-env maze --set env.size=4", "env.size = 4"),
    ] {
        let refused = check(line);
        assert_eq!(refused.status.code(), Some(2), "{line}: {}", refused.error);
        assert!(refused.error.contains(problem), "{line}: {}", refused.error);
    }
}

#[test]
fn every_command_is_completed_by_every_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = stpn(&["completions", shell].map(String::from));
        assert!(script.status.success(), "{shell}: {}", script.error);
        for word in ["train", "resume", "check-env", "reproduce", "doctor", "episode-seed"] {
            assert!(script.output.contains(word), "{word} by {shell}");
        }
    }
}

#[test]
fn a_slow_reader_lost_the_end_of_the_schema() {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_stpn"))
        .args(["config", "--schema"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // More than a pipe holds, and later than the program waits for what it says beside its work.
    std::thread::sleep(std::time::Duration::from_secs(2));
    let mut text = String::new();
    std::io::Read::read_to_string(&mut child.stdout.take().unwrap(), &mut text).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok_and(|schema| schema.is_object()), "{}", text.len());
}

#[test]
fn what_is_refused_was_blamed_on_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("mine.toml");
    std::fs::write(&file, "env = 'cartpole'\nalgorithm = 'ppo'\n[policy]\ncell = 'stpn'\nhidden = 4\n").unwrap();
    let train = |options: &[&str]| {
        let words = ["train", file.to_str().unwrap()].into_iter().chain(options.iter().copied());
        stpn(&words.map(String::from).collect::<Vec<_>>())
    };
    let refused = train(&["--kernel", "fast"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(refused.error.starts_with("error: --kernel fast: "), "{}", refused.error);
    // Nothing is said of keys that are dropped before the new name is known.
    let refused = train(&["--set", "algorithm.epochs=3", "--set", "algorithm.name=sac"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(refused.error.starts_with("error: --set algorithm.name=sac: "), "{}", refused.error);
    let twice = stpn(&["compare", "art", "--cells", "stpn,stpn"].map(String::from));
    assert_eq!(twice.status.code(), Some(2));
    assert!(twice.error.contains("stpn is named twice"), "{}", twice.error);
    let redrawn = stpn(&["reproduce", "art", "--redraw", "--seeds", "2"].map(String::from));
    assert_eq!(redrawn.status.code(), Some(2), "{}", redrawn.error);
}

#[test]
fn options_that_a_benchmark_does_not_have_were_ignored() {
    for (line, option) in [
        ("bench kernels --soak 10", "--soak"),
        ("bench --environments 3", "--environments"),
        ("bench exchange --case maze", "--case"),
        ("bench --instructions portable", "--instructions"),
        ("bench envs --warmup 3", "--warmup"),
        ("bench kernels --device cuda", "--device"),
        ("bench exchange --threads 2", "--threads"),
        ("bench envs --soak 10 --json", "--json"),
        ("bench kernels --instructions mmx", "this processor has portable"),
        ("bench envs --environments 0", "--environments"),
    ] {
        let refused = stpn(&line.split(' ').map(String::from).collect::<Vec<_>>());
        assert_eq!(refused.status.code(), Some(2), "{line}: {}", refused.error);
        assert!(refused.error.contains(option), "{line}: {}", refused.error);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_stpn"))
        .arg("list")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
    assert_eq!(ended.status.code(), Some(141));
}

#[test]
fn games_that_were_missing_took_all_environments_and_cells_with_them() {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_stpn"));
    let listed = crate::binary::finished(command.arg("list").env("ALE_ROMS_DIR", "/nonexistent"));
    assert!(listed.status.success(), "{}", listed.error);
    for name in ["atari", "cartpole", "mountain-car", "Cells (", "hebbff"] {
        assert!(listed.output.contains(name), "{name}: {}", listed.output);
    }
}

#[test]
fn a_folder_of_a_run_that_could_not_begin_stayed() {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("run");
    let refused = stpn(&small("train cartpole --updates 1 --set rollout.noise_correlation=0.5", &run));
    assert_eq!(refused.status.code(), Some(2), "{}", refused.error);
    assert!(!run.exists());
    // One that was there stays.
    std::fs::create_dir(&run).unwrap();
    stpn(&small("train cartpole --updates 1 --set rollout.noise_correlation=0.5", &run));
    assert!(run.exists());
}

#[test]
fn commands_that_are_shown_to_be_copied_broke_at_spaces() {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("my run");
    let done = stpn(&small("train maze-small --updates 1", &run));
    assert!(done.status.success(), "{}", done.error);
    assert!(done.error.contains(&format!("stpn play '{}'", run.display())), "{}", done.error);
    let again = stpn(&small("train maze-small --updates 1", &run));
    assert!(again.error.contains(&format!("`stpn resume '{}'`", run.display())), "{}", again.error);
}

#[test]
fn a_run_that_was_over_before_it_learned_said_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let train = |warmup: u64| {
        let line = format!("train cartpole --updates 3 --set training.warmup_updates={warmup}");
        stpn(&small(&line, &directory.path().join(warmup.to_string()))).error
    };
    let said = "training.warmup_updates is 3 of 3 updates";
    assert!(train(3).contains(said));
    assert!(!train(2).contains("training.warmup_updates"));
}

#[test]
fn a_configuration_that_training_refuses_was_printed_and_examined() {
    for command in ["config", "doctor --policy"] {
        let line = format!("{command} cartpole --set rollout.noise_correlation=0.5");
        let refused = stpn(&line.split(' ').map(String::from).collect::<Vec<_>>());
        assert_eq!(refused.status.code(), Some(2), "{line}: {}", refused.error);
        assert!(refused.error.contains("rollout.noise_correlation"), "{line}: {}", refused.error);
    }
}

#[test]
fn options_without_an_effect_were_accepted() {
    let directory = tempfile::tempdir().unwrap();
    let (agent, art) = (directory.path().join("agent"), directory.path().join("art"));
    let run = |line: &str| stpn(&line.split(' ').map(str::to_string).collect::<Vec<_>>());
    let small = "--set task.training_sequences=128 --set task.validation_sequences=50 --set task.test_sequences=50";
    for line in [
        format!("train cartpole --updates 1 --run-dir {}", agent.display()),
        format!("train art --updates 1 {small} --run-dir {}", art.display()),
    ] {
        let trained = run(&line);
        assert!(trained.status.success(), "{line}: {}", trained.error);
    }
    for (line, text) in [
        (format!("resume {} --updates 2 --set training.updates=3", agent.display()), "training.updates is given twice"),
        (format!("eval {} --episodes 5", art.display()), "--episodes"),
        ("bench kernels --repeats 0".to_string(), "--repeats"),
        ("explain name".to_string(), "policy.cell.name"),
        (
            format!("tune familiarity --trials 3 --updates 9 --out {}", art.join("tune").display()),
            "validation comes after",
        ),
    ] {
        let refused = run(&line);
        assert!(!refused.status.success() && refused.error.contains(text), "{line}: {}", refused.error);
    }
}
