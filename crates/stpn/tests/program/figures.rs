//! The published figures: drawn from the data beside them, and light enough to be a part of every clone.

use std::fs;
use std::path::{Path, PathBuf};

use crate::binary::stpn;

/// What agents and pictures may weigh together.
const LIMIT: u64 = 10_000_000;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn ends_with(path: &Path, endings: &[&str]) -> bool {
    path.extension().is_some_and(|extension| endings.iter().any(|ending| extension == *ending))
}

/// Draws `source` again and returns the pictures.
fn drawn(source: &Path) -> Vec<PathBuf> {
    let done = stpn(&["draw".to_string(), source.display().to_string()]);
    assert!(done.status.success(), "{}: {}", source.display(), done.error);
    done.output.lines().map(PathBuf::from).collect()
}

#[test]
fn published_figures_were_not_those_of_their_data() {
    let scratch = tempfile::tempdir().unwrap();
    let published = ["docs", "reproduction"].map(|folder| files(&repository().join(folder))).concat();
    let mut compared = 0;
    for data in published.iter().filter(|path| ends_with(path, &["json"])) {
        let (folder, name) = (data.parent().unwrap(), data.file_name().unwrap());
        let copy = scratch.path().join(compared.to_string());
        fs::create_dir(&copy).unwrap();
        let pictures = if name == "comparison.json" {
            for file in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if ends_with(&file, &["json", "csv"]) {
                    fs::copy(&file, copy.join(file.file_name().unwrap())).unwrap();
                }
            }
            drawn(&copy)
        } else if fs::read_to_string(data).unwrap().contains("\"series\"") {
            fs::copy(data, copy.join(name)).unwrap();
            drawn(&copy.join(name))
        } else {
            fs::remove_dir(&copy).unwrap();
            continue;
        };
        for picture in pictures {
            let there = folder.join(picture.file_name().unwrap());
            let same = fs::read(&there).ok() == fs::read(&picture).ok();
            assert!(same, "{} is not what its data give: python3 scripts/figures.py", there.display());
            compared += 1;
        }
    }
    assert!(compared > 8, "{compared} figures");
}

#[test]
fn a_table_is_made_again_from_the_runs_beside_it() {
    let scratch = tempfile::tempdir().unwrap();
    let published = repository().join("docs/comparisons/hopper");
    for name in ["comparison.json", "curves.csv"] {
        fs::copy(published.join(name), scratch.path().join(name)).unwrap();
    }
    let tables = |source: &Path| stpn(&["draw".into(), "--tables".into(), source.display().to_string()]);
    let done = tables(scratch.path());
    assert!(done.status.success(), "{}", done.error);
    for name in ["comparison.md", "scores.csv", "comparison.json", "curves.csv"] {
        let [again, before] = [scratch.path(), &published].map(|folder| fs::read_to_string(folder.join(name)).unwrap());
        assert!(again == before, "{name}: {again}");
    }
    let refused = tables(&repository().join("docs/maze-small.json"));
    assert!(!refused.status.success() && refused.error.contains("leave out --tables"), "{}", refused.error);
}

#[test]
fn agents_and_pictures_are_a_small_part_of_a_clone() {
    let root = repository();
    let recorded = ["docs", "reproduction"].map(|folder| files(&root.join(folder))).concat();
    let runs = root.join("reproduction/runs");
    let endings = ["svg", "gif", "png", "json", "csv"];
    let recorded = recorded.into_iter().filter(|path| path.starts_with(&runs) || ends_with(path, &endings));
    let all = files(&root.join("checkpoints")).into_iter().chain(recorded);
    let weight: u64 = all.map(|path| path.metadata().unwrap().len()).sum();
    assert!(weight < LIMIT, "{weight} bytes");
}

#[test]
fn shells_and_man_are_served_by_the_program() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let done = stpn(&["completions".to_string(), shell.to_string()]);
        assert!(done.status.success() && done.output.contains("episode-seed"), "{shell}: {}", done.error);
    }
    let done = stpn(&["man".to_string()]);
    assert!(done.status.success() && done.output.contains(".TH stpn 1"), "{}", done.error);
    let refused = stpn(&["completions".to_string(), "tcsh".to_string()]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(refused.error.contains("bash"), "{}", refused.error);
}
