//! Cells of one's own, by name: registered by a program at its start, then configured, trained and resumed like those of
//! this crate.
//!
//! In a configuration they are `policy.cell.name = "custom"` with their `id` and `options`, which are whatever the
//! registered type of settings takes.
//!
//! ```
//! # use stpn_core::cells::{CellConfig, CellName, Rnn, RnnConfig};
//! # use stpn_core::{Result, custom};
//! # fn main() -> Result<()> {
//! custom::register("elman", "a plain recurrent network", |config: &RnnConfig, parts, init| {
//!     Rnn::new(config, parts, init)
//! })?;
//! let text = r#"{"name": "custom", "id": "elman", "options": {"split": true}}"#;
//! let config: CellConfig = serde_json::from_str(text).unwrap();
//! assert_eq!((config.label(), "elman".parse::<CellName>()?.as_str()), ("elman", "elman"));
//! # Ok(())
//! # }
//! ```

use serde::de::DeserializeOwned;

pub use crate::registered::{CustomConfig, Registered, find, registered};
use crate::{Cell, CellName, CellParts, Error, Initializer, Result, registered};

/// Registers a cell for this process, with a summary of one line. `make` takes its settings, any type that serde reads
/// from `policy.cell.options`, and then what the constructors of this crate's cells take: parts that have sizes and no
/// parameters yet, and where initial values come from.
///
/// # Errors
/// [`Error::Config`] if the name is taken, by one of this crate's cells too.
pub fn register<C, T>(
    name: &str,
    summary: &str,
    make: impl Fn(&C, CellParts, &mut Initializer<'_>) -> Result<T> + Send + Sync + 'static,
) -> Result<()>
where
    C: DeserializeOwned,
    T: Cell + 'static,
{
    if CellName::ALL.iter().any(|known| known.as_str() == name) || name == "custom" {
        return Err(Error::Config { key: "id", problem: format!("`{name}` is the name of a cell of this crate") });
    }
    registered::insert(name, summary, make)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Tensor};
    use serde_json::Value;
    use stpn_random::Stream;

    use super::*;
    use crate::cells::{Mlp, MlpConfig, Rnn, RnnConfig};
    use crate::{CellConfig, Kernel, State, Step};

    fn build(config: &CellConfig) -> Result<Box<dyn Cell>> {
        let mut stream = Stream::from_seed(1);
        config.build(3, 4, Kernel::Auto, &mut Initializer::new(&mut stream, DType::F32, &Device::Cpu))
    }

    #[test]
    fn a_registered_cell_is_made_by_its_name_and_reads_its_options() {
        register("elman", "a plain recurrent network", Rnn::new).unwrap();
        let name: CellName = "elman".parse().unwrap();
        assert_eq!((name.as_str(), name.description()), ("elman", "a plain recurrent network"));
        assert!(CellName::all().contains(&name) && !CellName::ALL.contains(&name));
        let config = name.config();
        assert_eq!(config.label(), "elman");
        let json = serde_json::json!({ "name": "custom", "id": "elman" });
        assert_eq!(serde_json::from_value::<CellConfig>(json.clone()).unwrap(), config);
        assert_eq!(serde_json::to_value(&config).unwrap(), json);
        assert_eq!(find("elman").unwrap().keys, Some(&["split"][..]));

        let names = |cell: &dyn Cell| cell.parameters().iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>();
        assert_eq!(names(build(&config).unwrap().as_ref()), ["weight", "bias"]);
        let mut custom = CustomConfig::new("elman");
        custom.options = serde_json::json!({ "split": true });
        let cell = build(&CellConfig::Custom(custom.clone())).unwrap();
        assert_eq!(names(cell.as_ref()), ["weight_ih", "weight_hh", "bias"]);
        custom.options = serde_json::json!({ "split": 3 });
        let error = custom.check().unwrap_err().to_string();
        assert!(error.contains("cell.options") && error.contains('3'), "{error}");
    }

    #[test]
    fn names_are_registered_once_and_before_they_are_used() {
        let register = |name: &str| register::<RnnConfig, Rnn>(name, "", Rnn::new).map_err(|error| error.to_string());
        register("taken").unwrap();
        assert!(register("taken").unwrap_err().contains("`taken`"));
        for ours in ["stpn", "gru", "custom"] {
            assert!(register(ours).unwrap_err().contains("of this crate"), "{ours}");
        }
        let error = build(&CellConfig::Custom(CustomConfig::new("never"))).unwrap_err().to_string();
        assert!(error.contains("`never`") && error.contains("taken") && error.contains("register"), "{error}");
        let error = "never".parse::<CellName>().unwrap_err().to_string();
        assert!(error.contains("taken") && error.contains("stpnf"), "{error}");
    }

    /// A layer that is not what it says.
    #[derive(Debug)]
    struct Liar {
        parts: CellParts,
        layer: Mlp,
        energy: usize,
    }

    impl Cell for Liar {
        fn parts(&self) -> &CellParts {
            &self.parts
        }

        fn step(&self, x: &Tensor, _: &State) -> Result<Step> {
            let hidden = self.layer.step(x, &State::new(x.dim(0)?, Vec::new()))?.hidden;
            Ok(Step { state: State::new(x.dim(0)?, vec![("h", hidden.narrow(1, 0, 2)?)]), hidden })
        }

        fn energy_per_unit(&self, x: &Tensor, _: &State, _: Option<&Tensor>) -> Result<Tensor> {
            Ok(Tensor::zeros((x.dim(0)?, self.energy), DType::F32, x.device())?)
        }
    }

    #[test]
    fn a_cell_of_other_shapes_than_it_declares_is_refused_when_it_is_made() {
        let liar = |name: &str, units: usize, state: usize, energy: usize, twice: bool| {
            let make = move |_: &(), mut parts: CellParts, init: &mut Initializer<'_>| {
                let layer = Mlp::new(&MlpConfig::default(), parts.clone(), init)?;
                parts.hidden += units;
                parts.add_state("h", [state]);
                if twice {
                    parts.add_state("h", [state]);
                }
                Ok(Liar { parts, layer, energy })
            };
            register(name, "", make).unwrap();
            let config = CustomConfig { id: name.into(), options: Value::Null };
            build(&CellConfig::Custom(config)).map_err(|error| error.to_string())
        };
        assert!(liar("honest", 0, 2, 4, false).is_ok());
        for (name, problem, made) in [
            ("wide", "5 units", liar("wide", 1, 2, 4, false)),
            ("forgetful", "the state's h", liar("forgetful", 0, 3, 4, false)),
            ("tireless", "energy_per_unit", liar("tireless", 0, 2, 1, false)),
            ("double", "two fields", liar("double", 0, 2, 4, true)),
        ] {
            let error = made.unwrap_err();
            assert!(error.contains(&format!("`{name}`")) && error.contains(problem), "{error}");
        }
    }
}
