//! All keys of all sections, one after another.

use super::shape::{self, Key, Shape};

/// A key with its place.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its dotted name.
    pub path: String,
    /// The `name` of the section that has it, if that is one of several: `algorithm.epochs` is one of `ppo`.
    pub variant: Option<String>,
    /// The key.
    pub key: &'static Key,
}

/// Every key, sections included, each before its own. Those of agents first, then what supervised tasks have beside
/// them.
pub fn catalogue() -> Vec<Entry> {
    let mut entries = Vec::new();
    walk("", None, shape::agent(), &mut entries);
    walk("", None, shape::supervised(), &mut entries);
    let mut seen = Vec::new();
    entries.retain(|entry| {
        let place = (entry.path.clone(), entry.variant.clone());
        let new = !seen.contains(&place);
        seen.push(place);
        new
    });
    entries
}

fn walk(prefix: &str, variant: Option<&str>, keys: &'static [Key], entries: &mut Vec<Entry>) {
    for key in keys {
        let path = if prefix.is_empty() { key.name.clone() } else { format!("{prefix}.{}", key.name) };
        entries.push(Entry { path: path.clone(), variant: variant.map(str::to_string), key });
        within(&path, variant, &key.shape, entries);
    }
}

fn within(path: &str, variant: Option<&str>, shape: &'static Shape, entries: &mut Vec<Entry>) {
    match shape {
        Shape::Section(keys) => walk(path, variant, keys, entries),
        Shape::Variants(variants) => {
            variants.iter().for_each(|variant| walk(path, Some(&variant.name), &variant.keys, entries));
        }
        Shape::Either(shapes) => shapes.iter().for_each(|shape| within(path, variant, shape, entries)),
        _ => {}
    }
}

/// Keys that Stable-Baselines3 or CleanRL call `name`, with the library.
pub fn by_foreign_name(name: &str) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for entry in catalogue() {
        let names = [("Stable-Baselines3", &entry.key.sb3), ("CleanRL", &entry.key.cleanrl)];
        let library = names.iter().find(|(_, known)| known.as_deref() == Some(name));
        if let Some((library, _)) = library
            && !found.iter().any(|(_, path)| *path == entry.path)
        {
            found.push((*library, entry.path));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_had_no_description() {
        for entry in catalogue() {
            let place = format!("{} {:?}", entry.path, entry.variant);
            assert!(!entry.key.description.is_empty(), "{place}: write a doc comment where the key is declared");
            let all_words = match &entry.key.shape {
                Shape::Word(words) => words.iter().all(|word| !word.description.is_empty()),
                Shape::Variants(variants) => variants.iter().all(|variant| !variant.description.is_empty()),
                _ => true,
            };
            assert!(all_words, "{place}: one of its values has no description");
        }
    }

    #[test]
    fn a_key_without_a_default_is_required_or_may_be_unset() {
        for entry in catalogue() {
            let key = entry.key;
            // What is read by an environment of one's own has its own rules.
            let section = matches!(key.shape, Shape::Section(_) | Shape::Variants(_) | Shape::Any);
            let settled = key.default.is_some() || key.depends.is_some() || key.optional || key.required || section;
            assert!(settled, "{} {:?}", entry.path, entry.variant);
        }
    }

    #[test]
    fn names_of_the_field_lead_to_keys() {
        for (name, key) in [
            ("n_steps", "rollout.steps"),
            ("num_envs", "rollout.environments"),
            ("clip_coef", "algorithm.clip"),
            ("ent_coef", "algorithm.entropy_coefficient"),
            ("max_grad_norm", "optimizer.max_grad_norm"),
        ] {
            let found = by_foreign_name(name);
            assert!(found.iter().any(|(_, path)| path == key), "{name}: {found:?}");
        }
    }
}
