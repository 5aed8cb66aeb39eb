//! Compiles the kernels as C++ for the CPU, if the feature `shim` asks for it.

fn main() {
    println!("cargo::rerun-if-changed=kernels");
    println!("cargo::rerun-if-changed=shim");
    #[cfg(feature = "shim")]
    shim();
}

#[cfg(feature = "shim")]
fn shim() {
    for (real, entry) in [("float", "float"), ("double", "double")] {
        cc::Build::new()
            .cpp(true)
            .std("c++17")
            .opt_level(2)
            .flag_if_supported("-Wno-unknown-pragmas")
            .flag_if_supported("-ffp-contract=off")
            .define("STPN_REAL", real)
            .define("STPN_ENTRY", entry)
            .file("shim/kernels.cpp")
            .compile(&format!("stpn_shim_{entry}"));
    }
    cc::Build::new().cpp(true).std("c++17").opt_level(2).file("shim/machine.cpp").compile("stpn_shim_machine");
}
