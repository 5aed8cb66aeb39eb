//! The `stpn` command.
fn main() {}
