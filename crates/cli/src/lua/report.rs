//! What a run has used, as one line of JSON on standard error when `RILLE_REPORT=1` is set: for the runner of the attacks
//! (`cargo xtask attacks`), which holds it against what each of them may use.
//!
//! **Invariant:** it is written last, when the VM is gone, so that nothing a script does comes after it or is not in it.

/// Begins the line; the runner looks for it.
const MARK: &str = "rille-report: ";

/// The line for a run that has used so much fuel.
pub fn line(fuel_used: u64, fuel_limit: Option<u64>) -> String {
    let limit = fuel_limit.map_or("null".to_owned(), |limit| limit.to_string());
    let peak = peak_rss_bytes();
    format!(
        "{MARK}{{\"fuel_used\": {fuel_used}, \"fuel_limit\": {limit}, \"peak_rss_bytes\": {peak}}}\n"
    )
}

/// The largest resident set this process has had; 0 where the system does not tell.
fn peak_rss_bytes() -> u64 {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|text| {
            let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
            line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
        })
        .map_or(0, |kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_json() {
        let line = line(12, Some(10));
        assert!(
            line.starts_with("rille-report: {\"fuel_used\": 12, \"fuel_limit\": 10, "),
            "{line}"
        );
        assert!(line.ends_with("}\n"));
        assert!(super::line(1, None).contains("\"fuel_limit\": null"));
    }
}
