//! `stpn draw`.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::DrawArguments;
use crate::report::recorded::draw;

/// Runs the command.
pub fn run(arguments: &DrawArguments) -> Result<ExitCode> {
    for source in &arguments.sources {
        for picture in draw(source)? {
            println!("{}", picture.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}
