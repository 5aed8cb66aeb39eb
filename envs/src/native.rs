//! The native parts of this build: simulators and their data, with versions and licences.

use std::path::PathBuf;

/// Something that this build has inside or loads, and that others made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NativePart {
    /// The cargo feature that brings it in.
    pub feature: &'static str,
    /// What it is.
    pub name: &'static str,
    /// Its version.
    pub version: String,
    /// Its licence, as an SPDX expression.
    pub licence: &'static str,
    /// Where it is needed at run time; `None` where it is compiled in.
    pub path: Option<PathBuf>,
}

/// Features that bring in native parts.
pub const FEATURES: [(&str, bool); 2] = [("atari", cfg!(feature = "atari")), ("mujoco", cfg!(feature = "mujoco"))];

/// The native parts of this build.
pub fn native_parts() -> Vec<NativePart> {
    [atari(), mujoco()].concat()
}

#[cfg(not(feature = "atari"))]
fn atari() -> Vec<NativePart> {
    Vec::new()
}

#[cfg(feature = "atari")]
fn atari() -> Vec<NativePart> {
    let feature = "atari";
    vec![
        NativePart {
            feature,
            name: "Arcade Learning Environment",
            version: stpn_atari::VERSION.into(),
            licence: "GPL-2.0-only",
            path: None,
        },
        NativePart {
            feature,
            name: "Atari games",
            version: stpn_atari::games().map_or_else(|_| "missing".into(), |games| format!("{} games", games.len())),
            licence: "their makers'",
            path: Some(stpn_atari::rom_folder()),
        },
    ]
}

#[cfg(not(feature = "mujoco"))]
fn mujoco() -> Vec<NativePart> {
    Vec::new()
}

#[cfg(feature = "mujoco")]
fn mujoco() -> Vec<NativePart> {
    let (feature, library) = ("mujoco", env!("STPN_MUJOCO_LIBRARY"));
    // Where the loader looks for it.
    let built = PathBuf::from(env!("STPN_MUJOCO_MODELS")).with_file_name("mujoco").join(library);
    let beside = std::env::current_exe().map(|program| program.with_file_name(library));
    let path = beside.ok().filter(|beside| !built.exists() && beside.exists()).unwrap_or(built);
    vec![
        NativePart {
            feature,
            name: "MuJoCo",
            version: library.trim_start_matches("libmujoco.so.").into(),
            licence: "Apache-2.0",
            path: Some(path),
        },
        NativePart { feature, name: "Gymnasium's models", version: "v5".into(), licence: "MIT", path: None },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_belong_to_features_of_this_build_and_are_where_they_say() {
        for part in native_parts() {
            assert!(FEATURES.contains(&(part.feature, true)), "{part:?}");
            assert!(part.path.is_none_or(|path| path.exists()), "{}", part.name);
        }
        let brought = |feature| native_parts().iter().any(|part| part.feature == feature);
        assert!(FEATURES.iter().all(|&(feature, built)| built == brought(feature)));
    }
}
