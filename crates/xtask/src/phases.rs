//! The phases of a long task, each with its time.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// What has run so far, and how long it took. The table is printed when this goes, after a failure too.
#[derive(Default)]
pub struct Phases {
    done: Vec<(&'static str, Duration)>,
}

impl Phases {
    /// Runs one phase; its error says which one it was.
    pub fn run<T>(&mut self, name: &'static str, phase: impl FnOnce() -> Result<T>) -> Result<T> {
        println!("\n== {name}");
        let start = Instant::now();
        let result = phase();
        self.done.push((name, start.elapsed()));
        result.context(name)
    }
}

impl Drop for Phases {
    fn drop(&mut self) {
        println!("\nphase                                   time");
        for (name, time) in &self.done {
            println!("{name:<35} {}", minutes(*time));
        }
        println!("{:<35} {}", "all", minutes(self.done.iter().map(|(_, time)| *time).sum()));
    }
}

fn minutes(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    format!("{:>4} min {:>2} s", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_phase_is_named_and_timed() {
        let mut phases = Phases::default();
        assert_eq!(phases.run("first", || Ok(7)).unwrap(), 7);
        let error = phases.run("second", || -> Result<()> { anyhow::bail!("no") }).unwrap_err();
        assert_eq!(format!("{error:#}"), "second: no");
        let names: Vec<&str> = phases.done.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["first", "second"]);
        assert_eq!(minutes(Duration::from_secs(125)), "   2 min  5 s");
    }
}
