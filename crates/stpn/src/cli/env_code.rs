//! Code of the user's own that makes an environment, on the command line.

use std::path::Path;

use anyhow::Result;
use clap::Args;
use toml::{Table, Value};

use crate::paths;
use crate::training_request::name_code;

/// Code of the user's own that makes an environment of Gymnasium. Naming it is leave to run it.
#[derive(Debug, Default, Args)]
pub struct EnvCodeArguments {
    /// The Python function that makes the environment, `my_env.py:make` or `my_package.envs:make` (the key `env.make`).
    /// With a checkpoint, this allows the function of that name to be run.
    #[arg(long, value_name = "FILE.py:NAME")]
    pub env_make: Option<String>,
    /// A Python module that registers the environment (the key `env.import`); may be given several times. With a
    /// checkpoint, this allows the module of that name to be run.
    #[arg(long, value_name = "MODULE")]
    pub env_import: Vec<String>,
}

impl EnvCodeArguments {
    /// Writes it to a configuration.
    pub fn apply(&self, table: &mut Table) {
        name_code(table, self.env_make.as_deref(), &self.env_import);
    }

    /// What may be run, as configurations of runs name it.
    ///
    /// # Errors
    /// Fails if a path cannot be made absolute.
    pub fn leave(&self) -> Result<Vec<String>> {
        // As `train` does it.
        let mut table = Table::new();
        self.apply(&mut table);
        paths::make_absolute(&mut table, Path::new(""))?;
        let made = table.get("env").and_then(|env| env.get("make")).and_then(Value::as_str);
        Ok(made.map(String::from).into_iter().chain(self.env_import.iter().cloned()).collect())
    }

    /// What the experiment is called after it.
    pub fn named(&self) -> Option<String> {
        let (module, name) = self.env_make.as_ref()?.rsplit_once(':')?;
        let module = Path::new(module).file_stem()?.to_string_lossy().into_owned();
        Some(format!("{module}-{name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_configured_and_may_be_run() {
        let code = EnvCodeArguments {
            env_make: Some("envs/my_env.py:make".into()),
            env_import: vec!["one".into(), "two".into()],
        };
        let mut table: Table = "[env]\nname = 'gymnasium'\nid = 'CartPole-v1'".parse().unwrap();
        code.apply(&mut table);
        let expected = "[env]\nname = 'gymnasium'\nmake = 'envs/my_env.py:make'\nimport = ['one', 'two']";
        assert_eq!(table, expected.parse().unwrap());
        let path = std::env::current_dir().unwrap().join("envs/my_env.py:make");
        assert_eq!(code.leave().unwrap(), [path.to_str().unwrap(), "one", "two"]);
        assert_eq!(code.named().unwrap(), "my_env-make");

        let before = table.clone();
        EnvCodeArguments::default().apply(&mut table);
        assert_eq!(table, before);
        assert!(EnvCodeArguments::default().leave().unwrap().is_empty());
    }
}
