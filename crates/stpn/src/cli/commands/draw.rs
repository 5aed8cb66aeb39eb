//! `stpn draw`.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::DrawArguments;
use crate::report::recorded::{draw, tabulate};

/// Runs the command.
pub fn run(arguments: &DrawArguments) -> Result<ExitCode> {
    for source in &arguments.sources {
        if arguments.tables {
            tabulate(source)?;
        }
        for picture in draw(source)? {
            println!("{}", picture.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}
