//! Finds what `cargo xtask setup` fetched for the feature `mujoco`, and tells dependents where the library lies
//! (`DEP_STPN_ENVS_LIBRARIES`), so that their binaries find it from any folder.

use std::path::{Path, PathBuf};

/// The version that the crate mujoco-rs is made for.
const LIBRARY: &str = "libmujoco.so.3.17.0";

/// Where the crate mujoco-rs looks for the library.
const LINK_FOLDER: &str = "MUJOCO_DYNAMIC_LINK_DIR";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_MUJOCO").is_some() {
        mujoco();
    }
}

fn mujoco() {
    println!("cargo::rerun-if-env-changed={LINK_FOLDER}");
    let manifest = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let root = manifest.parent().unwrap_or(Path::new(""));
    let native = root.join("native");
    let (folder, models) = (native.join("mujoco"), native.join("mujoco-models"));
    let library = folder.join(LIBRARY);
    for path in [&library, &models] {
        println!("cargo::rerun-if-changed={}", path.display());
        if !path.exists() {
            println!(
                "cargo::error=the feature `mujoco` needs the MuJoCo library and models, which are not there yet \
                 ({} is missing): run `cargo xtask setup` in a clone of the repository first. `cargo install --git` \
                 cannot, so clone it, and then `cargo install --path crates/stpn --features mujoco`",
                path.display()
            );
            return;
        }
    }
    if std::env::var_os(LINK_FOLDER).is_none() {
        let root = root.display();
        println!(
            "cargo::error=the feature `mujoco` is built from within {root}, whose .cargo/config.toml sets \
             {LINK_FOLDER}; from elsewhere add `--config {root}/.cargo/config.toml`"
        );
        return;
    }
    println!("cargo::rustc-env=STPN_MUJOCO_MODELS={}", models.display());
    println!("cargo::rustc-env=STPN_MUJOCO_LIBRARY={LIBRARY}");
    println!("cargo::rustc-link-search=native={}", folder.display());
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", folder.display());
    println!("cargo::metadata=libraries={}", folder.display());
}
