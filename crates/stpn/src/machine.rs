//! Where and from what a result was made.

use std::fs;
use std::process::Command;

use serde::Serialize;
use stpn_agents::config::ComputeDevice;

/// The machine and the program.
#[derive(Clone, Debug, Serialize)]
pub struct Provenance {
    /// The processor's name.
    pub processor: String,
    /// Cores that are available.
    pub cores: usize,
    /// Operating system and architecture.
    pub system: String,
    /// Version of stpn.
    pub stpn: &'static str,
    /// Number of its arithmetic: results of one number may be compared bit for bit.
    pub numerics: u32,
    /// The commit checked out in the present directory, `-dirty` where files differ from it; unknown outside of one.
    pub commit: String,
}

impl Provenance {
    /// Of this process.
    pub fn here() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let name = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        Self {
            processor: name.map_or_else(|| "unknown processor".into(), |(_, name)| name.trim().to_string()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            stpn: env!("CARGO_PKG_VERSION"),
            numerics: stpn_core::NUMERICS,
            commit: git(&["describe", "--always", "--dirty", "--abbrev=12"]).unwrap_or_else(|| "unknown".into()),
        }
    }

    /// Of runs whose gradients that device computes.
    pub fn on(self, device: ComputeDevice) -> Self {
        Self { numerics: device.numerics(), ..self }
    }

    /// One line.
    pub fn line(&self) -> String {
        let Self { processor, cores, system, stpn, numerics, commit } = self;
        format!("{processor}, {cores} cores, {system}; stpn {stpn}, numerics {numerics}, commit {commit}")
    }
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_string())
}
