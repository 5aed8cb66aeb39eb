//! The memory of this process.

/// Peak resident memory of this process in MiB; nothing if the system does not say.
pub fn peak_mib() -> Option<f64> {
    status("VmHWM:")
}

/// Resident memory of this process at present in MiB; nothing if the system does not say.
pub fn resident_mib() -> Option<f64> {
    status("VmRSS:")
}

fn status(field: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}
