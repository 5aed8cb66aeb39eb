//! What a file says of its imports: as much of Rust's grammar as that takes.

use std::collections::BTreeSet;

/// A name that a `use` brings in.
#[derive(Clone, Debug, PartialEq)]
pub struct Use {
    /// Whether others may find it here.
    pub public: bool,
    /// Where from.
    pub path: Vec<String>,
    /// What it is called here; `*` for everything.
    pub name: String,
}

/// A file without its tests.
#[derive(Debug, Default)]
pub struct Source {
    pub uses: Vec<Use>,
    /// Paths of two parts or more in the code.
    pub paths: Vec<Vec<String>>,
    /// Names of its own items.
    pub defined: BTreeSet<String>,
    /// Every word of the code.
    pub words: BTreeSet<String>,
    /// Macros among them.
    pub macro_rules: BTreeSet<String>,
    /// Macros that are called.
    pub macros: BTreeSet<String>,
    /// Modules in files of their own that are tests.
    pub test_modules: Vec<String>,
}

/// What in serde's attributes holds a path as a string.
const PATHS: [&str; 8] =
    ["with", "default", "deserialize_with", "serialize_with", "skip_serializing_if", "from", "into", "try_from"];

/// The token before such a path.
const QUOTED: &str = "\"";

/// Words before the name of an item.
const ITEMS: [&str; 9] = ["struct", "enum", "trait", "fn", "type", "const", "static", "union", "macro_rules"];

impl Source {
    /// Of a file's text.
    pub fn of(text: &str) -> Self {
        let mut source = Self::default();
        let tokens = tokens(text);
        let tokens = source.without_tests(&tokens);
        let mut at = 0;
        while at < tokens.len() {
            let before = if at == 0 { ";" } else { tokens[at - 1] };
            if tokens[at] == "use" && [";", "}", "{", "]", "pub", ")"].contains(&before) {
                let end =
                    tokens[at..].iter().position(|token| *token == ";").map_or(tokens.len(), |length| at + length);
                source.add_uses(matches!(before, "pub" | ")"), &[], &tokens[at + 1..end]);
                at = end;
            } else if tokens[at] == QUOTED {
                let end = path_end(&tokens, at + 1);
                source.paths.push(tokens[at + 1..end].iter().step_by(2).map(|part| part.to_string()).collect());
                at = end;
            } else if is_word(tokens[at]) {
                let end = path_end(&tokens, at);
                let path: Vec<String> = tokens[at..end].iter().step_by(2).map(|part| part.to_string()).collect();
                source.words.extend(path.iter().cloned());
                if path.len() > 1 {
                    source.paths.push(path);
                } else if matches!(tokens[end..], ["!", "(" | "[" | "{", ..]) {
                    source.macros.extend(path);
                } else if ITEMS.contains(&tokens[at]) {
                    let name = tokens[at + 1..].iter().find(|token| is_word(token)).map(|name| name.to_string());
                    source.macro_rules.extend(name.clone().filter(|_| tokens[at] == "macro_rules"));
                    source.defined.extend(name);
                }
                at = end;
            } else {
                at += 1;
            }
        }
        source
    }

    /// The tokens outside of what is compiled for tests alone.
    fn without_tests<'t>(&mut self, tokens: &[&'t str]) -> Vec<&'t str> {
        const TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
        let (mut kept, mut at) = (Vec::new(), 0);
        while at < tokens.len() {
            if !tokens[at..].starts_with(&TEST) {
                kept.push(tokens[at]);
                at += 1;
                continue;
            }
            let item = &tokens[at + TEST.len()..];
            // To the end of the statement, or of the first block.
            let mut depth = 0;
            let end = item.iter().position(|token| {
                depth += i32::from(*token == "{") - i32::from(*token == "}");
                depth == 0 && matches!(*token, ";" | "}")
            });
            let item = &item[..end.map_or(item.len(), |end| end + 1)];
            if let [.., "mod", name, ";"] = item {
                self.test_modules.push(name.to_string());
            }
            at += TEST.len() + item.len();
        }
        kept
    }

    /// The names of a tree of imports below `prefix`.
    fn add_uses(&mut self, public: bool, prefix: &[String], tree: &[&str]) {
        let mut path = prefix.to_vec();
        let mut rest = tree;
        while let Some((token, after)) = rest.split_first() {
            match *token {
                "{" => {
                    return split(&after[..after.len() - 1]).iter().for_each(|one| self.add_uses(public, &path, one));
                }
                "::" => {}
                "as" => break,
                // The module itself, in braces.
                "self" if !path.is_empty() => {}
                part => path.push(part.to_string()),
            }
            rest = after;
        }
        let alias = rest.get(1).map(|alias| alias.to_string());
        if let Some(name) = alias.or_else(|| path.last().cloned()) {
            self.uses.push(Use { public, path, name });
        }
    }
}

/// The parts of a list between commas, each with its braces.
fn split<'a, 't>(list: &'a [&'t str]) -> Vec<&'a [&'t str]> {
    let mut depth = 0;
    let parts = list.split(|token| {
        depth += i32::from(*token == "{") - i32::from(*token == "}");
        depth == 0 && *token == ","
    });
    parts.filter(|part| !part.is_empty()).collect()
}

/// Where the path that begins at `at` ends.
fn path_end(tokens: &[&str], at: usize) -> usize {
    let mut end = at + 1;
    while end + 1 < tokens.len() && tokens[end] == "::" && is_word(tokens[end + 1]) {
        end += 2;
    }
    end
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The words and signs of a text; no comments, no strings and no characters.
fn tokens(text: &str) -> Vec<&str> {
    let (mut tokens, mut rest) = (Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let length = match first {
            _ if rest.starts_with("//") => {
                rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
                continue;
            }
            _ if rest.starts_with("r\"") || rest.starts_with("r#\"") => {
                let end = if rest.starts_with("r\"") { "\"" } else { "\"#" };
                let inside = &rest[end.len() + 1..];
                rest = inside.find(end).map_or("", |at| &inside[at + end.len()..]);
                continue;
            }
            '"' => {
                let after = after_string(&rest[1..]);
                let text = &rest[1..rest.len() - after.len()].trim_end_matches('"');
                let is_path = text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | ':'));
                // In an attribute it is code; told apart by its quotation mark.
                if is_path && matches!(tokens[..], [.., key, "="] if PATHS.contains(&key)) {
                    tokens.push(QUOTED);
                    tokens.extend(self::tokens(text));
                }
                rest = after;
                continue;
            }
            '\'' => {
                let mut inside = rest[1..].chars();
                let (one, two) = (inside.next(), inside.next());
                rest = match (one, two) {
                    (Some('\\'), _) => rest[3..].find('\'').map_or("", |at| &rest[at + 4..]),
                    (Some(one), Some('\'')) => &rest[2 + one.len_utf8()..],
                    _ => &rest[1..],
                };
                continue;
            }
            _ if word > 0 => word,
            _ if rest.starts_with("::") => 2,
            _ => first.len_utf8(),
        };
        if !first.is_whitespace() {
            tokens.push(&rest[..length]);
        }
        rest = &rest[length..];
    }
    tokens
}

/// What follows the end of a string.
fn after_string(inside: &str) -> &str {
    let mut escaped = false;
    let end = inside.find(|c: char| {
        let end = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        end
    });
    end.map_or("", |at| &inside[at + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_of_imports_are_taken_apart() {
        let source = Source::of("pub(crate) use super::{a::{self, B as C}, d::*};\nuse std::fmt;");
        let all = |it: &Use| format!("{} {} {}", it.public, it.path.join("::"), it.name);
        let uses: Vec<String> = source.uses.iter().map(all).collect();
        assert_eq!(uses, ["true super::a a", "true super::a::B C", "true super::d::* *", "false std::fmt fmt"]);
    }

    #[test]
    fn strings_characters_and_comments_hold_no_code() {
        let text = "let a = \"x\\\"::y\"; // b::c\nlet d = '\\''; let e: &'f str = r#\"g::\"h\"#; i::j('\"', k);";
        assert_eq!(Source::of(text).paths, [["i", "j"]]);
    }
}
