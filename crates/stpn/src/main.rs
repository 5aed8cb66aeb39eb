//! `stpn`: train, resume, evaluate and inspect agents with short-term plasticity neurons.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    stpn::cli::main()
}
