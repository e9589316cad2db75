//! `cargo bench -p rille-lua --bench overshoot [FILTER]`: for each native and instruction that can be made to work long, the
//! longest stretch in which it cannot be interrupted, in fuel and in time. What a kill overshoots its budget by is
//! at most such a stretch. The same cases are a test (`tests/overshoot.rs`), which looks at the fuel only.

#[path = "../tests/overshoot_cases/mod.rs"]
mod overshoot_cases;

use overshoot_cases::{CASES, MAX_STRETCH_FUEL, measure};

/// Of so many runs the fastest counts: a stretch is as long as the machine lets it be, not as its neighbours do.
const RUNS: usize = 3;

fn main() {
    let filter = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let filter = filter.unwrap_or_default();
    println!(
        "| case | work | total fuel | longest stretch, fuel | longest stretch, us | ns per fuel | gap |"
    );
    println!("|---|---|---|---|---|---|---|");
    let (mut most_fuel, mut most_time, mut slowest) = (0, 0.0f64, 0.0f64);
    for case in CASES.iter().filter(|case| case.name.contains(&filter)) {
        let mut runs: Vec<_> = match (0..RUNS).map(|_| measure(case)).collect() {
            Ok(runs) => runs,
            Err(e) => {
                println!("| {} | {} |", case.name, e.message());
                continue;
            }
        };
        runs.sort_by_key(|run| run.longest_time);
        let run = &runs[0];
        let microseconds = run.longest_time.as_secs_f64() * 1e6;
        // Slices of one unit pay for entering and leaving: the rate is that of the longest of them.
        let rate = microseconds * 1e3 / run.longest_fuel.max(1) as f64;
        if case.gap.is_none() {
            most_fuel = most_fuel.max(run.longest_fuel);
            most_time = most_time.max(microseconds);
            if run.longest_fuel > 10_000 {
                slowest = slowest.max(rate);
            }
        }
        println!(
            "| {} | {} | {} | {} | {microseconds:.0} | {rate:.1} | {} |",
            case.name.replace('|', "\\|"),
            case.work,
            run.total_fuel,
            run.longest_fuel,
            case.gap.unwrap_or("")
        );
    }
    println!(
        "\nWithout the gaps: at most {most_fuel} fuel ({MAX_STRETCH_FUEL} allowed), {most_time:.0} us; at most {slowest:.1} ns for one fuel."
    );
}
