//! `stpn explain`.

use std::fmt::Write;
use std::process::ExitCode;

use anyhow::Result;
use stpn_agents::config::catalogue::{Entry, by_foreign_name, catalogue};
use stpn_agents::config::nearest::did_you_mean;
use stpn_agents::config::shape::{Key, Shape};

use crate::cli::ExplainArguments;
use crate::cli::exit::UsageError;
use crate::cli::foreign_flags::elsewhere;
use crate::{key_reference, say, terminal};

/// Options of `stpn train` that take the place of keys that other programs have.
const TRAIN: [&str; 6] = ["set", "steps", "updates", "run-dir", "algo", "device"];

/// Columns beyond which lines are hard to read.
const WIDEST: usize = 110;

/// Runs the command.
pub fn run(arguments: &ExplainArguments) -> Result<ExitCode> {
    let text = explain(&arguments.key)?;
    let (columns, _) = terminal::size();
    say::print(wrapped(text.trim_end(), columns.min(WIDEST)) + "\n")?;
    Ok(ExitCode::SUCCESS)
}

/// What is said of the keys that `name` means.
fn explain(name: &str) -> Result<String> {
    // As a flag it may have been written elsewhere.
    let name = name.trim().trim_start_matches('-').trim_matches('.').replace('-', "_").replace(".kind", ".name");
    let name = if name == "lr" { "optimizer.learning_rate".to_string() } else { name };
    let all = catalogue();
    // The name of one of several is explained by its section, without the keys of each.
    let (name, names_alone) = name.strip_suffix(".name").map_or((name.as_str(), false), |section| (section, true));
    let mut found: Vec<&Entry> = all.iter().filter(|entry| entry.path == name).collect();
    if found.is_empty() {
        let foreign: Vec<String> = by_foreign_name(name).into_iter().map(|(_, path)| path).collect();
        found = all.iter().filter(|entry| foreign.contains(&entry.path)).collect();
    }
    if found.is_empty() {
        found = all.iter().filter(|entry| entry.key.name == name).collect();
    }
    if found.is_empty()
        && let Some(text) = of_variant(&all, name)
    {
        return Ok(text);
    }
    if name == "name" {
        let sections = "env.name, algorithm.name, policy.cell.name, policy.encoder.name or task.name";
        return Err(UsageError(format!("`name` is a key of several sections: explain {sections}")).into());
    }
    if found.is_empty() {
        if let Some(said) = elsewhere(&name.replace('_', "-"), |option| TRAIN.contains(&option)) {
            return Err(UsageError(format!("there is no key `{name}`: {said}")).into());
        }
        let paths = all.iter().map(|entry| entry.path.as_str());
        let lasts = all.iter().map(|entry| entry.key.name.as_str());
        let near = did_you_mean(name, if name.contains('.') { paths.collect::<Vec<_>>() } else { lasts.collect() });
        let sections: Vec<&str> =
            all.iter().filter(|entry| !entry.path.contains('.')).map(|e| e.path.as_str()).collect();
        let problem = format!("there is no key `{name}`; {near}Keys and sections at the top: {}", sections.join(", "));
        return Err(UsageError(problem).into());
    }
    let mut texts: Vec<String> = Vec::new();
    for entry in found {
        let text = entry_text(entry, names_alone);
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    Ok(texts.join("\n"))
}

/// What is said of a value of a section's `name`, e.g. of a cell or an environment.
fn of_variant(all: &[Entry], name: &str) -> Option<String> {
    let name = name.replace('_', "-");
    all.iter().find_map(|entry| {
        let Shape::Variants(variants) = &entry.key.shape else { return None };
        let variant = variants.iter().find(|variant| variant.name == name)?;
        let mut text = format!("{}.name = \"{name}\"\n  {}\n", entry.path, variant.description);
        list(&mut text, "", &variant.keys);
        Some(text)
    })
}

fn entry_text(entry: &Entry, names_alone: bool) -> String {
    let Entry { path, variant, key } = entry;
    let of = variant.as_ref().map_or(String::new(), |variant| format!("  (of {variant})"));
    let mut text = format!("{path}{of}\n  {}\n", key.description);
    match &key.shape {
        Shape::Section(keys) => list(&mut text, "", keys),
        Shape::Variants(variants) => {
            let _ = writeln!(text, "  One of, by `name`:");
            for variant in variants {
                let _ = writeln!(text, "  {}: {}", variant.name, variant.description);
                if !names_alone {
                    list(&mut text, "  ", &variant.keys);
                }
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

/// A description's first sentence; the dots of `e.g.` and `i.e.` end none.
fn first_sentence(text: &str) -> &str {
    let ends = text.match_indices(". ").map(|(end, _)| end + 1);
    let end = ends.into_iter().find(|&end| !["e.g.", "i.e.", "cf."].iter().any(|short| text[..end].ends_with(short)));
    &text[..end.unwrap_or(text.len())]
}

/// The lines of a text broken at so many columns, what follows indented as the line is.
fn wrapped(text: &str, columns: usize) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let indent = line.chars().take_while(|c| *c == ' ').count();
        let mut used = 0;
        for word in line[indent..].split(' ') {
            let width = word.chars().count();
            match used {
                0 => out += &" ".repeat(indent),
                _ if indent + used + 1 + width > columns => {
                    out += &format!("\n{}", " ".repeat(indent + 2));
                    used = 2;
                }
                _ => {
                    out.push(' ');
                    used += 1;
                }
            }
            out += word;
            used += width;
        }
        out.push('\n');
    }
    out.trim_end().to_string()
}

fn list(text: &mut String, indent: &str, keys: &[Key]) {
    for key in keys {
        let first = first_sentence(&key.description);
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
            ("stpn", &["policy.cell.name = \"stpn\"", "granularity:"]),
            ("cartpole", &["env.name = \"cartpole\""]),
            ("policy.cell.rule", &["\"hebb\"", "\"oja\"", "Default    \"hebb\""]),
            ("optimizer.max_grad_norm", &["a number, or \"none\"", "Default    0.5"]),
            ("optimizer.learning_rate", &["initial = 0.003"]),
            ("env.size", &["(of maze)", "Default    13"]),
        ] {
            let text = explain(name).unwrap();
            assert!(parts.iter().all(|part| text.contains(part)), "{name}: {text}");
        }
        for name in ["--learning-rate", "lr", "--lr", "learning-rate"] {
            assert!(explain(name).unwrap().contains("optimizer.learning_rate"), "{name}");
        }
        assert!(!explain("policy.cell.name").unwrap().contains("granularity:"), "names alone");
        for (name, said) in
            [("total_timesteps", "--steps"), ("gpu", "--device cuda"), ("num_minibatches", "minibatch_size")]
        {
            let error = explain(name).unwrap_err().to_string();
            assert!(error.contains(said), "{name}: {error}");
        }
        let error = explain("rollout.step").unwrap_err().to_string();
        assert!(error.contains("did you mean `rollout.steps`?"), "{error}");
    }

    #[test]
    fn summaries_ended_at_an_abbreviation() {
        assert_eq!(first_sentence("Modules, e.g. `ale_py`. They register."), "Modules, e.g. `ale_py`.");
        assert_eq!(first_sentence("One sentence, e.g. this"), "One sentence, e.g. this");
    }

    #[test]
    fn explanations_were_as_wide_as_they_liked() {
        let text = explain("rollout").unwrap();
        let narrow = wrapped(&text, 60);
        assert!(narrow.lines().all(|line| line.chars().count() <= 60), "{narrow}");
        let words = |text: &str| text.split_whitespace().map(String::from).collect::<Vec<_>>();
        assert_eq!(words(&narrow), words(&text));
    }
}
