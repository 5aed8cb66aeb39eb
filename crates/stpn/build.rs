//! Lets binaries and tests find the native libraries that stpn-envs links, from any folder: where they were when this was
//! built, or beside the binary.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if let Some(folder) = std::env::var_os("DEP_STPN_ENVS_LIBRARIES") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", folder.display());
        println!("cargo::rustc-link-arg=-Wl,-rpath,$ORIGIN");
    }
}
