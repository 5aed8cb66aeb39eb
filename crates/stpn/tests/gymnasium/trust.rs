//! Loading executes nothing.

use std::path::Path;
use std::process::Command;

use crate::binary::{Finished, finished, stpn};
use crate::{ENVIRONMENTS, configure, words};

/// A file that leaves a trace where it is imported, beside the environments that it passes on.
fn evil(folder: &Path) -> std::path::PathBuf {
    let trace = folder.join("trace");
    std::fs::copy(ENVIRONMENTS, folder.join("environments.py")).unwrap();
    let text =
        format!("open({:?}, 'a').write('run')\nfrom environments import Maze as make\n", trace.to_string_lossy());
    std::fs::write(folder.join("evil.py"), text).unwrap();
    trace
}

#[test]
#[ignore = "needs Python with Gymnasium"]
fn a_strangers_checkpoint_runs_none_of_its_code() {
    let folder = tempfile::tempdir().unwrap();
    let (trace, run) = (evil(folder.path()), folder.path().join("run"));
    let config = configure(folder.path(), &format!("make = '{}/evil.py:make'", folder.path().display()));
    let trained = stpn(&words(&format!("train {config} --updates 2 --run-dir"), &[&run]));
    assert!(trained.status.success() && trace.exists(), "{}", trained.error);

    let page = folder.path().join("report.html");
    for (line, paths) in [
        ("eval --episodes 2", vec![&run]),
        ("play", vec![&run]),
        ("resume --updates 4", vec![&run]),
        ("report --out", vec![&page, &run]),
    ] {
        std::fs::remove_file(&trace).ok();
        let paths: Vec<&Path> = paths.into_iter().map(AsRef::as_ref).collect();
        let refused = stpn(&words(line, &paths));
        let said = format!("{}{}", refused.output, refused.error);
        assert!(!trace.exists(), "`{line}` ran it: {said}");
        assert!(said.contains("evil.py:make") && said.contains("--trust-env-code"), "`{line}`: {said}");
        let trusted = stpn(&words(&format!("--trust-env-code {line}"), &paths));
        assert!(trusted.status.success() && trace.exists(), "`{line}`: {}", trusted.error);
    }
}

#[test]
#[ignore = "needs Python with Gymnasium"]
fn a_module_beside_the_program_is_no_package() {
    let folder = tempfile::tempdir().unwrap();
    let (trace, run) = (evil(folder.path()), folder.path().join("run"));
    let config = configure(folder.path(), "id = 'CartPole-v1', import = ['evil']");
    let inside = |line: &str, more: &[&Path]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stpn"));
        finished(command.current_dir(folder.path()).args(words(line, more)))
    };
    let trained = inside(&format!("train {config} --updates 2 --run-dir"), &[&run]);
    assert!(trained.status.success() && trace.exists(), "{}", trained.error);
    std::fs::remove_file(&trace).unwrap();
    let refused = inside("eval --episodes 2", &[&run]);
    assert!(!refused.status.success() && !trace.exists(), "{}", refused.output);
    assert!(refused.error.contains("`import evil`"), "{}", refused.error);
}

#[test]
#[ignore = "needs Python with Gymnasium"]
fn the_same_code_named_again_is_leave_to_run_it() {
    let folder = tempfile::tempdir().unwrap();
    let (trace, run) = (evil(folder.path()), folder.path().join("run"));
    let inside = |line: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stpn"));
        finished(command.current_dir(folder.path()).args(words(line, &[&run])))
    };
    let small = "--updates 1 --set rollout.environments=4 --set rollout.steps=8 --set algorithm.minibatch_size=32";
    let trained = inside(&format!("train gym --env-make evil.py:make --env-import environments {small} --run-dir"));
    assert!(trained.status.success(), "{}", trained.error);
    for (named, runs) in [
        ("--env-make evil.py:make --env-import environments", true),
        ("--env-make environments.py:Maze --env-import environments", false),
        ("--env-make evil.py:make", false),
        ("--env-import environments", false),
    ] {
        std::fs::remove_file(&trace).ok();
        let done = inside(&format!("eval --episodes 2 {named}"));
        let all_named = named.contains("evil.py:make") && named.contains("--env-import");
        assert_eq!((done.status.success(), trace.exists()), (runs, all_named), "`{named}`: {}", done.error);
    }
}

/// `stpn` of a user who has that key, with that folder of Python's among others.
fn by(user: &Path, modules: Option<&Path>, arguments: &[String]) -> Finished {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stpn"));
    command.env("XDG_STATE_HOME", user).args(arguments);
    if let Some(folder) = modules {
        command.env("PYTHONPATH", folder);
    }
    finished(&mut command)
}

#[test]
#[ignore = "needs Python with Gymnasium"]
fn a_pickle_in_a_strangers_checkpoint_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let (stranger, user, modules, trace, run) =
        (place("stranger"), place("user"), place("modules"), place("trace"), place("run"));
    std::fs::create_dir(&modules).unwrap();
    // There CartPole pickles to what leaves a trace where it is read, and is CartPole all the same.
    let text = format!(
        "from gymnasium.envs.classic_control.cartpole import CartPoleEnv\n\
         code = '''(open({:?}, 'a').write('run'), __import__('gymnasium').make('CartPole-v1').unwrapped)[1]'''\n\
         CartPoleEnv.__reduce__ = lambda self: (eval, (code,), self.__dict__)\n",
        trace.to_string_lossy()
    );
    std::fs::write(modules.join("sitecustomize.py"), text).unwrap();
    let config = configure(folder.path(), "id = 'CartPole-v1'");
    let trained = by(&stranger, Some(&modules), &words(&format!("train {config} --updates 2 --run-dir"), &[&run]));
    assert!(trained.status.success() && trace.exists(), "{}", trained.error);

    let page = place("report.html");
    for (line, paths) in [("eval --episodes 2", vec![&run]), ("play", vec![&run]), ("report --out", vec![&page, &run])]
    {
        std::fs::remove_file(&trace).ok();
        let paths: Vec<&Path> = paths.into_iter().map(AsRef::as_ref).collect();
        let done = by(&user, None, &words(line, &paths));
        assert!(done.status.success() && !trace.exists(), "`{line}`: {}", done.error);
    }
    for line in ["resume --updates 4".to_string(), format!("train {config} --updates 4 --or-resume --run-dir")] {
        let refused = by(&user, None, &words(&line, &[&run]));
        assert!(!trace.exists(), "`{line}` ran it");
        assert_eq!(refused.status.code(), Some(2), "`{line}`: {}", refused.error);
        assert!(refused.error.contains("pickle") && refused.error.contains("--trust-env-code"), "{}", refused.error);
    }
    // Leave is what it takes, and it does what is warned of.
    let trusted = by(&user, None, &words("--trust-env-code resume --updates 3", &[&run]));
    assert!(trusted.status.success() && trace.exists(), "{}", trusted.error);
    // What was written since then is the user's own.
    let resumed = by(&user, None, &words("resume --updates 4", &[&run]));
    assert!(resumed.status.success(), "{}", resumed.error);
}

#[test]
#[ignore = "needs Python with Gymnasium"]
fn a_comparison_left_its_python_and_the_users_code_to_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("comparison");
    let config = configure(folder.path(), &format!("make = '{ENVIRONMENTS}:Maze'"));
    // The variable would reach the runs by itself; the option has to.
    let python = std::env::var("STPN_PYTHON").unwrap();
    let compare = |updates: &str| {
        let line =
            format!("--python {python} compare {config} --cells stpn --seeds 1 --episodes 2 --updates {updates}");
        let mut command = Command::new(env!("CARGO_BIN_EXE_stpn"));
        let out = words(&format!("{line} --out"), &[&out]);
        finished(command.env("STPN_PYTHON", folder.path().join("no-python")).args(out))
    };
    let compared = compare("2");
    assert!(compared.status.success(), "{}", compared.error);
    let table = std::fs::read_to_string(out.join("comparison.md")).unwrap();
    assert!(table.contains("stpn"), "{table}");
}
