//! Chooses the form of the interpreter (see `vm::run`).
//!
//! `threaded`: each handler ends with a call of the next one, which an optimising compiler makes a jump. Where it does not
//! (without optimisation, or with code added at the end of functions) the calls would pile up on the native stack: there
//! each handler returns to a loop. Builds with a sanitizer set `--cfg rille_loop`.
//!
//! `--cfg rille_pieces`: tables grow in pieces from a few entries on (see `table`), so that small programs test it.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(threaded)");
    println!("cargo::rustc-check-cfg=cfg(rille_loop)");
    println!("cargo::rustc-check-cfg=cfg(fuzzing)");
    println!("cargo::rustc-check-cfg=cfg(rille_pieces)");
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, values: &[&str]| {
        std::env::var(name).is_ok_and(|value| values.contains(&value.as_str()))
    };
    // More than six arguments in registers: not everywhere.
    let registers = is("CARGO_CFG_TARGET_ARCH", &["aarch64"])
        || is("CARGO_CFG_TARGET_ARCH", &["x86_64"]) && !is("CARGO_CFG_TARGET_OS", &["windows"]);
    let plain = std::env::var("CARGO_CFG_RILLE_LOOP").is_err()
        && std::env::var("CARGO_CFG_FUZZING").is_err()
        && std::env::var("CARGO_CFG_SANITIZE").is_err();
    if is("OPT_LEVEL", &["2", "3"]) && registers && plain {
        println!("cargo::rustc-cfg=threaded");
    }
}
