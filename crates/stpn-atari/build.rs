//! Compiles the Arcade Learning Environment, and our C interface to it, from the folder that `cargo xtask setup` fills.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders of the emulator's source, below `ale`, that a game needs. Each line is compiled as one file, which takes a
/// fifth of the time that its many small files take one by one.
const UNITS: [(&str, &[&str]); 2] =
    [("core", &["emucore", "common", "environment", "games"]), ("games", &["games/supported"])];

/// Files that go on their own: the header of `NullDev.cxx` must not come first.
const ALONE: &str = "NullDev.cxx";

/// Not compiled: `native/phosphor_blend.cpp` takes its place.
const REPLACED: &str = "phosphor_blend.cpp";

const LIBRARY: &str = "stpn_atari_emulator";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=native");
    println!("cargo::rerun-if-env-changed=CXX");
    println!("cargo::rerun-if-env-changed=CXXFLAGS");
    if std::env::var_os("CARGO_FEATURE_EMULATOR").is_some()
        && let Err(problem) = build()
    {
        println!("cargo::error={problem}");
    }
}

fn build() -> Result<(), String> {
    let manifest = PathBuf::from(env("CARGO_MANIFEST_DIR")?);
    let output = PathBuf::from(env("OUT_DIR")?);
    let root = manifest.ancestors().nth(2).ok_or("the crate is not in its workspace")?;
    let ale = root.join("native/ale");
    println!("cargo::rerun-if-changed={}", ale.join(".archive").display());
    let Ok(archive) = fs::read_to_string(ale.join(".archive")) else {
        return Err(
            "the feature `atari` needs the Atari emulator: run `cargo xtask setup` in a clone of the repository \
                    first. `cargo install --git` cannot, so clone it, and then `cargo install --path crates/stpn \
                    --features atari`"
                .into(),
        );
    };
    println!("cargo::rustc-env=STPN_ATARI_ROMS={}", ale.join("roms").display());
    println!("cargo::rustc-env=STPN_ATARI_LICENCE={}", ale.join("LICENSE.md").display());
    let version = archive.split(' ').nth(1).ok_or("the set-up is of another version: run `cargo xtask setup` again")?;
    println!("cargo::rustc-env=STPN_ATARI_VERSION={version}");
    write_version(&ale, &output, version)?;

    let mut interface = compiler(&ale, &output);
    interface.files(sources(&manifest.join("native"))?);
    compile(&interface, "stpn_atari_interface")?;

    // The emulator changes less often than our files do.
    let compiled =
        format!("{archive} {:?} {:?} {}", std::env::var("CXX"), std::env::var("CXXFLAGS"), include_str!("build.rs"));
    let stamp = output.join("compiled");
    if fs::read_to_string(&stamp).is_ok_and(|stamp| stamp == compiled) {
        println!("cargo::rustc-link-search=native={}", output.display());
        println!("cargo::rustc-link-lib=static={LIBRARY}");
    } else {
        let mut emulator = compiler(&ale, &output);
        emulator.files(units(&ale, &output)?);
        compile(&emulator, LIBRARY)?;
        write(&stamp, &compiled)?;
    }
    println!("cargo::rustc-link-lib=z");
    Ok(())
}

fn compiler(ale: &Path, output: &Path) -> cc::Build {
    let mut build = cc::Build::new();
    build.cpp(true).std("c++17").opt_level(3).define("NDEBUG", None).warnings(false);
    build.include(ale.join("src")).include(output);
    build
}

fn compile(build: &cc::Build, library: &str) -> Result<(), String> {
    build.try_compile(library).map_err(|error| {
        let error = error.to_string().replace('\n', " ");
        format!("the Atari emulator cannot be compiled; `cargo xtask setup` looks for what is missing: {error}")
    })
}

/// The files to compile of the emulator.
fn units(ale: &Path, output: &Path) -> Result<Vec<PathBuf>, String> {
    let source = ale.join("src/ale");
    let mut files = vec![source.join("ale_interface.cpp")];
    for (unit, folders) in UNITS {
        let mut text = String::new();
        for folder in folders {
            for path in sources(&source.join(folder))? {
                if path.ends_with(ALONE) {
                    files.push(path);
                } else if !path.ends_with(REPLACED) {
                    text.push_str(&format!("#include \"{}\"\n", path.display()));
                }
            }
        }
        let unit = output.join(format!("{unit}.cpp"));
        write(&unit, &text)?;
        files.push(unit);
    }
    Ok(files)
}

/// The C++ files of a folder, sorted.
fn sources(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|error| {
        format!("cannot read {}: {error}; remove `native/ale` and run `cargo xtask setup`", folder.display())
    })?;
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let is_source = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "cpp" || extension == "cxx");
    let mut sources: Vec<PathBuf> = paths.filter(is_source).collect();
    sources.sort();
    Ok(sources)
}

/// Makes the header that the emulator's own build makes.
fn write_version(ale: &Path, output: &Path, version: &str) -> Result<(), String> {
    let template = ale.join("src/ale/version.hpp.in");
    let text = fs::read_to_string(&template).map_err(|error| format!("cannot read {}: {error}", template.display()))?;
    let mut text = text.replace("@ALE_VERSION@", version).replace("@ALE_VERSION_GIT_SHA@", "");
    for (part, name) in version.split('.').zip(["MAJOR", "MINOR", "PATCH"]) {
        text = text.replace(&format!("@ALE_VERSION_{name}@"), part);
    }
    write(&output.join("version.hpp"), &text)
}

/// Writes a file where it is not there already.
fn write(path: &Path, text: &str) -> Result<(), String> {
    if fs::read_to_string(path).is_ok_and(|present| present == text) {
        return Ok(());
    }
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn env(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|error| format!("{name}: {error}"))
}
