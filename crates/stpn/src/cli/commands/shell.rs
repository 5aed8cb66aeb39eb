//! `stpn completions` and `stpn man`: what the command line's own definition says, for shells and for `man`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::say;

/// Name of the program.
const NAME: &str = "stpn";

/// Prints the completions of a shell.
pub fn completions(shell: Shell) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut script);
    say::print(script)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the manual page: the program's own, then a section for every command.
pub fn manual() -> Result<ExitCode> {
    say::print(page()?)?;
    Ok(ExitCode::SUCCESS)
}

fn page() -> Result<Vec<u8>> {
    let mut command = Cli::command();
    command.build();
    let mut page = Vec::new();
    let man = clap_mangen::Man::new(command.clone());
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    for subcommand in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        let title = format!("{NAME} {}", subcommand.get_name());
        writeln!(page, ".SH {}", title.to_uppercase())?;
        let man = clap_mangen::Man::new(subcommand.clone());
        man.render_synopsis_section(&mut page)?;
        man.render_description_section(&mut page)?;
        man.render_options_section(&mut page)?;
        man.render_extra_section(&mut page)?;
    }
    man.render_extra_section(&mut page)?;
    man.render_version_section(&mut page)?;
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_in_the_manual() {
        let names: Vec<String> = Cli::command().get_subcommands().map(|command| command.get_name().into()).collect();
        assert!(names.len() > 10);
        let manual = String::from_utf8(page().unwrap()).unwrap();
        for name in &names {
            let title = format!(".SH STPN {}", name.to_uppercase());
            assert!(manual.contains(&title), "{title}");
        }
        assert!(manual.contains("episode\\-seed"), "options are in it");
    }

    #[test]
    fn the_manual_named_pages_that_there_are_not() {
        let manual = String::from_utf8(page().unwrap()).unwrap();
        assert!(!manual.contains("stpn\\-train(1)") && !manual.contains("SUBCOMMANDS"), "{manual}");
        assert!(manual.contains("Exit codes"));
    }
}
