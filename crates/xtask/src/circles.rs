//! No file imports one that imports it, by whatever way round: what belongs together is read from the bottom up.
//!
//! The check is textual and knows nothing of types: it follows `use` through re-exports to the file that a name comes
//! from, and paths in the code, in the arguments of macros and in the attributes of serde. Tests may look anywhere.

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

/// Fails if the files of a package import each other in a circle.
pub fn check() -> Result<()> {
    let mut problems = Vec::new();
    for package in packages()? {
        let files = read(&root().join(&package).join("src"))?;
        let name = package.to_string_lossy().replace('\\', "/");
        problems.extend(circles(&files).into_iter().map(|circle| format!("{name}: {circle}")));
    }
    if problems.is_empty() { Ok(()) } else { bail!("{}", problems.join("\n")) }
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

/// The circles of a package.
fn circles(files: &BTreeMap<Module, Source>) -> Vec<String> {
    let imports = imports(files);
    let mut problems = Vec::new();
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
            let (globs, named): (Vec<_>, Vec<_>) = used.partition(|it| it.name == "*");
            let paths = named.into_iter().map(|it| &it.path).chain(&source.paths);
            let mut places: Vec<Module> = paths.filter_map(|path| absolute(files, module, path)).collect();
            // Of everything in a file, what has a name that is used here.
            for of in globs.iter().filter_map(|it| absolute(files, module, &it.path[..it.path.len() - 1])) {
                let offers = |name: &String| {
                    let place = [&of[..], std::slice::from_ref(name)].concat();
                    let defined = files.get(&origin(files, &place, 0))?.defined.contains(name);
                    let named = files.get(&of)?.uses.iter().any(|it| it.name == *name);
                    (defined || named).then_some(place)
                };
                places.extend(source.words.iter().filter(|name| *name != "*").filter_map(offers));
            }
            let origins = places.iter().map(|place| origin(files, place, 0));
            let macros = source.macros.iter().filter_map(|name| textual(files, module, name));
            (module.clone(), origins.chain(macros).filter(|origin| origin != module).collect())
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
        _ if files.contains_key(&[module, &path[..1]].concat()) => Some([module, path].concat()),
        _ => match files.get(module).and_then(|source| source.uses.iter().find(|it| it.name == *first)) {
            // A crate.
            Some(it) if it.path.first() == Some(first) => None,
            Some(it) => absolute(files, module, &[&it.path[..], rest].concat()),
            // As a macro takes it that puts `crate::` before.
            None => files.contains_key(&path[..1]).then(|| path.to_vec()),
        },
    }
}

/// The file above that a macro comes from that is not imported by name.
fn textual(files: &BTreeMap<Module, Source>, module: &[String], name: &String) -> Option<Module> {
    if files.get(module)?.uses.iter().any(|it| it.name == *name) {
        return None;
    }
    let above = (0..=module.len()).rev().map(|length| &module[..length]);
    above
        .filter(|above| files.get(*above).is_some_and(|source| source.macro_rules.contains(name)))
        .map(<[_]>::to_vec)
        .next()
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
        let holds = |path: &Module| {
            let place = origin(files, &[&path[..], std::slice::from_ref(name)].concat(), depth + 1);
            files.get(&place).is_some_and(|source| source.defined.contains(name))
        };
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

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(files: &[(&str, &str)]) -> Vec<String> {
        let module = |path: &str| path.split("::").filter(|part| !part.is_empty()).map(str::to_string).collect();
        circles(&files.iter().map(|(path, text)| (module(path), Source::of(text))).collect())
    }

    #[test]
    fn circles_are_found_behind_re_exports() {
        let files = [
            ("", "mod a; mod b; pub use a::A; pub use b::B;"),
            ("a", "use crate::B;\npub struct A(B);"),
            ("b", "pub struct B; fn f() { let _ = crate::A::new(); }"),
        ];
        assert_eq!(problems(&files), ["a circle: a → b → a"]);
    }

    #[test]
    fn handing_names_on_and_tests_are_no_circle() {
        let files = [
            ("", "mod a; #[cfg(test)] mod checks; pub use a::{inner::{Inner, self}, A as Other};"),
            ("a", "mod inner; pub use inner::Inner; pub struct A; #[cfg(test)] mod tests { use crate::Other; }"),
            ("a::inner", "// use super::A;\npub struct Inner; const TEXT: &str = \"crate::a::A\";"),
            ("checks", "use crate::a::A;"),
        ];
        assert!(problems(&files).is_empty(), "{:?}", problems(&files));
    }

    #[test]
    fn circles_hid_behind_modules_globs_macros_and_attributes() {
        for of_a in [
            // A module that is imported, and what is in it.
            "use crate::c; fn f() { c::inner::g() }",
            "use super::c as other; fn f() -> other::inner::B {}",
            "use crate::c::*; fn f() -> Handed {}",
            "use crate::c::{many::*}; fn f() -> B {}",
            "table! { b::B, \"name\" }",
            "#[serde(with = \"crate::b\")] struct C;",
            "#[serde(default = \"crate::b::default\")] struct C;",
            "macro_rules! m { () => { crate::b::B } }",
        ] {
            let files = [
                ("", "mod a; mod b; mod c;"),
                ("a", &format!("{of_a} pub struct A;")),
                ("b", "use crate::a::A; pub struct B; pub fn g() {} pub fn default() {}"),
                ("c", "pub mod inner; pub mod many; pub use crate::b::B as Handed;"),
                ("c::inner", "pub use crate::b::{g, B};"),
                ("c::many", "pub use crate::c::inner::*;"),
            ];
            let found = problems(&files);
            assert!(found.contains(&"a circle: a → b → a".to_string()), "{of_a}: {found:?}");
        }
        let files = [
            ("", "mod a; mod b;"),
            ("a", "mod inner; macro_rules! m { () => {} } use inner::f;"),
            ("a::inner", "pub fn f() { m!() }"),
            ("b", ""),
        ];
        assert_eq!(problems(&files), ["a circle: a → a::inner → a"], "a macro from above");
    }
}
