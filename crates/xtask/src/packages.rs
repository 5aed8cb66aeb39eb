//! The packages that a registry would get: `cargo package` makes each one, and each has the files that it includes.
//!
//! To compile them takes minutes: `cargo package --workspace --exclude xtask` does it before a release.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::run::{root, run};

/// No package is larger, compressed: trained agents, pictures and recordings stay outside.
const LARGEST: u64 = 1 << 20;

/// Macros that put a file into a program.
const INCLUDES: [&str; 3] = ["include_str!(\"", "include_bytes!(\"", "include!(\""];

/// Makes all packages and looks into them.
pub fn check() -> Result<()> {
    let folder = root().join("target/check-packages");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let mut package = Command::new("cargo");
    // The lints have fetched everything.
    package.args(["package", "--workspace", "--exclude", "xtask", "--no-verify", "--allow-dirty", "--offline"]);
    let output = package.arg("--target-dir").arg(&folder).current_dir(root()).output().context("cannot run cargo")?;
    if !output.status.success() {
        bail!("cargo package failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let archives = files(&folder.join("package"), "crate")?;
    for archive in &archives {
        let size = fs::metadata(archive).with_context(|| format!("cannot read {}", archive.display()))?.len();
        if size > LARGEST {
            bail!("{} has {size} bytes, more than {LARGEST}: exclude files in its Cargo.toml", archive.display());
        }
        run(Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(&folder))?;
        includes(&folder.join(archive.file_stem().unwrap_or_default()))?;
    }
    println!("packages: {} are sound", archives.len());
    Ok(())
}

/// Every included file is in the package too.
fn includes(package: &Path) -> Result<()> {
    for file in files(package, "rs")? {
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        // Tests are not run in a package.
        let program = text.split("#[cfg(test)]").next().unwrap_or_default();
        for start in INCLUDES.iter().flat_map(|include| program.split(include).skip(1)) {
            let name = start.split('"').next().unwrap_or_default();
            let included = file.with_file_name(name);
            if !included.exists() || !included.canonicalize()?.starts_with(package.canonicalize()?) {
                bail!("{} includes {name}, which is not in its package", file.display());
            }
        }
    }
    Ok(())
}

/// All files below `folder` whose names end so, sorted.
fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
        if path.is_dir() {
            files.extend(self::files(&path, extension)?);
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_from_outside_a_package_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let package = folder.path().join("package");
        fs::create_dir_all(package.join("src")).unwrap();
        fs::write(package.join("kernel.cu"), "").unwrap();
        fs::write(folder.path().join("outside.txt"), "").unwrap();
        let source = |text: &str| {
            fs::write(package.join("src/lib.rs"), text).unwrap();
            includes(&package)
        };
        source("const A: &str = include_str!(\"../kernel.cu\");").unwrap();
        source("#[cfg(test)]\nconst A: &str = include_str!(\"../tests/a.txt\");").unwrap();
        for missing in ["../missing.cu", "../../outside.txt"] {
            let error = source(&format!("const A: &str = include_str!({missing:?});")).unwrap_err().to_string();
            assert!(error.contains(missing), "{error}");
        }
    }
}
