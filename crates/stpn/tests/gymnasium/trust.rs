//! Loading executes nothing.

use std::path::Path;

use crate::binary::stpn;
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
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_stpn"));
        crate::binary::finished(command.current_dir(folder.path()).args(words(line, more)))
    };
    let trained = inside(&format!("train {config} --updates 2 --run-dir"), &[&run]);
    assert!(trained.status.success() && trace.exists(), "{}", trained.error);
    std::fs::remove_file(&trace).unwrap();
    let refused = inside("eval --episodes 2", &[&run]);
    assert!(!refused.status.success() && !trace.exists(), "{}", refused.output);
    assert!(refused.error.contains("`import evil`"), "{}", refused.error);
}
