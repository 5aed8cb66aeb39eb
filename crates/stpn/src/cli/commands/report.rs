//! `stpn report`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use crate::cli::ReportArguments;
use crate::cli::exit::{self, UsageError};
use crate::report::overview::Report;
use crate::{Error, files};

/// Runs the command.
pub fn run(arguments: &ReportArguments) -> Result<ExitCode> {
    if let Some(directory) = arguments.plots.as_ref().filter(|directory| directory.is_file()) {
        return Err(UsageError(format!("--plots {}: is a file, not a directory", directory.display())).into());
    }
    let mut report = Report::of(&arguments.runs, arguments.episode_seed)?;
    for remark in std::mem::take(&mut report.remarks) {
        eprintln!("{}: {}", remark.directory.display(), exit::with_hint(remark.text, remark.error));
    }
    files::write(&arguments.out, report.html())?;
    println!("{}", arguments.out.display());
    if let Some(directory) = &arguments.plots {
        write_plots(directory, &report)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Every figure as an SVG file of its own.
fn write_plots(directory: &Path, report: &Report) -> Result<()> {
    fs::create_dir_all(directory).map_err(Error::io("cannot create", directory))?;
    for figure in report.figures() {
        let path = directory.join(format!("{}.svg", figure.id));
        files::write(&path, &figure.svg)?;
        println!("{}", path.display());
    }
    Ok(())
}
