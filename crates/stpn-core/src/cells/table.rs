//! What the table of cells becomes.

/// Makes [`super::CellConfig`] and [`super::CellName`] from one entry per cell:
///
/// ```text
/// /// What it is.
/// Variant(Config), Cell, label => { Name, "name", "what it is, in one line", options; … }
/// ```
///
/// `Config` are its settings, with serde and a schema; `Cell::new(&Config, CellParts, &mut Initializer)` makes it. The
/// names are what command lines and tables call it, one for each choice of options that has a name, and
/// `label(&Config)` tells which of them some settings are.
macro_rules! cells {
    ($(
        $(#[$doc:meta])*
        $variant:ident($config:ident), $cell:ident, $label:expr =>
        { $($name:ident, $text:literal, $description:literal, $options:expr;)* }
    )*) => {
        /// Which cell (`name`), with its options. Options left out take the published settings; unknown ones are refused.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "name", rename_all = "kebab-case")]
        pub enum CellConfig {
            $(
                $(#[$doc])*
                $variant($config),
            )*
            /// A cell of one's own, by the name under which a program registers it.
            Custom(CustomConfig),
        }

        impl CellConfig {
            /// A cell of `input` inputs and `hidden` units with initial values from `init`.
            ///
            /// # Errors
            /// [`crate::Error::Config`] if an option or a size is impossible, naming its key.
            pub fn build(
                &self,
                input: usize,
                hidden: usize,
                kernel: Kernel,
                init: &mut Initializer,
            ) -> Result<Box<dyn Cell>> {
                let parts = CellParts::new(input, hidden, kernel)?;
                Ok(match self {
                    $(Self::$variant(config) => Box::new($cell::new(config, parts, init)?),)*
                    Self::Custom(config) => config.build(parts, init)?,
                })
            }

            /// A short name of what it is, e.g. `stpnf`; options that have no name of their own do not show in it.
            pub fn label(&self) -> &str {
                match self {
                    $(Self::$variant(config) => {
                        let label: fn(&$config) -> CellName = $label;
                        label(config).as_str()
                    })*
                    Self::Custom(config) => &config.id,
                }
            }
        }

        /// A cell of the paper or of its comparisons, or one that this process has registered ([`crate::custom`]), by
        /// name. [`CellName::config`] gives its options.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum CellName {
            $($(
                #[doc = $description]
                $name,
            )*)*
            /// A registered one, by its name.
            Custom(&'static str),
        }

        impl CellName {
            /// All names of this crate, in the order in which they are listed.
            pub const ALL: [Self; [$($($text),*),*].len()] = [$($(Self::$name),*),*];

            /// The name as it is written.
            pub fn as_str(self) -> &'static str {
                match self {
                    $($(Self::$name => $text,)*)*
                    Self::Custom(name) => name,
                }
            }

            /// What it is, in one line.
            pub fn description(self) -> &'static str {
                match self {
                    $($(Self::$name => $description,)*)*
                    Self::Custom(name) => registered::find(name).map_or("", |cell| cell.summary),
                }
            }

            /// The published options. A task may differ from them: the maze's STPN normalises its state after the update
            /// and clamps it at 1.
            pub fn config(self) -> CellConfig {
                match self {
                    $($(Self::$name => CellConfig::$variant($options),)*)*
                    Self::Custom(name) => CellConfig::Custom(CustomConfig::new(name)),
                }
            }
        }
    };
}

pub(super) use cells;
