//! The cells of one's own that this process knows, and how a configuration names one of them.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use candle_core::Tensor;
use schemars::JsonSchema;
use serde::de::value::Error as NoValue;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use serde::{Deserialize, Serialize, forward_to_deserialize_any};
use serde_json::Value;

use crate::{Cell, CellParts, Error, Initializer, Result};

/// A registered cell with its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomConfig {
    /// The name under which it was registered.
    pub id: String,
    /// Its own keys; a table without any if it is left out.
    #[serde(default = "empty", skip_serializing_if = "is_empty")]
    pub options: Value,
}

fn empty() -> Value {
    Value::Object(serde_json::Map::new())
}

fn is_empty(options: &Value) -> bool {
    options.as_object().is_some_and(serde_json::Map::is_empty)
}

/// Makes a cell of given sizes from its options.
type Build = dyn Fn(&Value, CellParts, &mut Initializer<'_>) -> Result<Box<dyn Cell>> + Send + Sync;

/// A cell that this process has registered.
pub struct Registered {
    /// Its name.
    pub name: &'static str,
    /// What it is, in one line.
    pub summary: &'static str,
    /// Its own keys; none if its settings are no table of named ones.
    pub keys: Option<&'static [&'static str]>,
    check: fn(&Value) -> Result<()>,
    build: Box<Build>,
}

static REGISTERED: RwLock<BTreeMap<&'static str, &'static Registered>> = RwLock::new(BTreeMap::new());

/// Adds a cell; see [`crate::custom::register`].
pub(crate) fn insert<C, T>(
    name: &str,
    summary: &str,
    make: impl Fn(&C, CellParts, &mut Initializer<'_>) -> Result<T> + Send + Sync + 'static,
) -> Result<()>
where
    C: DeserializeOwned,
    T: Cell + 'static,
{
    let mut registered = REGISTERED.write().unwrap_or_else(PoisonError::into_inner);
    if registered.contains_key(name) {
        let problem = format!("`{name}` is the name of a cell registered before");
        return Err(Error::Config { key: "id", problem });
    }
    // Cells live as long as the process, as those of this crate do.
    let kept = |text: &str| -> &'static str { text.to_string().leak() };
    let cell: &'static Registered = Box::leak(Box::new(Registered {
        name: kept(name),
        summary: kept(summary),
        keys: fields::<C>(),
        check: |options| settings::<C>(options).map(drop),
        build: Box::new(move |options, parts, init| Ok(Box::new(make(&settings(options)?, parts, init)?))),
    }));
    registered.insert(cell.name, cell);
    Ok(())
}

/// The cells registered so far, sorted by name.
pub fn registered() -> Vec<&'static Registered> {
    REGISTERED.read().unwrap_or_else(PoisonError::into_inner).values().copied().collect()
}

/// The cell registered under that name.
pub fn find(name: &str) -> Option<&'static Registered> {
    REGISTERED.read().unwrap_or_else(PoisonError::into_inner).get(name).copied()
}

impl CustomConfig {
    /// The cell registered under that name, with an empty table of options.
    pub fn new(id: &str) -> Self {
        Self { id: id.into(), options: empty() }
    }

    /// The cell that is meant.
    ///
    /// # Errors
    /// [`Error::Unregistered`] if this process has registered none of that name.
    pub fn registered(&self) -> Result<&'static Registered> {
        find(&self.id).ok_or_else(|| {
            let names: Vec<&str> = registered().iter().map(|cell| cell.name).collect();
            let registered = if names.is_empty() { "none".into() } else { names.join(", ") };
            Error::Unregistered { id: self.id.clone(), registered }
        })
    }

    /// Refuses options that its settings cannot be read from.
    ///
    /// # Errors
    /// [`Error::Unregistered`], [`Error::Config`].
    pub fn check(&self) -> Result<()> {
        (self.registered()?.check)(&self.options)
    }

    /// Makes one such cell, and takes a step of it to see that its shapes are those that it declares.
    ///
    /// # Errors
    /// As [`CustomConfig::check`]; [`Error::Shape`] for a step of other shapes; what else its constructor says.
    pub fn build(&self, parts: CellParts, init: &mut Initializer<'_>) -> Result<Box<dyn Cell>> {
        let sizes = [parts.input, parts.hidden];
        let cell = (self.registered()?.build)(&self.options, parts, init)?;
        self.try_out(cell.as_ref(), sizes, init)?;
        Ok(cell)
    }

    /// What nobody but the author of a cell can have tested, at the place where it would not be understood later on.
    fn try_out(&self, cell: &dyn Cell, [input, hidden]: [usize; 2], init: &Initializer<'_>) -> Result<()> {
        let refuse = |problem: String| Err(Error::Config { key: "id", problem: format!("`{}` {problem}", self.id) });
        if [cell.input_size(), cell.hidden_size()] != [input, hidden] {
            let made = format!("{} inputs and {} units", cell.input_size(), cell.hidden_size());
            return refuse(format!("was made with {made}, not with {input} and {hidden}"));
        }
        let parameters = cell.parameters().iter().map(|(name, _)| name);
        let fields = cell.state_layout().iter().map(|field| field.name);
        for mut names in [parameters.collect::<Vec<_>>(), fields.collect()] {
            names.sort_unstable();
            if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
                return refuse(format!("has two parameters or two fields of its state named `{}`", twice[0]));
            }
        }
        let batch = 2;
        let (x, state) = (Tensor::zeros((batch, input), cell.dtype(), init.device())?, cell.zero_state(batch)?);
        let shape = |what: &str, expected: &[usize], got: &[usize]| match got == expected {
            true => Ok(()),
            false => Err(Error::Shape {
                what: format!("{what} of the cell `{}`", self.id),
                expected: format!("{expected:?}"),
                got: got.to_vec(),
            }),
        };
        let step = cell.step(&x, &state)?;
        shape("the activity", &[batch, hidden], step.hidden.dims())?;
        for field in cell.state_layout() {
            let expected: Vec<usize> = std::iter::once(batch).chain(field.shape.iter().copied()).collect();
            shape(&format!("the state's {}", field.name), &expected, step.state.get(field.name)?.dims())?;
        }
        shape("energy_per_unit", &[batch, hidden], cell.energy_per_unit(&x, &state, None)?.dims())
    }
}

impl std::fmt::Debug for Registered {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Registered").field("name", &self.name).finish_non_exhaustive()
    }
}

fn settings<C: DeserializeOwned>(options: &Value) -> Result<C> {
    let refuse = |error: serde_json::Error| Error::Config { key: "options", problem: error.to_string() };
    C::deserialize(options).map_err(refuse)
}

/// The names of the fields that a type reads; none if it is no struct.
fn fields<C: DeserializeOwned>() -> Option<&'static [&'static str]> {
    let mut found = None;
    // What it asks for is all that is wanted: it gets nothing.
    let _ = C::deserialize(Fields(&mut found));
    found
}

struct Fields<'f>(&'f mut Option<&'static [&'static str]>);

impl<'de> Deserializer<'de> for Fields<'_> {
    type Error = NoValue;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> std::result::Result<V::Value, NoValue> {
        Err(NoValue::custom("nothing is here"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> std::result::Result<V::Value, NoValue> {
        *self.0 = Some(fields);
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
