//! `stpn explain`.

use std::fmt::Write;
use std::process::ExitCode;

use anyhow::Result;
use stpn_agents::config::catalogue::{Entry, by_foreign_name, catalogue};
use stpn_agents::config::nearest::did_you_mean;
use stpn_agents::config::shape::{Key, Shape};

use crate::cli::ExplainArguments;
use crate::exit::UsageError;
use crate::{key_reference, say};

/// Runs the command.
pub fn run(arguments: &ExplainArguments) -> Result<ExitCode> {
    say::result(explain(&arguments.key)?.trim_end());
    Ok(ExitCode::SUCCESS)
}

/// What is said of the keys that `name` means.
fn explain(name: &str) -> Result<String> {
    let name = name.trim().trim_matches('.').replace(".kind", ".name");
    let all = catalogue();
    // The name of one of several is said with its section.
    let name = name.strip_suffix(".name").unwrap_or(&name);
    let mut found: Vec<&Entry> = all.iter().filter(|entry| entry.path == name).collect();
    if found.is_empty() {
        let foreign: Vec<String> = by_foreign_name(&name.replace('-', "_")).into_iter().map(|(_, path)| path).collect();
        found = all.iter().filter(|entry| foreign.contains(&entry.path)).collect();
    }
    if found.is_empty() {
        found = all.iter().filter(|entry| entry.key.name == name).collect();
    }
    if found.is_empty() {
        let paths = all.iter().map(|entry| entry.path.as_str());
        let lasts = all.iter().map(|entry| entry.key.name.as_str());
        let near = did_you_mean(name, if name.contains('.') { paths.collect::<Vec<_>>() } else { lasts.collect() });
        let sections: Vec<&str> =
            all.iter().filter(|entry| !entry.path.contains('.')).map(|e| e.path.as_str()).collect();
        let problem = format!("there is no key `{name}`; {near}Sections are: {}", sections.join(", "));
        return Err(UsageError(problem).into());
    }
    let mut texts: Vec<String> = Vec::new();
    for entry in found {
        let text = entry_text(entry);
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    Ok(texts.join("\n"))
}

fn entry_text(entry: &Entry) -> String {
    let Entry { path, variant, key } = entry;
    let of = variant.as_ref().map_or(String::new(), |variant| format!("  (of {variant})"));
    let mut text = format!("{path}{of}\n  {}\n", key.description);
    match &key.shape {
        Shape::Section(keys) => list(&mut text, "", keys),
        Shape::Variants(variants) => {
            let _ = writeln!(text, "  One of, by `name`:");
            for variant in variants {
                let _ = writeln!(text, "  {}: {}", variant.name, variant.description);
                list(&mut text, "  ", &variant.keys);
            }
        }
        Shape::Word(words) => {
            let _ = writeln!(text, "  One of:");
            for word in words {
                let _ = writeln!(text, "    \"{}\": {}", word.name, word.description);
            }
        }
        shape => {
            let _ = writeln!(text, "  Holds      {}", shape.words());
        }
    }
    if let Some(default) = key_reference::default_of(key) {
        let _ = writeln!(text, "  Default    {default}");
    }
    for (library, name) in [("Stable-Baselines3", &key.sb3), ("CleanRL", &key.cleanrl)] {
        if let Some(name) = name {
            let _ = writeln!(text, "  {library} calls it {name}");
        }
    }
    text
}

fn list(text: &mut String, indent: &str, keys: &[Key]) {
    for key in keys {
        let first = key.description.split_inclusive(". ").next().unwrap_or_default().trim_end();
        let _ = writeln!(text, "  {indent}  {}: {first}", key.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sections_and_names_of_the_field_are_explained() {
        for (name, parts) in [
            ("rollout.steps", &["Steps T", "n_steps", "num_steps"][..]),
            ("rollout.environments", &["32; 2 with a2c"]),
            ("n_steps", &["rollout.steps"]),
            ("ent-coef", &["algorithm.entropy_coefficient", "(of ppo)", "(of a2c)", "0.001"]),
            ("epochs", &["algorithm.epochs  (of ppo)", "Passes over a rollout", "Default    10"]),
            ("algorithm", &["ppo:", "a2c:", "minibatch_size"]),
            ("policy.cell.kind", &["stpn:", "lstm:"]),
            ("policy.cell.rule", &["\"hebb\"", "\"oja\"", "Default    \"hebb\""]),
            ("optimizer.max_grad_norm", &["a number, or \"none\"", "Default    0.5"]),
            ("optimizer.learning_rate", &["initial = 0.003"]),
            ("env.size", &["(of maze)", "Default    13"]),
        ] {
            let text = explain(name).unwrap();
            assert!(parts.iter().all(|part| text.contains(part)), "{name}: {text}");
        }
        let error = explain("rollout.step").unwrap_err().to_string();
        assert!(error.contains("did you mean `rollout.steps`?"), "{error}");
    }
}
