//! Programs and headers that setting up and building need: each is looked for, and installed where that is possible.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::run::{install_debian, succeeds};

/// pip as a command to add arguments to.
pub fn pip() -> Command {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip"]);
    pip
}

/// Makes sure that there is a Python with pip.
pub fn require_pip() -> Result<()> {
    if succeeds("python3", &["-m", "pip", "--version"]) {
        return Ok(());
    }
    install_debian(&["python3", "python3-pip"]).context("Python's pip is missing: `python3 -m pip` cannot be run")
}

/// Makes sure that there is a C++ compiler, the one that cargo's build scripts will take.
pub fn require_cxx() -> Result<()> {
    if succeeds(&cxx(), &["--version"]) {
        return Ok(());
    }
    let missing = format!("a C++ compiler is missing: `{}` cannot be run", cxx());
    install_debian(&["g++"]).context(missing)
}

/// Makes sure that the compiler finds a header.
pub fn require_header(header: &str, package: &str) -> Result<()> {
    if preprocesses(header)? {
        return Ok(());
    }
    install_debian(&[package]).with_context(|| format!("the header {header} is missing"))
}

fn cxx() -> String {
    std::env::var("CXX").unwrap_or_else(|_| "c++".into())
}

fn preprocesses(header: &str) -> Result<bool> {
    let mut compiler = Command::new(cxx());
    compiler.args(["-E", "-x", "c++", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = compiler.spawn().with_context(|| format!("cannot start {}", cxx()))?;
    if let Some(mut input) = child.stdin.take() {
        writeln!(input, "#include <{header}>").context("cannot write to the compiler")?;
    }
    Ok(child.wait().context("the compiler")?.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_does_not_exist_is_missing() {
        if succeeds(&cxx(), &["--version"]) {
            assert!(preprocesses("cstdint").unwrap());
            assert!(!preprocesses("no_such_header.h").unwrap());
        }
    }
}
