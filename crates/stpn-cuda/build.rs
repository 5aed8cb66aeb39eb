//! Compiles the kernels as C++ for the CPU, if the feature `shim` asks for it.

fn main() {
    println!("cargo::rerun-if-changed=kernels");
    println!("cargo::rerun-if-changed=shim");
    #[cfg(feature = "shim")]
    shim();
}

#[cfg(feature = "shim")]
fn shim() {
    use std::env;
    use std::path::Path;

    let out = env::var_os("OUT_DIR").expect("cargo sets it");
    let out = Path::new(&out);
    let cpp = |optimize: u32, file: &str| {
        let mut build = cc::Build::new();
        build.cpp(true).std("c++17").opt_level(optimize).file(format!("shim/{file}"));
        build.flag_if_supported("-Wno-unknown-pragmas").flag_if_supported("-ffp-contract=off");
        build
    };
    // The same file twice: each has its own folder for its object.
    let of = |entry: &str| {
        let mut build = cpp(2, "kernels.cpp");
        build.define("STPN_REAL", entry).define("STPN_ENTRY", entry).out_dir(out.join(entry));
        build.compile_intermediates()
    };
    let objects = [of("float"), of("double"), cpp(2, "machine.cpp").compile_intermediates()].concat();
    cc::Build::new().cpp(true).objects(&objects).compile("stpn_shim");
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        emulated_driver(&cpp(1, "driver.cpp"), &objects, &out.join("emulated"));
    }
}

/// Links a driver and an NVRTC that run on the CPU. Their names are those that are tried first, so that real ones are not
/// found before them.
#[cfg(feature = "shim")]
fn emulated_driver(driver: &cc::Build, objects: &[std::path::PathBuf], folder: &std::path::Path) {
    std::fs::create_dir_all(folder).expect("the build's own folder can be written");
    let library = folder.join("libcuda.so");
    let mut command = driver.get_compiler().to_command();
    command.arg("-shared").arg("-o").arg(&library).args(driver.compile_intermediates()).args(objects);
    let linked = command.status().expect("the compiler that has just compiled can be started");
    assert!(linked.success(), "the emulated driver cannot be linked: {command:?}");
    std::fs::copy(&library, folder.join("libnvrtc.so")).expect("the build's own folder can be written");
    println!("cargo::rustc-env=STPN_EMULATED_DRIVER={}", folder.display());
}
