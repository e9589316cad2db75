//! What the compiler made of the interpreter, read from the binary under test with `objdump`.
//!
//! In an optimised build each opcode's handler must *jump* to the next one. A handler that calls instead takes some of the native
//! stack at every instruction: a script would overflow it. Nothing but the machine code shows which it is.

use std::collections::BTreeMap;
use std::process::Command;

/// Functions of the interpreter's modules that are no handlers, and may be called.
const HELPERS: &[&str] = &[
    "natives::act",
    "natives::begin_call",
    "natives::call_definition",
    "natives::call_value",
    "natives::return_to_native",
    "natives::run_native",
    "natives::run_quick",
    "natives::yield_some",
    "natives::resume_some",
    "natives::wrapped_some",
    "natives::pcall",
    "natives::protect",
    "natives::xpcall",
    "slow_value",
    "arith::concat",
    "begin",
    "finish",
    "index::assign",
    "inherit::call_index",
    "index::index_slowly",
    "jumps::decide",
    "jumps::order",
    "jumps::equal_tables",
    "arith::operate",
    "run_lua",
];

/// `vm::run` functions by name, without the hash, and the calls in each.
fn calls_of_handlers(disassembly: &str) -> BTreeMap<String, Vec<String>> {
    let mut functions = BTreeMap::new();
    let mut current = None;
    for line in disassembly.lines() {
        if let Some((_, rest)) = line.split_once(" <")
            && let Some(symbol) = rest.strip_suffix(">:")
        {
            current = name(symbol);
            if let Some(name) = &current {
                functions.entry(name.clone()).or_insert_with(Vec::new);
            }
        } else if let Some(name) = &current
            && let Some(instruction) = line.split('\t').next_back()
            && (instruction.starts_with("call") || instruction.starts_with("bl"))
        {
            let calls: &mut Vec<String> = functions.get_mut(name).expect("entered above");
            calls.push(instruction.to_owned());
        }
    }
    functions
}

/// `module::function` of a symbol of `rille_lua::vm::run`.
fn name(symbol: &str) -> Option<String> {
    let path = symbol.split("rille_lua::vm::run::").nth(1)?;
    Some(path.split("::h").next().unwrap_or(path).to_owned())
}

/// Whether a call may end in a handler: through the table of handlers, or by name.
fn calls_a_handler(call: &str, handlers: &BTreeMap<String, Vec<String>>) -> bool {
    if let Some((_, target)) = call.split_once('<') {
        return name(target.trim_end_matches('>')).is_some_and(|name| handlers.contains_key(&name));
    }
    // Through a register, but not through the table of other libraries' functions.
    call.contains('*') && !call.contains("(%rip)") || call.starts_with("blr")
}

#[test]
fn no_handler_is_called() {
    let binary = rille_testkit::judged_binary(env!("CARGO_BIN_EXE_rille"));
    let optimised = binary
        .components()
        .any(|part| part.as_os_str() == "release");
    let output = Command::new("objdump")
        .args(["-d", "--no-show-raw-insn", "-C"])
        .arg(&binary)
        .output()
        .expect("objdump comes with the linker");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut handlers = calls_of_handlers(&String::from_utf8_lossy(&output.stdout));
    handlers.retain(|name, _| {
        !name.contains('<') && !name.contains('{') && !HELPERS.contains(&name.as_str())
    });
    assert!(
        handlers.len() > 100,
        "only {} handlers were found",
        handlers.len()
    );
    let called: Vec<String> = handlers
        .iter()
        .flat_map(|(name, calls)| calls.iter().map(move |call| (name, call)))
        .filter(|(_, call)| calls_a_handler(call, &handlers))
        .map(|(name, call)| format!("{name}: {call}"))
        .collect();
    // Other builds have the loop: there the machine code says nothing.
    assert!(!optimised || called.is_empty(), "{}", called.join("\n"));
}
