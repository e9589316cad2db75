//! `load`, `loadfile`, `dofile`: text (and, where scripts are trusted, binary chunks) to functions.
//!
//! **Invariant:** errors on the way, the reader's and "not enough memory" included, are results of `load` and `loadfile`
//! (nil and the error), as in the reference. What a reader gives is gathered in a charged buffer that a userdata in
//! the native's arguments owns, so the reader may yield, be preempted or be killed.

use crate::dialect::Dialect;
use crate::function::{Cost, NativeDef};
use crate::native::{Action, Buffer, Ctx, NativeResult, Status, Thrown};
use crate::string::as_c_string;
use crate::value::Val;
use crate::vm::load::LoadError;

pub(super) static LOAD: NativeDef = NativeDef::new("load", load, Cost::Bytes);
pub(super) static LOADFILE: NativeDef = NativeDef::new("loadfile", loadfile, Cost::Bytes);
pub(super) static DOFILE: NativeDef = NativeDef::new("dofile", dofile, Cost::Bytes);

/// Arguments of `load`, and the state of one with a reader.
mod slot {
    pub const CHUNK: usize = 0;
    pub const NAME: usize = 1;
    pub const MODE: usize = 2;
    pub const ENV: usize = 3;
    pub const ENV_GIVEN: usize = 4;
    pub const PIECES: usize = 5;
    pub const COUNT: usize = 6;
}

const BOTH_MODES: &[u8] = b"bt";

/// Checks that argument `i` can be a mode. From 5.5 on, `B` is one that only the host can use.
fn check_mode(ctx: &mut Ctx<'_>, i: usize) -> Result<(), Thrown> {
    let mode = ctx.opt_str(i)?;
    let fixed = mode.is_some_and(|mode| mode.as_bytes().contains(&b'B'));
    match fixed && ctx.vm.dialect >= Dialect::Lua55 {
        true => Err(ctx.arg_error(i, "invalid mode")),
        false => Ok(()),
    }
}

pub(super) fn load(ctx: &mut Ctx<'_>) -> NativeResult {
    check_mode(ctx, slot::MODE)?;
    let env_given = !ctx.is_none(slot::ENV);
    let chunk = ctx.arg(slot::CHUNK);
    if chunk.is_str() || chunk.is_number() {
        let text = ctx.check_str(slot::CHUNK)?;
        let name = ctx.opt_str(slot::NAME)?.unwrap_or(text);
        let env = if env_given {
            Some(ctx.arg(slot::ENV))
        } else {
            None
        };
        return finish(ctx, text.as_bytes(), name.as_bytes(), env);
    }
    ctx.opt_str(slot::NAME)?;
    ctx.check_function(slot::CHUNK)?;
    ctx.resize_args(slot::COUNT)?;
    ctx.set_arg(slot::ENV_GIVEN, Val::bool(env_given));
    let pieces = ctx.buffer();
    let pieces = ctx.vm.new_userdata(Box::new(pieces))?;
    ctx.set_arg(slot::PIECES, Val::userdata(pieces));
    ask_reader(ctx)
}

fn ask_reader(ctx: &mut Ctx<'_>) -> NativeResult {
    ctx.resize_args(slot::COUNT)?;
    let reader = ctx.arg(slot::CHUNK);
    ctx.push(reader);
    ctx.call_protected(0, false, take_piece)
}

fn take_piece(ctx: &mut Ctx<'_>) -> NativeResult {
    let result = ctx.result(0);
    if ctx.status() == Status::Error {
        return ctx.ret2(Val::NIL, result);
    }
    let Some(pieces) = ctx
        .arg(slot::PIECES)
        .as_userdata()
        .and_then(|u| ctx.userdata_mut::<Buffer>(u))
    else {
        unreachable!("`load` has put the buffer there");
    };
    let piece = match ctx.to_str(result) {
        Ok(Some(piece)) if !piece.is_empty() => piece,
        Ok(None) if !result.is_nil() => {
            let mut message = ctx.vm.where_is(1);
            message.extend_from_slice(b"reader function must return a string");
            ctx.push(Val::NIL);
            return push_message(ctx, &message);
        }
        Ok(_) => return finish_pieces(ctx, pieces),
        Err(thrown) => return failed(ctx, thrown),
    };
    if let Err(thrown) = pieces.push(ctx, piece.as_bytes()) {
        return failed(ctx, thrown);
    }
    // The reader may be a native: then nothing else looks at the fuel.
    ctx.charge(1);
    if ctx.should_pause() {
        ctx.pause(ask_reader)
    } else {
        ask_reader(ctx)
    }
}

fn finish_pieces(ctx: &mut Ctx<'_>, pieces: &mut Buffer) -> NativeResult {
    let name = ctx.opt_str(slot::NAME)?;
    let name = name.as_ref().map_or(&b"=(load)"[..], |s| s.as_bytes());
    let env = if ctx.arg(slot::ENV_GIVEN).truthy() {
        Some(ctx.arg(slot::ENV))
    } else {
        None
    };
    finish(ctx, pieces.as_bytes(), name, env)
}

/// Makes the function: the result, or nil and a message.
fn finish(ctx: &mut Ctx<'_>, source: &[u8], name: &[u8], env: Option<Val>) -> NativeResult {
    let mode = ctx.opt_str(slot::MODE)?;
    let mode = mode.as_ref().map_or(BOTH_MODES, |s| s.as_bytes());
    // The reference takes the name as a C string.
    ctx.charge(name.len() / 256);
    let name = as_c_string(name);
    match ctx.vm.load_any(source, name, mode) {
        Ok(closure) => {
            ctx.push(Val::lua_closure(closure));
            if let Some(env) = env {
                ctx.vm.set_environment(closure, env);
            }
            Ok(Action::Return(1))
        }
        Err(LoadError::Refused { message, .. }) => {
            ctx.push(Val::NIL);
            push_message(ctx, &message)
        }
        Err(LoadError::Thrown(thrown)) => failed(ctx, thrown),
    }
}

fn push_message(ctx: &mut Ctx<'_>, message: &[u8]) -> NativeResult {
    ctx.push_str(message)?;
    Ok(Action::Return(2))
}

/// An error inside is a result; a stop is not.
fn failed(ctx: &mut Ctx<'_>, thrown: Thrown) -> NativeResult {
    if thrown == Thrown::Stopped {
        return Err(thrown);
    }
    let error = ctx.vm.thrown;
    ctx.ret2(Val::NIL, error)
}

// ---- files ----

fn loadfile(ctx: &mut Ctx<'_>) -> NativeResult {
    let file = ctx.opt_str(0)?;
    let mode = ctx.opt_str(1)?;
    let env = if ctx.is_none(2) {
        None
    } else {
        Some(ctx.arg(2))
    };
    let mode = mode.as_ref().map_or(BOTH_MODES, |s| s.as_bytes());
    match load_file(ctx, file.as_ref().map(|s| s.as_bytes()), mode) {
        Ok(()) => {
            let closure = ctx.at(ctx.top() - 1).as_lua_closure();
            if let (Some(closure), Some(env)) = (closure, env) {
                ctx.vm.set_environment(closure, env);
            }
            Ok(Action::Return(1))
        }
        Err(LoadError::Refused { message, .. }) => {
            ctx.push(Val::NIL);
            push_message(ctx, &message)
        }
        Err(LoadError::Thrown(thrown)) => failed(ctx, thrown),
    }
}

fn dofile(ctx: &mut Ctx<'_>) -> NativeResult {
    let file = ctx.opt_str(0)?;
    match load_file(ctx, file.as_ref().map(|s| s.as_bytes()), BOTH_MODES) {
        // No tail call: tracebacks show `dofile`.
        Ok(()) => ctx.call(0, crate::native::return_results),
        Err(LoadError::Refused { message, .. }) => Err(ctx.vm.throw_bytes(&message)),
        Err(LoadError::Thrown(thrown)) => Err(thrown),
    }
}

/// Pushes the function of a file (or of standard input).
fn load_file(ctx: &mut Ctx<'_>, file: Option<&[u8]>, mode: &[u8]) -> Result<(), LoadError> {
    let (name, text) = match file {
        None => (b"=stdin".to_vec(), read_stdin(ctx)),
        Some(file) => match ctx.vm.host.read_source(file) {
            Some(text) => ([b"@", file].concat(), text),
            None => return Err(unreadable("open", file, "No such file or directory")),
        },
    };
    let text = text.map_err(|error| {
        let what = if error.kind() == std::io::ErrorKind::IsADirectory {
            "read"
        } else {
            "open"
        };
        unreadable(what, &name[1..], &super::io::io_error(&error).0)
    })?;
    load_file_text(ctx, &text, &name, mode)
}

/// Pushes the function of a file's text: without a byte order mark, and a first line that begins with `#`.
pub(super) fn load_file_text(
    ctx: &mut Ctx<'_>,
    text: &[u8],
    name: &[u8],
    mode: &[u8],
) -> Result<(), LoadError> {
    ctx.vm.charge_bytes(text.len())?;
    ctx.charge(text.len() / 16);
    let source = skip_first_line(text);
    let loaded = ctx.vm.load_any(source, name, mode);
    ctx.vm.heap.uncharge(text.len());
    ctx.push(Val::lua_closure(loaded?));
    Ok(())
}

/// A source file without what is not Lua: the line's end stays, so that lines keep their numbers.
pub(crate) fn skip_first_line(text: &[u8]) -> &[u8] {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    if text.first() != Some(&b'#') {
        return text;
    }
    let end = text.iter().position(|b| *b == b'\n').unwrap_or(text.len());
    match text.get(end + 1) {
        // A binary chunk begins right behind the line.
        Some(b'\x1b') => &text[end + 1..],
        _ => &text[end..],
    }
}

fn read_stdin(ctx: &mut Ctx<'_>) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match ctx.vm.host.read_in(&mut piece)? {
            0 => return Ok(text),
            n => text.extend_from_slice(&piece[..n]),
        }
    }
}

pub(super) fn unreadable(what: &str, file: &[u8], why: &str) -> LoadError {
    let mut message = format!("cannot {what} ").into_bytes();
    message.extend_from_slice(file);
    message.extend_from_slice(b": ");
    message.extend_from_slice(why.as_bytes());
    LoadError::Refused {
        message,
        incomplete: false,
    }
}
