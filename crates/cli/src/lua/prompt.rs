//! The prompt: reads a line, and more while it is incomplete; shows what an expression gives.

use super::editor::{Input, Line};
use super::machine::{Failure, Loaded, Machine};
use rille_lua::{Dialect, MultiValue, Value};

/// The name of what is typed.
const NAME: &str = "=stdin";

/// Runs what is typed until the end of input; returns the exit code. Messages have no program's name in front.
pub fn run(machine: &Machine) -> u8 {
    let mut input = Input::new(machine);
    loop {
        machine.forget_interrupt();
        let outcome = match read_chunk(machine, &mut input) {
            Ok(Typed::Chunk(loaded)) => loaded,
            Ok(Typed::Dropped) => continue,
            Ok(Typed::End) => break,
            // The prompt itself cannot be made.
            Err(failure) => return machine.report(None, &failure),
        };
        let outcome = outcome
            .and_then(|f| machine.call(&f, MultiValue::new()))
            .and_then(|values| show(machine, values));
        if let Err(failure) = outcome {
            let code = machine.report(None, &failure);
            if machine.is_stopped() {
                // A limit has ended a script: there is nothing left to run others on.
                return code;
            }
        }
    }
    machine.show(b"\n");
    0
}

/// What came of asking for a chunk.
enum Typed {
    /// A function, or why there is none.
    Chunk(Result<Value, Failure>),
    /// The user gave up what was typed so far.
    Dropped,
    End,
}

/// Reads and compiles a line as an expression, or as statements, reading on while these are incomplete.
fn read_chunk(machine: &Machine, input: &mut Input) -> Result<Typed, Failure> {
    let mut text = match ask(machine, input, "_PROMPT", b"> ")? {
        Line::Text(line) => match line.strip_prefix(b"=") {
            Some(expression) => [b"return ", expression].concat(),
            None => line,
        },
        Line::Dropped => return Ok(Typed::Dropped),
        Line::End => return Ok(Typed::End),
    };
    let expression = [b"return ", &*text, b";"].concat();
    if let Ok(f) = machine.load(&expression, NAME) {
        input.remember(&text);
        return Ok(Typed::Chunk(Ok(f)));
    }
    if is_local(&text) && machine.lua().dialect() >= Dialect::Lua55 {
        machine.warn(LOCALS_END);
    }
    let chunk = loop {
        match machine.try_load(&text, NAME) {
            Ok(Loaded::Function(f)) => break Ok(f),
            Err(failure) => break Err(failure),
            Ok(Loaded::Incomplete(failure)) => match ask(machine, input, "_PROMPT2", b">> ")? {
                Line::Text(line) => {
                    text.push(b'\n');
                    text.extend_from_slice(&line);
                }
                Line::Dropped => return Ok(Typed::Dropped),
                Line::End => break Err(failure),
            },
        }
    };
    input.remember(&text);
    Ok(Typed::Chunk(chunk))
}

/// From 5.5 on, what a line that declares a local variable is answered with.
const LOCALS_END: &[u8] = b"warning: locals do not survive across lines in interactive mode\n";

/// Whether a line begins with `local`.
fn is_local(line: &[u8]) -> bool {
    let line = line.trim_ascii_start();
    matches!(line.strip_prefix(b"local"), Some([b' ' | b'\t', ..] | []))
}

/// Asks for a line with the prompt that a global names.
fn ask(
    machine: &Machine,
    input: &mut Input,
    global: &str,
    default: &[u8],
) -> Result<Line, Failure> {
    let prompt = match machine.global(global)? {
        Value::Nil => default.to_vec(),
        value => machine.text(value)?,
    };
    Ok(input.read_line(machine, &prompt))
}

/// Prints results with the global `print`, as a script would.
fn show(machine: &Machine, values: MultiValue) -> Result<(), Failure> {
    if values.is_empty() {
        return Ok(());
    }
    let print = machine.global("print")?;
    match machine.call_plainly(&print, values)? {
        Ok(_) => Ok(()),
        Err(error) => {
            let text = machine.lua().coerce_string(error)?;
            let text = text.map_or_else(|| b"(null)".to_vec(), |s| s.as_bytes().to_vec());
            Err(Failure::Message(
                [b"error calling 'print' (", &*text, b")"].concat(),
            ))
        }
    }
}
