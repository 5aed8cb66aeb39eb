//! What is written from the declarations of keys: the page of the book, the JSON Schema, and defaults as text.

use std::fmt::Write;

use stpn_agents::config::json_schema;
use stpn_agents::config::shape::{self, Key, Shape};
use stpn_envs::registry;

use crate::{Error, Result};

/// The JSON Schema with the environments of this build.
pub fn schema() -> Result<String> {
    schema_of(|_| true)
}

fn schema_of(known: impl Fn(&str) -> bool) -> Result<String> {
    serde_json::to_string_pretty(&json_schema(known)).map_err(Error::text)
}

/// A key's default as text; none if it has none.
pub fn default_of(key: &Key) -> Option<String> {
    if let Some(words) = key.depends {
        return Some(words.to_string());
    }
    match (&key.default, &key.shape) {
        (_, Shape::Section(_) | Shape::Variants(_)) if !key.optional => None,
        (Some(default), _) => toml::Value::try_from(default).ok().map(|value| value.to_string()),
        (None, _) if key.optional => Some("not set".into()),
        (None, _) => None,
    }
}

/// The part of docs/reference/keys.md that lists keys. Environments that need a feature of their own are left to `stpn
/// explain env`, so that the page is the same for every build.
#[cfg_attr(not(test), expect(dead_code, reason = "the page is written by its test"))]
fn page() -> String {
    let mut text = String::new();
    for key in shape::agent() {
        section(&mut text, &key.name, key);
    }
    for key in shape::supervised().iter().filter(|key| key.name == "task") {
        section(&mut text, &key.name, key);
    }
    text
}

fn section(text: &mut String, path: &str, key: &Key) {
    match &key.shape {
        Shape::Section(keys) => {
            let _ = writeln!(text, "## {path}\n\n{}\n", key.description);
            table(text, path, keys);
        }
        Shape::Variants(variants) => {
            let _ = writeln!(
                text,
                "## {path}\n\n{} Its `name` is one of these, each with keys of its own.\n",
                key.description
            );
            for variant in variants.iter().filter(|variant| path != "env" || registry::feature(&variant.name).is_none())
            {
                let _ =
                    writeln!(text, "### {path}, name = \"{}\"\n\n{}\n", variant.name, sentence(&variant.description));
                table(text, path, &variant.keys);
            }
        }
        _ => {
            let _ = writeln!(text, "The key `{path}`, above all sections: {}\n", described(key));
        }
    }
}

fn table(text: &mut String, path: &str, keys: &[Key]) {
    let (sections, values): (Vec<&Key>, Vec<&Key>) =
        keys.iter().partition(|key| matches!(key.shape, Shape::Section(_) | Shape::Variants(_)) && !key.optional);
    if !values.is_empty() {
        let _ = writeln!(text, "| key | meaning | default | elsewhere |\n|---|---|---|---|");
        for key in values {
            let default = default_of(key).map_or(String::new(), |default| match key.depends {
                Some(words) => words.to_string(),
                None => format!("`{default}`"),
            });
            let names = [("SB3", &key.sb3), ("CleanRL", &key.cleanrl)];
            let names = names.iter().filter_map(|(library, name)| Some(format!("{library} `{}`", name.as_ref()?)));
            let names = names.collect::<Vec<_>>().join(", ");
            let _ = writeln!(text, "| `{}` | {} | {default} | {names} |", key.name, described(key));
        }
        text.push('\n');
    }
    sections.iter().for_each(|key| section(text, &format!("{path}.{}", key.name), key));
}

fn described(key: &Key) -> String {
    let mut text = key.description.clone();
    match &key.shape {
        Shape::Word(words) => {
            let words: Vec<String> = words
                .iter()
                .map(|word| format!("`{}`: {}", word.name, word.description.trim_end_matches('.')))
                .collect();
            let _ = write!(text, " {}.", words.join("; "));
        }
        Shape::Section(keys) => {
            let names: Vec<String> = keys.iter().map(|key| format!("`{}`", key.name)).collect();
            let _ = write!(text, " A table of {}.", names.join(", "));
        }
        _ => {}
    }
    text.replace('|', "\\|")
}

/// With a capital at its start and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let start: String = letters.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    format!("{start}{}.", letters.as_str().trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    /// Set to write what is out of date.
    const WRITE: &str = "STPN_WRITE_REFERENCE";

    fn reference(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference").join(name)
    }

    fn assert_current(path: &Path, written: &str) {
        if std::env::var_os(WRITE).is_some() {
            std::fs::write(path, written).unwrap();
        }
        let is_current = std::fs::read_to_string(path).is_ok_and(|text| text == written);
        let remedy = format!("{WRITE}=1 cargo test -p stpn --lib key_reference");
        assert!(is_current, "{} is out of date: {remedy}", path.display());
    }

    #[test]
    fn the_page_of_keys_was_out_of_date() {
        let path = reference("keys.md");
        let text = std::fs::read_to_string(&path).unwrap();
        let (start, end) = ("<!-- keys -->\n", "<!-- /keys -->");
        let (before, rest) = text.split_once(start).unwrap();
        let (_, after) = rest.split_once(end).unwrap();
        assert_current(&path, &format!("{before}{start}{}{end}{after}", page()));
    }

    #[test]
    fn the_schema_was_out_of_date() {
        let text = schema_of(|name| registry::feature(name).is_none()).unwrap() + "\n";
        assert_current(&reference("stpn.schema.json"), &text);
    }
}
