//! A configuration as text: every key, those that are not set as comments, described if that is wanted.

use std::fmt::Write;

use toml::{Table, Value};

use super::shape::{Key, Shape};

/// Where descriptions are wrapped.
const WIDTH: usize = 100;

/// How much a document says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Values, and which keys are not set.
    Values,
    /// Also what each key is for, and what it may hold.
    Described,
}

/// The document of a table with these keys.
pub fn document(keys: &[Key], table: &Table, detail: Detail) -> String {
    let mut writer = Writer { text: String::new(), detail };
    writer.section("", keys, None, table);
    writer.text
}

struct Writer {
    text: String,
    detail: Detail,
}

impl Writer {
    fn section(&mut self, path: &str, keys: &[Key], variants: Option<&Shape>, table: &Table) {
        if let Some(name) = table.get("name").filter(|_| variants.is_some()) {
            if let Some(shape) = variants.filter(|_| self.detail == Detail::Described) {
                self.comment(&format!("{}.", capital(&shape.words())));
            }
            self.line(format_args!("name = {name}"));
        }
        let (sections, values): (Vec<&Key>, Vec<&Key>) = keys.iter().partition(|key| is_section(key, table));
        for key in values {
            self.value(key, table.get(&key.name));
        }
        // Whatever no key describes.
        let known = |name: &String| name == "name" || keys.iter().any(|key| key.name == *name);
        for (name, value) in table.iter().filter(|(name, _)| !known(name)) {
            self.line(format_args!("{} = {value}", quoted(name)));
        }
        for key in sections {
            let Some(Value::Table(inner)) = table.get(&key.name) else { continue };
            let path = if path.is_empty() { key.name.clone() } else { format!("{path}.{}", key.name) };
            self.text.push('\n');
            if self.detail == Detail::Described {
                self.comment(&key.description);
            }
            self.line(format_args!("[{path}]"));
            match &key.shape {
                Shape::Variants(variants) => {
                    let name = inner.get("name").and_then(Value::as_str).unwrap_or_default();
                    let variant = variants.iter().find(|variant| variant.name == name);
                    self.section(&path, variant.map_or(&[], |variant| &variant.keys), Some(&key.shape), inner);
                }
                Shape::Section(keys) => self.section(&path, keys, None, inner),
                _ => {}
            }
        }
    }

    fn value(&mut self, key: &Key, value: Option<&Value>) {
        if self.detail == Detail::Described {
            self.comment(&key.description);
            if let Shape::Word(words) = &key.shape {
                for word in words {
                    self.comment(&format!("- \"{}\": {}", word.name, word.description));
                }
            }
        }
        match value {
            Some(value) => self.line(format_args!("{} = {value}", key.name)),
            None if self.detail == Detail::Described => {
                self.line(format_args!("# {} = …  (not set; {})", key.name, key.shape.words()));
            }
            None => self.line(format_args!("# {} is not set", key.name)),
        }
    }

    fn comment(&mut self, text: &str) {
        let mut line = String::from("#");
        for word in text.split_whitespace() {
            if line.chars().count() + word.chars().count() >= WIDTH {
                self.line(format_args!("{line}"));
                line = String::from("#");
            }
            line.push(' ');
            line.push_str(word);
        }
        self.line(format_args!("{line}"));
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a text cannot fail.
        let _ = writeln!(self.text, "{text}");
    }
}

/// Whether a key is written as a section of its own; what may be unset is written in one line.
fn is_section(key: &Key, table: &Table) -> bool {
    let section = matches!(key.shape, Shape::Section(_) | Shape::Variants(_)) && !key.optional;
    section && table.get(&key.name).is_none_or(Value::is_table)
}

fn quoted(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare { name.to_string() } else { Value::String(name.to_string()).to_string() }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().collect::<String>() + letters.as_str())
}
