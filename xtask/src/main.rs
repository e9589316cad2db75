//! The project's own commands, run as `cargo xtask COMMAND`. Each is one file here and does one thing; what they share
//! with the tests lives in `rille-testkit`.
#![forbid(unsafe_code)]

mod asan;
mod attacks;
mod bench;
mod counts;
mod fuzz;
mod measure;
mod metering;
mod packages;
mod scripts;
mod section;
mod shell;
mod suite;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test [--no-install]                           everything: install what the tests need, build, run all tests
  golden [--with CMD] [--bless] [FILTER]        the scripts under tests/lua; --bless rewrites what they should print
  official [--with CMD] [--dialect V] [FILE...] the official suites of Lua 5.3, 5.4 and 5.5, file by file
  stress [--with CMD] [FILTER]                  the scripts, with a collection at every allocation and freed objects poisoned
  attacks [--write | FILTER]                    the attacks, each in its process with 256 KiB of native stack, and their table
  asan [--stress] [FILTER]                      the VM's tests and the scripts under AddressSanitizer (nightly toolchain)
  fuzz [TARGET] [--seconds N]                   coverage-guided fuzzing, N seconds a target (nightly toolchain, cargo-fuzz)
  soak [--minutes N] [--target NAME]            the fuzz targets over new seeds, for N minutes altogether (stable toolchain)
  bench [-n N] [--write] [PLACE...]             programs against the lua5.4 and luajit on PATH, by the fastest of N (5) runs in turn,
                                                then calls between Rust and Lua and the collector's pauses. With PLACE: the
                                                programs in those files and folders and nothing else. --write: into benches/README.md
  counts [--write]                              the instructions of some programs against benches/counts.txt (valgrind);
                                                --write stores what was counted
  metering PLACE...                             what counting instructions costs, over the programs in folders or files

CMD is a command line that takes a script, such as `lua5.4` or `target/release/rille lua`; the default builds and runs
the release binary.";

fn main() -> ExitCode {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    if words.is_empty() {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    }
    let command = words.remove(0);
    let result = match command.as_str() {
        "test" => suite::test(&words),
        "golden" => scripts::golden(&words),
        "official" => scripts::official(&words),
        "stress" => scripts::stress(&words),
        "attacks" => attacks::run(&words),
        "asan" => asan::run(&words),
        "fuzz" => fuzz::fuzz(&words),
        "soak" => fuzz::soak(&words),
        "bench" => bench::run(&words),
        "counts" => counts::run(&words),
        "measured" => measure::measured(&words),
        "metering" => metering::run(&words),
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(true)
        }
        _ => Err(format!("there is no command `{command}`\n\n{USAGE}")),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}
