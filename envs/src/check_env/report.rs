//! What the checks found.

use std::fmt;

/// One rule and whether the environment keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// A short name.
    pub name: &'static str,
    /// The rule.
    pub claim: &'static str,
    /// How the environment breaks it; `None` if it does not.
    pub problem: Option<String>,
}

/// All rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The environment's name.
    pub environment: String,
    /// In the order in which they were checked.
    pub checks: Vec<Check>,
}

impl Report {
    /// Whether the environment keeps every rule.
    pub fn passed(&self) -> bool {
        self.failures().next().is_none()
    }

    /// The rules it breaks.
    pub fn failures(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.problem.is_some())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let passed = self.checks.len() - self.failures().count();
        writeln!(f, "{}: {passed} of {} checks passed", self.environment, self.checks.len())?;
        for Check { name, claim, problem } in &self.checks {
            match problem {
                None => writeln!(f, "  ok      {name:<13} {claim}")?,
                Some(problem) => writeln!(f, "  FAILED  {name:<13} {claim}: {problem}")?,
            }
        }
        Ok(())
    }
}
