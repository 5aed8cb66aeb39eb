//! Development tasks: `cargo xtask check` runs everything.
fn main() {}
