//! No file imports one that imports it, by whatever way round: what belongs together is read from the bottom up.
//!
//! The check is textual and knows nothing of types: it follows `use` through re-exports to the file that a name comes
//! from, and paths in the code. Tests may look anywhere.

mod source;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::run::root;
use crate::unsafety::{packages, rust_files};
use source::Source;

/// A module's path below its crate, empty for the root.
type Module = Vec<String>;

/// Files that may know each other: the package, two modules, and why. They count as one file.
const ALLOWED: &[(&str, &str, &str, &str)] = &[
    ("agents", "config::agent", "unused", "a configuration is checked by what looks at all of it"),
    ("agents", "config::agent", "supervised::config", "it looks at either kind"),
    ("crates/stpn-core", "kernels", "kernels::lanes", "an element type, and what is generic over it and its vectors"),
    ("envs", "custom", "registry::environments", "one variant of the table, which may not take another's name"),
];

/// Fails if the files of a package import each other in a circle, or a pair is allowed in vain.
pub fn check() -> Result<()> {
    let mut problems = Vec::new();
    for package in packages()? {
        let files = read(&root().join(&package).join("src"))?;
        let name = package.to_string_lossy().replace('\\', "/");
        let allowed = ALLOWED.iter().filter(|(of, ..)| *of == name);
        let pairs: Vec<[Module; 2]> = allowed.map(|(_, one, other, _)| [module(one), module(other)]).collect();
        problems.extend(check_package(&files, &pairs).into_iter().map(|problem| format!("{name}: {problem}")));
    }
    if problems.is_empty() { Ok(()) } else { bail!("{}", problems.join("\n")) }
}

fn module(path: &str) -> Module {
    path.split("::").filter(|part| !part.is_empty()).map(str::to_string).collect()
}

fn shown(module: &[String]) -> String {
    if module.is_empty() { "the root".into() } else { module.join("::") }
}

/// A package's files by their modules.
fn read(folder: &Path) -> Result<BTreeMap<Module, Source>> {
    let mut paths = Vec::new();
    rust_files(folder, &mut paths)?;
    let mut files = BTreeMap::new();
    for path in paths {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let inside = path.strip_prefix(folder).unwrap_or(&path).with_extension("");
        let mut module: Module = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        if module.last().is_some_and(|last| last == "mod") || module == ["lib"] {
            module.pop();
        }
        files.insert(module, Source::of(&text));
    }
    Ok(files)
}

/// The circles of a package, and the pairs that are allowed in vain.
fn check_package(files: &BTreeMap<Module, Source>, allowed: &[[Module; 2]]) -> Vec<String> {
    let mut imports = imports(files);
    let mut problems = Vec::new();
    for [one, other] in allowed {
        if path(&imports, one, other).is_none() || path(&imports, other, one).is_none() {
            problems.push(format!(
                "{} and {} are no circle any more: take them off the list",
                shown(one),
                shown(other)
            ));
        }
    }
    for [one, other] in allowed {
        merge(&mut imports, one, other);
    }
    let modules: Vec<Module> = imports.keys().cloned().collect();
    let mut seen = BTreeSet::new();
    for start in &modules {
        let Some(circle) = path(&imports, start, start).filter(|_| !seen.contains(start)) else { continue };
        problems.push(format!("a circle: {}", circle.iter().map(|m| shown(m)).collect::<Vec<_>>().join(" → ")));
        seen.extend(circle);
    }
    problems
}

/// What each file imports from others of its package.
fn imports(files: &BTreeMap<Module, Source>) -> BTreeMap<Module, BTreeSet<Module>> {
    let for_tests: Vec<Module> = files
        .iter()
        .flat_map(|(module, source)| {
            source.test_modules.iter().map(|name| [&module[..], std::slice::from_ref(name)].concat())
        })
        .collect();
    let program = files.iter().filter(|(module, _)| !for_tests.iter().any(|test| module.starts_with(test)));
    program
        .map(|(module, source)| {
            let used = source.uses.iter().filter(|it| {
                // A name that is only handed on from below says where it can be found, no more.
                let own = absolute(files, module, &it.path);
                let below = own.is_some_and(|path| origin(files, &path, 0).starts_with(module));
                !(it.public && below) || (it.name != "*" && source.words.contains(&it.name))
            });
            let paths = used.map(|it| &it.path).chain(&source.paths);
            let origins = paths.filter_map(|path| Some(origin(files, &absolute(files, module, path)?, 0)));
            (module.clone(), origins.filter(|origin| origin != module).collect())
        })
        .collect()
}

/// A path from the crate's root; none if it leads elsewhere.
fn absolute(files: &BTreeMap<Module, Source>, module: &[String], path: &[String]) -> Option<Module> {
    let (first, rest) = path.split_first()?;
    match first.as_str() {
        "crate" => Some(rest.to_vec()),
        "self" => Some([module, rest].concat()),
        "super" => {
            let up = path.iter().take_while(|part| *part == "super").count();
            Some([&module[..module.len().checked_sub(up)?], &path[up..]].concat())
        }
        _ => files.contains_key(&[module, &path[..1]].concat()).then(|| [module, path].concat()),
    }
}

/// The module whose file holds what is at `path`, behind any re-exports.
fn origin(files: &BTreeMap<Module, Source>, path: &[String], depth: usize) -> Module {
    let mut length = path.len();
    while length > 0 && !files.contains_key(&path[..length]) {
        length -= 1;
    }
    let (module, rest) = (path[..length].to_vec(), &path[length..]);
    let (Some(source), Some(name)) = (files.get(&module), rest.first()) else { return module };
    // Re-exports are few; a name that leads round in them comes from nowhere.
    if depth > 8 || source.defined.contains(name) {
        return module;
    }
    let named = source.uses.iter().find(|it| it.name == *name);
    let target = named.map(|it| [&it.path[..], &rest[1..]].concat()).or_else(|| {
        let globs = source.uses.iter().filter(|it| it.name == "*");
        let of = |it: &source::Use| absolute(files, &module, &it.path[..it.path.len() - 1]);
        let holds = |path: &Module| files.get(path).is_some_and(|source| source.defined.contains(name));
        let mut paths = globs.filter_map(of).filter(holds);
        paths.next().map(|path| [vec!["crate".to_string()], path, vec![name.clone()]].concat())
    });
    match target.and_then(|path| absolute(files, &module, &path)) {
        Some(target) if target != path => origin(files, &target, depth + 1),
        _ => module,
    }
}

/// The shortest way of at least one step, with both ends.
fn path(imports: &BTreeMap<Module, BTreeSet<Module>>, from: &Module, to: &Module) -> Option<Vec<Module>> {
    let mut before: BTreeMap<&Module, &Module> = BTreeMap::new();
    let mut queue = VecDeque::from([from]);
    while let Some(module) = queue.pop_front() {
        for next in imports.get(module).into_iter().flatten() {
            if before.contains_key(next) {
                continue;
            }
            before.insert(next, module);
            if next == to {
                let mut path = vec![next.clone()];
                let mut at = *before.get(next)?;
                while at != from {
                    path.push(at.clone());
                    at = before.get(at)?;
                }
                path.push(from.clone());
                path.reverse();
                return Some(path);
            }
            queue.push_back(next);
        }
    }
    None
}

/// Makes one file of two.
fn merge(imports: &mut BTreeMap<Module, BTreeSet<Module>>, one: &Module, other: &Module) {
    let of_other = imports.remove(other).unwrap_or_default();
    imports.entry(one.clone()).or_default().extend(of_other);
    for (module, imported) in imports.iter_mut() {
        if imported.remove(other) {
            imported.insert(one.clone());
        }
        if module == one {
            imported.remove(one);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(files: &[(&str, &str)], allowed: &[[&str; 2]]) -> Vec<String> {
        let files = files.iter().map(|(path, text)| (module(path), Source::of(text))).collect();
        let allowed: Vec<[Module; 2]> = allowed.iter().map(|pair| pair.map(module)).collect();
        check_package(&files, &allowed)
    }

    #[test]
    fn circles_are_found_behind_re_exports() {
        let files = [
            ("", "mod a; mod b; pub use a::A; pub use b::B;"),
            ("a", "use crate::B;\npub struct A(B);"),
            ("b", "pub struct B; fn f() { let _ = crate::A::new(); }"),
        ];
        assert_eq!(problems(&files, &[]), ["a circle: a → b → a"]);
        assert!(problems(&files, &[["a", "b"]]).is_empty());
    }

    #[test]
    fn handing_names_on_and_tests_are_no_circle() {
        let files = [
            ("", "mod a; #[cfg(test)] mod checks; pub use a::{inner::{Inner, self}, A as Other};"),
            ("a", "mod inner; pub use inner::Inner; pub struct A; #[cfg(test)] mod tests { use crate::Other; }"),
            ("a::inner", "// use super::A;\npub struct Inner; const TEXT: &str = \"crate::a::A\";"),
            ("checks", "use crate::a::A;"),
        ];
        assert!(problems(&files, &[]).is_empty(), "{:?}", problems(&files, &[]));
        assert_eq!(problems(&files, &[["a", "a::inner"]]).len(), 1, "allowed in vain");
    }

    #[test]
    fn a_longer_circle_through_an_allowed_pair_is_one() {
        let files = [
            ("", "mod a; mod b; mod c;"),
            ("a", "use crate::b::B;"),
            ("b", "use super::{a, c::C};"),
            ("c", "use crate::a::A;"),
        ];
        assert_eq!(problems(&files, &[["a", "b"]]), ["a circle: a → c → a"]);
    }
}
