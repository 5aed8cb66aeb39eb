//! How much memory there is, where the system says so (Linux): what could not be had would end the whole process.

use std::fs;

/// The bytes of the machine's memory, or those that this process's control group may have, if they are fewer.
pub fn whole() -> Option<u64> {
    least(of_file("/proc/meminfo", "MemTotal:"), group("memory.max"))
}

/// The bytes that this process could still take.
pub fn available() -> Option<u64> {
    let left = group("memory.max").zip(group("memory.current")).map(|(most, now)| most.saturating_sub(now));
    least(of_file("/proc/meminfo", "MemAvailable:"), left)
}

/// The bytes that this process has now.
pub fn taken() -> Option<u64> {
    of_file("/proc/self/status", "VmRSS:")
}

/// Bytes in words.
pub fn words(bytes: f64) -> String {
    const UNITS: [&str; 6] = ["MiB", "GiB", "TiB", "PiB", "EiB", "ZiB"];
    let (mut number, mut unit) = (bytes / f64::from(1 << 20), 0);
    while number >= 1000.0 && unit + 1 < UNITS.len() {
        (number, unit) = (number / 1024.0, unit + 1);
    }
    format!("{number:.1} {}", UNITS[unit])
}

fn least(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
}

/// A number of KiB in a file of one name and one number a line.
fn of_file(path: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let number = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(1024 * number.trim().trim_end_matches("kB").trim_end().parse::<u64>().ok()?)
}

/// A number that the control group has, which a container is: none if it is without limit.
fn group(file: &str) -> Option<u64> {
    fs::read_to_string(format!("/sys/fs/cgroup/{file}")).ok()?.trim().parse().ok()
}
