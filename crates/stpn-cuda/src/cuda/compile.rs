//! From the kernels' source to PTX, by NVRTC or from the cache.
#![allow(unsafe_code, reason = "NVRTC is a C library")]

use cudarc::nvrtc::{self, CompileError, CompileOptions};

use super::cache::{self, Cache};
use crate::{Error, Result};

/// Virtual architectures that kernels are compiled for, with the compute capability that each needs. PTX of one of
/// them runs on all later devices.
pub const ARCHITECTURES: [((i32, i32), &str); 3] =
    [((9, 0), "compute_90"), ((8, 0), "compute_80"), ((7, 5), "compute_75")];

/// Without contraction, an update that is computed again has the same bits as before.
const OPTIONS: [&str; 2] = ["--std=c++17", "--fmad=false"];

/// Kernels ready to be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiled {
    pub ptx: String,
    /// Version of NVRTC.
    pub compiler: String,
}

/// PTX of a source for an architecture of [`ARCHITECTURES`].
///
/// # Errors
/// [`Error::NoCompiler`] without NVRTC, [`Error::Compile`] if it refuses the source.
pub fn compile(source: &str, arch: &'static str, cache: &Cache) -> Result<Compiled> {
    let compiler = version()?;
    let key = cache::key(&[source, &compiler, arch, &OPTIONS.join(" ")]);
    if let Some(ptx) = cache.get(&key) {
        return Ok(Compiled { ptx, compiler });
    }
    let options = CompileOptions {
        arch: Some(arch),
        options: OPTIONS.map(str::to_string).to_vec(),
        name: Some("kernels.cu".to_string()),
        ..CompileOptions::default()
    };
    let ptx = nvrtc::compile_ptx_with_opts(source, options).map_err(|error| {
        let log = match &error {
            CompileError::CompileError { log, .. } => log.to_string_lossy().into_owned(),
            other => format!("{other:?}"),
        };
        Error::Compile { arch: arch.to_string(), log }
    })?;
    let ptx = ptx.to_src();
    // A full disk or a folder without write permission costs time, nothing else.
    let _ = cache.put(&key, &ptx);
    Ok(Compiled { ptx, compiler })
}

/// NVRTC's version.
fn version() -> Result<String> {
    // SAFETY: loading a library runs its initialisers; NVRTC's have no conditions.
    if !unsafe { nvrtc::sys::is_culib_present() } {
        return Err(Error::NoCompiler { reason: "no libnvrtc is found".to_string() });
    }
    let (mut major, mut minor) = (0, 0);
    // SAFETY: both pointers are valid for the call.
    let code = unsafe { nvrtc::sys::nvrtcVersion(&raw mut major, &raw mut minor) };
    code.result().map_err(|error| Error::NoCompiler { reason: format!("{error:?}") })?;
    Ok(format!("{major}.{minor}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Extent, Gated, GatedKind, GatedPlan, Layer, Plastic, Threads, gated_source, general_source, source};

    /// With NVRTC in the library path the maze's kernels compile and come from the cache afterwards; without it the
    /// error says what to install.
    #[test]
    fn kernels_compile_or_the_error_names_the_package() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache::in_folder(folder.path());
        let layer = Layer::Plastic(Plastic::maze(17, 55));
        let source = source::<f32>(&layer, &Threads::new(&layer, size_of::<f32>(), 166_912));
        match compile(&source, "compute_80", &cache) {
            Ok(compiled) => {
                let ptx = &compiled.ptx;
                assert!(ptx.contains("plastic_forward") && ptx.contains("plastic_backward"), "{ptx}");
                assert_eq!(compile(&source, "compute_80", &cache).expect("again"), compiled);
                assert!(std::fs::read_dir(folder.path()).expect("a folder").count() == 1, "nothing in the cache");
                let wrong = compile("extern \"C\" __global__ void f() { undefined }", "compute_80", &cache);
                assert!(matches!(wrong, Err(Error::Compile { .. })), "{wrong:?}");
                let layer = Gated::new(GatedKind::Lstm, 17, 64);
                let plan = GatedPlan::new(&layer, Extent { steps: 1, batch: 1 }, 4, 166_912).expect("a small layer");
                for (source, kernel) in
                    [(gated_source::<f32>(&layer, &plan), "gated_backward"), (general_source::<f32>(), "product")]
                {
                    let compiled = compile(&source, "compute_80", &cache).expect("it compiles");
                    assert!(compiled.ptx.contains(kernel), "{}", compiled.ptx);
                }
            }
            Err(error) => {
                assert!(matches!(error, Error::NoCompiler { .. }), "{error}");
                assert!(error.to_string().contains("nvidia-cuda-nvrtc-cu12"), "{error}");
            }
        }
    }
}
