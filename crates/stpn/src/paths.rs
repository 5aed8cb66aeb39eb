//! Paths in a configuration: absolute, so that a run finds its files wherever it is looked at later.

use std::env;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::{Error, Result};

/// Tells whether a key's value is a path.
type IsPath = fn(&str) -> bool;

/// The keys of `env` that hold paths, and when.
const PATHS: [(&str, IsPath); 3] =
    [("xml_file", |_| true), ("game", |game| game.ends_with(".bin")), ("make", |make| make.contains(".py:"))];

/// Makes the paths in a configuration absolute: those from `~` by the home directory, others from `folder`.
///
/// # Errors
/// Fails if there is no such directory, or the result is no UTF-8.
pub fn make_absolute(table: &mut Table, folder: &Path) -> Result<()> {
    let Some(env) = table.get_mut("env").and_then(Value::as_table_mut) else { return Ok(()) };
    for (key, is_path) in PATHS {
        if let Some(Value::String(path)) = env.get_mut(key)
            && is_path(path)
        {
            let absolute = absolute(path, folder)?;
            let unreadable =
                || stpn_agents::Error::config(format!("env.{key}"), format!("{} is not UTF-8", absolute.display()));
            *path = absolute.to_str().ok_or_else(unreadable)?.to_string();
        }
    }
    Ok(())
}

/// The folder from which paths in the file at `path` are read.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

fn absolute(path: &str, folder: &Path) -> Result<PathBuf> {
    let path = match path.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => {
            let home = env::home_dir().ok_or_else(|| Error::Unfit(format!("{path}: there is no home directory")))?;
            home.join(rest.trim_start_matches('/'))
        }
        _ => folder.join(path),
    };
    std::path::absolute(&path).map_err(Error::io("cannot make absolute", &path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(text: &str, folder: &str) -> Table {
        let mut table = text.parse().unwrap();
        make_absolute(&mut table, Path::new(folder)).unwrap();
        table
    }

    #[test]
    fn relative_paths_and_home_were_read_from_wherever_one_stood_later() {
        let here = env::current_dir().unwrap();
        let home = env::home_dir().unwrap();
        for (folder, value, expected) in [
            ("/models", "hopper.xml", PathBuf::from("/models/hopper.xml")),
            ("/models", "/other/hopper.xml", PathBuf::from("/other/hopper.xml")),
            ("/models", "~/hopper.xml", home.join("hopper.xml")),
            ("", "hopper.xml", here.join("hopper.xml")),
            ("runs", "models/hopper.xml", here.join("runs/models/hopper.xml")),
        ] {
            let table = made(&format!("[env]\nxml_file = '{value}'"), folder);
            assert_eq!(table["env"]["xml_file"].as_str(), expected.to_str(), "{value} in {folder}");
        }
        for (key, value, expected) in [
            ("game", "pong", "pong"),
            ("game", "mine.bin", "/games/mine.bin"),
            ("make", "my_env.py:make", "/games/my_env.py:make"),
            ("make", "my_package.envs:make", "my_package.envs:make"),
        ] {
            let table = made(&format!("[env]\n{key} = '{value}'"), "/games");
            assert_eq!(table["env"][key].as_str(), Some(expected));
        }
        assert_eq!(made("[task]\nname = 'art'", "/games"), "[task]\nname = 'art'".parse().unwrap());
    }
}
