//! The name that somebody meant.

use std::cmp::Reverse;

/// The one of `known` that is most like `word`; none if nothing is. `CartPole-v1` is like `cartpole`.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let word = plain(word);
    // Of those that are equally far, the one that begins most alike, and then ends so: people mistype less at the ends.
    let far = |name: &str| {
        let front = word.chars().zip(name.chars()).take_while(|(one, other)| one == other).count();
        let back = word.chars().rev().zip(name.chars().rev()).take_while(|(one, other)| one == other).count();
        (strsim::osa_distance(&word, name), Reverse(front), Reverse(back))
    };
    let ((distance, ..), name) = known.into_iter().map(|name| (far(&plain(name)), name)).min_by_key(|(far, _)| *far)?;
    (distance <= (word.chars().count() / 3).max(1)).then_some(name)
}

/// `did you mean …? ` or nothing.
pub fn did_you_mean<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    nearest(word, known).map_or(String::new(), |name| format!("did you mean `{name}`? "))
}

/// Without case, hyphens, and a version at the end as Gymnasium has it.
fn plain(name: &str) -> String {
    let name = match name.rsplit_once("-v") {
        Some((name, version)) if version.chars().all(|c| c.is_ascii_digit()) => name,
        _ => name,
    };
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn among_equally_near_names_the_first_of_the_list_was_meant() {
        assert_eq!(nearest("gama", ["gamma", "game"]), Some("gamma"));
        assert_eq!(nearest("gama", ["game", "gamma"]), Some("gamma"));
    }

    #[test]
    fn mistyped_names_had_no_suggestion() {
        let known = ["maze", "cartpole", "cartpole-masked", "pendulum", "mountain-car", "memory"];
        for (word, meant) in [
            ("carpole", Some("cartpole")),
            ("CartPole-v1", Some("cartpole")),
            ("MountainCar-v0", Some("mountain-car")),
            ("pendlum", Some("pendulum")),
            ("labyrinth", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
        assert_eq!(did_you_mean("mase", known), "did you mean `maze`? ");
    }
}
