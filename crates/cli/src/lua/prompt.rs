//! The prompt: reads a line, and more while it is incomplete; shows what an expression gives.

use super::VERSION;
use super::machine::{Failure, Machine};
use rille_lua::{Error, Function, MultiValue, Value};
use std::io::BufRead;

/// The name of what is typed.
const NAME: &str = "=stdin";

/// Runs what is typed until the end of input.
pub fn run(machine: &Machine, show_version: bool) {
    if show_version {
        machine.show(&format!("{VERSION}\n"));
    }
    while let Some(first) = read_line(machine, "_PROMPT", "> ") {
        let outcome = read_chunk(machine, first)
            .and_then(|f| machine.call(&f, ()))
            .and_then(|values| show(machine, values));
        if let Err(failure) = outcome {
            machine.report(None, &failure);
        }
        if machine.is_stopped() {
            return;
        }
    }
    machine.show("\n");
}

/// A line of input without its end; `None` at the end of input.
fn read_line(machine: &Machine, prompt: &str, default: &str) -> Option<Vec<u8>> {
    let prompt = match machine.lua().globals().get::<Value>(prompt) {
        Ok(Value::Nil) | Err(_) => default.to_owned(),
        Ok(value) => value.to_string().unwrap_or_else(|_| default.to_owned()),
    };
    machine.show(&prompt);
    let mut line = Vec::new();
    match std::io::stdin().lock().read_until(b'\n', &mut line) {
        Ok(0) | Err(_) => None,
        Ok(_) => {
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            Some(line)
        }
    }
}

/// Compiles a line as an expression, or as statements, reading on while these are incomplete.
fn read_chunk(machine: &Machine, first: Vec<u8>) -> std::result::Result<Function, Failure> {
    let first = match first.strip_prefix(b"=") {
        Some(expression) => [b"return ", expression].concat(),
        None => first,
    };
    let expression = [b"return ", &*first].concat();
    if let Ok(f) = machine.load(&expression, NAME) {
        return Ok(f);
    }
    let mut text = first;
    loop {
        match machine.load(&text, NAME) {
            Err(Failure::Error(Error::SyntaxError {
                incomplete_input: true,
                message,
            })) => {
                let Some(line) = read_line(machine, "_PROMPT2", ">> ") else {
                    return Err(Failure::Error(Error::SyntaxError {
                        incomplete_input: true,
                        message,
                    }));
                };
                text.push(b'\n');
                text.extend_from_slice(&line);
            }
            loaded => return loaded,
        }
    }
}

/// Prints results with the global `print`, as a script would.
fn show(machine: &Machine, values: MultiValue) -> std::result::Result<(), Failure> {
    if values.is_empty() {
        return Ok(());
    }
    let print: Value = machine.lua().globals().get("print")?;
    let printed = match print {
        Value::Function(print) => machine.call(&print, values).map(drop),
        other => Err(Failure::Message(format!(
            "attempt to call a {} value",
            other.type_name()
        ))),
    };
    printed.map_err(|failure| match failure {
        Failure::Error(e) => Failure::Message(format!("error calling 'print' ({})", e.message())),
        Failure::Message(text) => Failure::Message(format!("error calling 'print' ({text})")),
        limit => limit,
    })
}
