//! `unsafe` stays where it belongs: in the kernels and in crates that call foreign code.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::run::root;

/// Where `unsafe` is allowed, each block with its reason (clippy's `undocumented_unsafe_blocks` sees to that).
const ALLOWED: [&str; 4] =
    ["crates/stpn-core/src/kernels", "crates/stpn-atari/src", "crates/stpn-cuda/src", "envs/src/mujoco"];

/// Fails if a package neither forbids `unsafe` nor uses it in an allowed place, or uses it elsewhere.
pub fn check() -> Result<()> {
    let mut problems = Vec::new();
    for package in packages()? {
        // The compiler sees to those that forbid it.
        if forbids(&package) {
            continue;
        }
        let mut files = Vec::new();
        rust_files(&root().join(&package).join("src"), &mut files)?;
        let mut any = false;
        for file in files {
            let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let Some(line) = first_unsafe(&text) else { continue };
            any = true;
            let file = file.strip_prefix(root()).unwrap_or(&file);
            if !ALLOWED.iter().any(|allowed| file.starts_with(allowed)) {
                problems.push(format!("{}:{line}: `unsafe` outside {}", file.display(), ALLOWED.join(", ")));
            }
        }
        if !any {
            problems.push(format!("{}: has no `unsafe` and should say #![forbid(unsafe_code)]", package.display()));
        }
    }
    if problems.is_empty() { Ok(()) } else { bail!("{}", problems.join("\n")) }
}

/// Whether a package's root files forbid `unsafe`, whatever features are on.
fn forbids(package: &Path) -> bool {
    let mut texts = ["src/lib.rs", "src/main.rs"]
        .iter()
        .filter_map(|name| fs::read_to_string(root().join(package).join(name)).ok());
    texts.all(|text| text.lines().any(|line| line == "#![forbid(unsafe_code)]"))
}

/// The workspace's packages, by their folders below the root.
pub fn packages() -> Result<Vec<PathBuf>> {
    let mut packages = vec![PathBuf::from("agents"), PathBuf::from("envs")];
    for entry in fs::read_dir(root().join("crates"))? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").exists() {
            packages.push(Path::new("crates").join(entry.file_name()));
        }
    }
    Ok(packages)
}

/// The Rust files below `folder`.
pub fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            rust_files(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// The first line that uses the keyword outside a comment or a string.
fn first_unsafe(text: &str) -> Option<usize> {
    text.lines().position(uses_unsafe).map(|at| at + 1)
}

fn uses_unsafe(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern", "unsafe trait", "unsafe("].iter().any(|form| {
        code.match_indices(form).any(|(at, _)| {
            let before = code[..at].chars().next_back();
            !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '"' | '`'))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_are_told_from_mentions() {
        for used in ["    unsafe { f() }", "pub unsafe fn f()", "x(unsafe { y })", "#[unsafe(no_mangle)]"] {
            assert!(uses_unsafe(used), "{used}");
        }
        for mention in ["// unsafe { }", "#![forbid(unsafe_code)]", "    [\"unsafe {\"]", "not_unsafe fn"] {
            assert!(!uses_unsafe(mention), "{mention}");
        }
        assert_eq!(first_unsafe("a\nunsafe impl X {}\n"), Some(2));
    }
}
