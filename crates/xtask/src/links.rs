//! Links between the repository's Markdown files: every relative target must exist, every heading link must fit.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::run::root;

/// Checks every Markdown file that git knows.
pub fn check() -> Result<()> {
    let mut broken = Vec::new();
    let files = markdown_files()?;
    for file in &files {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        for target in targets(&text) {
            if let Some(problem) = problem(file, &target) {
                broken.push(format!("{}: {target}: {problem}", file.display()));
            }
        }
    }
    if !broken.is_empty() {
        bail!("broken links:\n{}", broken.join("\n"));
    }
    println!("links: {} Markdown files are sound", files.len());
    Ok(())
}

fn markdown_files() -> Result<Vec<PathBuf>> {
    let mut command = Command::new("git");
    command.args(["ls-files", "-co", "--exclude-standard", "*.md"]).current_dir(root());
    let output = command.output().context("cannot run git")?;
    let listing = String::from_utf8(output.stdout).context("git ls-files")?;
    Ok(listing.lines().map(|line| root().join(line)).filter(|path| path.exists()).collect())
}

/// Targets of inline links and images, outside code blocks.
pub fn targets(text: &str) -> Vec<String> {
    let mut targets = Vec::new();
    map(text, |target| {
        targets.push(target.to_string());
        target.to_string()
    });
    targets
}

/// The text with every target of an inline link or image, outside code blocks, put through `change`.
pub fn map(text: &str, mut change: impl FnMut(&str) -> String) -> String {
    let mut mapped = String::with_capacity(text.len());
    let mut code = false;
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with("```") {
            code = !code;
        }
        let mut rest = line;
        while let Some(start) = rest.find("](").filter(|_| !code).map(|at| at + 2) {
            let Some(length) = rest[start..].find(')') else { break };
            mapped += &rest[..start];
            mapped += &change(&rest[start..start + length]);
            rest = &rest[start + length..];
        }
        mapped += rest;
    }
    mapped
}

/// Whether a link leads away from the repository. Addresses on the web are not fetched.
pub fn is_foreign(target: &str) -> bool {
    target.contains("://") || target.starts_with("mailto:")
}

/// What is wrong with a link, if anything.
fn problem(file: &Path, target: &str) -> Option<String> {
    if is_foreign(target) {
        return None;
    }
    let (path, heading) = target.split_once('#').map_or((target, None), |(path, heading)| (path, Some(heading)));
    let path = match path {
        "" => file.to_path_buf(),
        path => file.parent().unwrap_or(Path::new("")).join(path),
    };
    if !path.exists() {
        return Some("no such file".into());
    }
    let heading = heading?;
    let text = fs::read_to_string(&path).ok()?;
    let found = text.lines().filter(|line| line.starts_with('#')).any(|line| anchor(line) == heading);
    (!found).then(|| "no such heading".into())
}

/// A heading's anchor by GitHub's rule.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_files_and_headings_are_found() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.md");
        fs::write(&file, "# Two words, here\n").unwrap();
        assert_eq!(problem(&file, "a.md#two-words-here"), None);
        assert_eq!(problem(&file, "#two-words-here"), None);
        assert_eq!(problem(&file, "https://example.org/x"), None);
        assert!(problem(&file, "b.md").is_some());
        assert!(problem(&file, "a.md#other").is_some());
    }

    #[test]
    fn code_blocks_are_no_links() {
        assert_eq!(targets("see [a](x.md) and ![b](y.png)\n```\n[c](z.md)\n```"), ["x.md", "y.png"]);
    }

    #[test]
    fn targets_are_changed_where_they_stand() {
        let text = "a [b](c.md), ![d](e.png)\n```\n[f](g.md)\n```\n[h](i";
        let changed = map(text, |target| format!("../{target}"));
        assert_eq!(changed, "a [b](../c.md), ![d](../e.png)\n```\n[f](g.md)\n```\n[h](i");
    }
}
