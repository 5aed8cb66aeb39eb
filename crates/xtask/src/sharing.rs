//! What the builds of the check command share: candle and everything below it, most of what is compiled, must have the
//! same features in each of them. Where one build asks for more, all of it is compiled once more.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::run::root;
use crate::{native, wheel};

/// The crate that is the most expensive to build, with what is below it.
const SHARED: &str = "candle-core";

/// Compares the features of the shared crates, build by build, with those of the first.
pub fn check() -> Result<()> {
    let tests = "normal,dev";
    let documentation = "normal";
    let [features, left_out] = wheel::LEFT_OUT;
    let builds: [(&str, &[&str]); 5] = [
        ("default", &["--workspace", "--edges", tests]),
        ("all features", &["--workspace", "--features", native::FEATURES, "--edges", tests]),
        ("documentation", &["--workspace", "--features", native::FEATURES, "--edges", documentation]),
        ("package for Python", &["--manifest-path", wheel::MANIFEST, "--edges", documentation]),
        (
            "package for Python, all environments",
            &["--manifest-path", wheel::MANIFEST, features, left_out, "--edges", documentation],
        ),
    ];
    let shared = tree(&["--package", SHARED, "--edges", documentation], "{p}")?;
    let mut first = None;
    for (name, arguments) in builds {
        let mut crates = tree(arguments, "{p} {f}")?;
        crates.retain(|line| shared.contains(&package(line)));
        match &first {
            None => first = Some(crates),
            Some(first) => compare(first, name, &crates)?,
        }
    }
    Ok(())
}

fn compare(first: &BTreeSet<String>, name: &str, crates: &BTreeSet<String>) -> Result<()> {
    let lines = |sign: &str, a: &BTreeSet<String>, b: &BTreeSet<String>| -> String {
        a.difference(b).map(|line| format!("\n{sign} {line}")).collect()
    };
    let differences = lines("-", first, crates) + &lines("+", crates, first);
    if !differences.is_empty() {
        bail!(
            "candle would be built once more for the build `{name}`, since these crates below it have other features \
             there (+) than in the default build (-): ask for the same ones in the Cargo.toml of xtask or stpn-python\
             {differences}"
        );
    }
    Ok(())
}

/// Name and version at the front of a line of `cargo tree`.
fn package(line: &str) -> String {
    line.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// Lines of `cargo tree`, each once.
fn tree(arguments: &[&str], format: &str) -> Result<BTreeSet<String>> {
    let mut command = Command::new("cargo");
    command.args(["tree", "--locked", "--prefix", "none", "--format", format]).args(arguments);
    let output = command.current_dir(root()).output().context("cannot run cargo tree")?;
    if !output.status.success() {
        bail!("cargo tree failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8(output.stdout).context("cargo tree")?;
    Ok(text
        .lines()
        .map(|line| line.trim_end_matches(" (*)").replace(" (proc-macro)", "").trim_end().to_string())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candle_was_built_three_times_for_one_feature_of_a_crate_below() {
        let crates = |lines: &[&str]| lines.iter().map(|line| line.to_string()).collect::<BTreeSet<_>>();
        let first = crates(&["half v2.7.1 std", "num-complex v0.4.6 bytemuck"]);
        compare(&first, "same", &first).unwrap();
        let more = crates(&["half v2.7.1 std", "num-complex v0.4.6 bytemuck,default,std"]);
        let error = compare(&first, "more", &more).unwrap_err().to_string();
        assert!(error.contains("`more`"), "{error}");
        assert!(
            error.ends_with("\n- num-complex v0.4.6 bytemuck\n+ num-complex v0.4.6 bytemuck,default,std"),
            "{error}"
        );
        assert_eq!(package("half v2.7.1 std"), "half v2.7.1");
    }

    #[test]
    fn all_builds_share_candle() {
        check().unwrap();
    }
}
