//! How much memory this process has and could still take, if the system says so (Linux): asking for more would end the
//! whole process.

use std::fs;

/// The bytes that this process could still take.
pub fn available() -> Option<u64> {
    let left = group("memory.max").zip(group("memory.current")).map(|(most, now)| most.saturating_sub(now));
    of_file("/proc/meminfo", "MemAvailable:").into_iter().chain(left).min()
}

/// The bytes that this process has now.
pub fn taken() -> Option<u64> {
    of_file("/proc/self/status", "VmRSS:")
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
