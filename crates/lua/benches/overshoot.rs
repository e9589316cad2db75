//! `cargo bench -p rille-lua --bench overshoot [FILTER]`: for each native and instruction that can be made to work long, the
//! longest stretch in which it cannot be interrupted, in fuel and in time, and what a unit of fuel takes. What a kill
//! overshoots its budget by is at most such a stretch. The same cases are a test (`tests/overshoot.rs`), which looks
//! at the fuel only.

#[path = "../tests/overshoot_cases/mod.rs"]
mod overshoot_cases;

use overshoot_cases::{CASES, MAX_STRETCH_FUEL, measure};

/// Of so many runs the fastest counts: a stretch is as long as the machine lets it be, not as its neighbours do.
const RUNS: usize = 5;
/// One slice for all of a case.
const WHOLE: u64 = 1 << 50;

fn main() {
    let filter = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let filter = filter.unwrap_or_default();
    println!("| case | work | fuel | ns per fuel | longest stretch, fuel | us | gap |");
    println!("|---|---|---|---|---|---|---|");
    let (mut most_fuel, mut most_time, mut slowest) = (0, 0.0f64, 0.0f64);
    for case in CASES.iter().filter(|case| case.name.contains(&filter)) {
        let mut runs = Vec::new();
        for _ in 0..RUNS {
            match (measure(case, 1), measure(case, WHOLE)) {
                (Ok(sliced), Ok(whole)) => runs.push((sliced, whole)),
                (Err(e), _) | (_, Err(e)) => println!("| {} | {} |", case.name, e.message()),
            }
        }
        let stretch = runs.iter().map(|(sliced, _)| sliced.longest_time).min();
        let time = runs.iter().map(|(_, whole)| whole.total_time).min();
        let (Some((sliced, whole)), Some(stretch), Some(time)) = (runs.first(), stretch, time)
        else {
            continue;
        };
        let microseconds = stretch.as_secs_f64() * 1e6;
        let rate = time.as_secs_f64() * 1e9 / whole.total_fuel.max(1) as f64;
        if case.gap.is_none() {
            most_fuel = most_fuel.max(sliced.longest_fuel);
            most_time = most_time.max(microseconds);
        }
        if whole.total_fuel > 100_000 {
            slowest = slowest.max(rate);
        }
        println!(
            "| {} | {} | {} | {rate:.1} | {} | {microseconds:.0} | {} |",
            case.name.replace('|', "\\|"),
            case.work,
            whole.total_fuel,
            sliced.longest_fuel,
            case.gap.unwrap_or("")
        );
    }
    println!(
        "\nWithout the gaps: at most {most_fuel} fuel ({MAX_STRETCH_FUEL} allowed), {most_time:.0} us; at most {slowest:.1} ns for a unit of fuel."
    );
}
