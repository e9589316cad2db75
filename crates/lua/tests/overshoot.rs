//! A kill overshoots its budget by a bounded amount of work: the longest stretch in which a native or an instruction cannot be
//! interrupted, in fuel. (What a unit of fuel takes is measured by the benchmark of the same name.)

mod overshoot_cases;

use overshoot_cases::{CASES, MAX_STRETCH_FUEL, measure};

/// Bytes or slots of work that a unit of fuel pays for at most: looking through memory is the fastest of all.
const MOST_WORK_FOR_FUEL: u64 = 80;

#[test]
fn nothing_works_long_without_a_pause() {
    let mut problems = Vec::new();
    for case in CASES {
        let measured = match measure(case, 1) {
            Ok(measured) => measured,
            Err(e) => {
                problems.push(format!("{}: {e}", case.name));
                continue;
            }
        };
        let longest = measured.longest_fuel;
        if longest > MAX_STRETCH_FUEL && case.gap.is_none() {
            problems.push(format!("{}: a stretch of {longest} fuel", case.name));
        }
        if measured.total_fuel < case.work / MOST_WORK_FOR_FUEL {
            problems.push(format!(
                "{}: {} units of work for {} fuel",
                case.name, case.work, measured.total_fuel
            ));
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}
