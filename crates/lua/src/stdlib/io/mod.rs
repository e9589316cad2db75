//! The input and output library.
//!
//! A file is a userdata with a [`LuaFile`], whose stream is gone once it is closed. The standard streams go through the
//! host, so that `print` and `io.write` keep their order. A VM without full access has `io.write`, `io.stdout`,
//! `io.stderr` and `io.type`: its host's output, and no files.
//!
//! **Invariant:** nothing here blocks forever but reading and waiting for programs, which only a VM with full access can
//! do; what is read into memory is charged before it is read.

mod file;
mod read;
#[cfg(test)]
mod tests;

use crate::dialect::Dialect;
use crate::function::{Cost, NativeDef};
use crate::heap::{Gc, Header};
use crate::host::{Buffering, StdStream};
use crate::native::{Ctx, NativeResult, Thrown};
use crate::table::{KIND_FROZEN, Table};
use crate::userdata::UserDataObject;
use crate::value::{Val, tag};
use crate::vm::{Event, Vm};
use file::{Closed, Stream};
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{Error, SeekFrom};
use std::process::Stdio;

/// What a file's userdata holds: the stream, until it is closed.
pub(crate) struct LuaFile {
    stream: Option<Stream>,
}

/// The name of the type in messages.
const TYPE_NAME: &str = "FILE*";
/// Registry keys.
const METATABLE: &str = "FILE*";
const DEFAULT_INPUT: &str = "_IO_input";
const DEFAULT_OUTPUT: &str = "_IO_output";
/// The most formats that `lines` keeps.
const MAX_FORMATS: usize = 250;
/// Buffer size of `setvbuf` when none is given.
const DEFAULT_BUFFER: i64 = 1024;

static CLOSE: NativeDef = NativeDef::new("close", io_close, Cost::Constant);
static FLUSH: NativeDef = NativeDef::new("flush", io_flush, Cost::Constant);
static INPUT: NativeDef = NativeDef::new("input", io_input, Cost::Constant);
static LINES: NativeDef = NativeDef::new("lines", io_lines, Cost::Constant);
static OPEN: NativeDef = NativeDef::new("open", io_open, Cost::Constant);
static OUTPUT: NativeDef = NativeDef::new("output", io_output, Cost::Constant);
static POPEN: NativeDef = NativeDef::new("popen", io_popen, Cost::Constant);
static READ: NativeDef = NativeDef::new("read", io_read, Cost::Bytes);
static TMPFILE: NativeDef = NativeDef::new("tmpfile", io_tmpfile, Cost::Constant);
static TYPE: NativeDef = NativeDef::new("type", io_type, Cost::Constant);
static WRITE: NativeDef = NativeDef::new("write", io_write, Cost::Bytes);

static FILE_CLOSE: NativeDef = NativeDef::new("close", file_close, Cost::Constant);
static FILE_FLUSH: NativeDef = NativeDef::new("flush", file_flush, Cost::Constant);
static FILE_LINES: NativeDef = NativeDef::new("lines", file_lines, Cost::Constant);
static FILE_READ: NativeDef = NativeDef::new("read", file_read, Cost::Bytes);
static FILE_SEEK: NativeDef = NativeDef::new("seek", file_seek, Cost::Constant);
static FILE_SETVBUF: NativeDef = NativeDef::new("setvbuf", file_setvbuf, Cost::Constant);
static FILE_WRITE: NativeDef = NativeDef::new("write", file_write, Cost::Bytes);
static FILE_GC: NativeDef = NativeDef::new("__gc", file_gc, Cost::Constant);
static FILE_CLOSE_VARIABLE: NativeDef = NativeDef::new("__close", file_gc, Cost::Constant);
static FILE_TOSTRING: NativeDef = NativeDef::new("__tostring", file_tostring, Cost::Constant);

/// The iterator of `lines`; its upvalues are the file, whether to close it at the end, and the formats.
static NEXT_LINE: NativeDef = NativeDef::new("lines iterator", next_line, Cost::Bytes);

/// Sets the global `io`.
pub(crate) fn open(vm: &mut Vm, full_access: bool) -> Result<(), Thrown> {
    let meta = vm.new_table()?;
    let mark = vm.scratch.len();
    vm.scratch.push(Val::table(meta));
    let done = fill(vm, meta, full_access);
    vm.scratch.truncate(mark);
    done
}

fn fill(vm: &mut Vm, meta: Gc<Table>, full_access: bool) -> Result<(), Thrown> {
    vm.register(meta, &[&FILE_GC, &FILE_TOSTRING])?;
    if vm.dialect.has_attributes() {
        vm.register(meta, &[&FILE_CLOSE_VARIABLE])?;
    }
    let name = vm.new_str(TYPE_NAME.as_bytes())?;
    vm.scratch.push(Val::str(name));
    vm.set_field(meta, "__name", Val::str(name))?;
    let methods = vm.new_table()?;
    vm.scratch.push(Val::table(methods));
    vm.register(
        methods,
        &[&FILE_FLUSH, &FILE_SETVBUF, &FILE_WRITE, &FILE_CLOSE],
    )?;
    if full_access {
        vm.register(methods, &[&FILE_LINES, &FILE_READ, &FILE_SEEK])?;
    }
    vm.set_field(meta, "__index", Val::table(methods))?;
    let registry = vm.registry;
    vm.set_field(registry, METATABLE, Val::table(meta))?;

    let library = vm.new_table()?;
    vm.scratch.push(Val::table(library));
    vm.register(library, &[&TYPE, &WRITE])?;
    let mut streams = vec![
        ("stdout", StdStream::Out, Some(DEFAULT_OUTPUT)),
        ("stderr", StdStream::Err, None),
    ];
    if full_access {
        let rest: [&'static NativeDef; 9] = [
            &CLOSE, &FLUSH, &INPUT, &LINES, &OPEN, &OUTPUT, &POPEN, &READ, &TMPFILE,
        ];
        vm.register(library, &rest)?;
        streams.push(("stdin", StdStream::In, Some(DEFAULT_INPUT)));
    }
    for (name, which, default) in streams {
        let stream = Stream::standard(which, std::rc::Rc::clone(&vm.host));
        let file = Val::userdata(new_file(vm, Some(stream))?);
        vm.scratch.push(file);
        vm.set_field(library, name, file)?;
        if let Some(key) = default {
            vm.set_field(registry, key, file)?;
        }
    }
    let globals = vm.globals;
    vm.set_field(globals, "io", Val::table(library))
}

/// Makes the metatable of files and the table of their methods read-only.
pub(super) fn freeze(vm: &mut Vm) -> Result<(), Thrown> {
    if let Some(mut meta) = registry_get(vm, METATABLE)?.as_table() {
        meta.header.extra |= KIND_FROZEN;
        let methods = vm.meta_field(meta, Event::Index);
        if let Some(mut methods) = methods.as_table() {
            methods.header.extra |= KIND_FROZEN;
        }
    }
    Ok(())
}

/// A file's userdata. Push it (or store it) before the next allocation.
fn new_file(vm: &mut Vm, stream: Option<Stream>) -> Result<Gc<UserDataObject>, Thrown> {
    let file = vm.new_userdata(Box::new(LuaFile { stream }))?;
    vm.scratch.push(Val::userdata(file));
    let done = registry_get(vm, METATABLE)
        .and_then(|meta| vm.set_metatable(Val::userdata(file), meta.as_table()));
    vm.scratch.pop();
    done.map(|()| file)
}

fn registry_get(vm: &mut Vm, key: &str) -> Result<Val, Thrown> {
    let key = vm.intern(key.as_bytes())?;
    Ok(vm.registry.get_interned(key))
}

// ---- arguments and results ----

fn as_file<'a>(ctx: &Ctx<'a>, v: Val) -> Option<&'a mut LuaFile> {
    ctx.userdata_mut::<LuaFile>(v.as_userdata()?)
}

/// Whether a userdata is a file (open or closed), which has no user value.
pub(crate) fn is_file(u: &UserDataObject) -> bool {
    u.data.as_ref().is_some_and(|data| data.is::<LuaFile>())
}

/// Argument `i`, which must be a file, open or closed.
fn check_file<'a>(ctx: &mut Ctx<'a>, i: usize) -> Result<&'a mut LuaFile, Thrown> {
    match as_file(ctx, ctx.arg(i)) {
        Some(file) => Ok(file),
        None => Err(ctx.type_error(i, TYPE_NAME)),
    }
}

/// The stream of argument `i`, which must be an open file.
fn check_stream<'a>(ctx: &mut Ctx<'a>, i: usize) -> Result<&'a mut Stream, Thrown> {
    match &mut check_file(ctx, i)?.stream {
        Some(stream) => Ok(stream),
        None => Err(ctx.error("attempt to use a closed file")),
    }
}

/// The default input or output file.
fn default_stream<'a>(ctx: &mut Ctx<'a>, key: &str) -> Result<&'a mut Stream, Thrown> {
    let v = registry_get(ctx.vm, key)?;
    match as_file(ctx, v).and_then(|f| f.stream.as_mut()) {
        Some(stream) => Ok(stream),
        None => {
            let which = key.trim_start_matches("_IO_");
            let kind = match ctx.vm.dialect < Dialect::Lua54 {
                true => "standard",
                false => "default",
            };
            Err(ctx.error(&format!("{kind} {which} file is closed")))
        }
    }
}

/// The message and number of an error, as the C library has them.
pub(crate) fn io_error(e: &Error) -> (String, i32) {
    let code = e.raw_os_error().unwrap_or(libc::EINVAL);
    let text = Error::from_raw_os_error(code).to_string();
    let end = text.rfind(" (os error ").unwrap_or(text.len());
    (text[..end].to_owned(), code)
}

/// The results of an operation on files: `true`, or nil, a message and a number.
pub(crate) fn file_result(
    ctx: &mut Ctx<'_>,
    done: std::io::Result<()>,
    name: Option<&[u8]>,
) -> NativeResult {
    let Err(e) = done else {
        return ctx.ret(Val::TRUE);
    };
    let (reason, code) = io_error(&e);
    let mut message = Vec::new();
    if let Some(name) = name {
        message.extend_from_slice(name);
        message.extend_from_slice(b": ");
    }
    message.extend_from_slice(reason.as_bytes());
    ctx.push(Val::NIL);
    ctx.push_str(&message)?;
    ctx.push(Val::int(code as i64));
    ctx.ret_from(ctx.top() - 3)
}

/// A file name for the system, which takes none with a zero byte.
pub(crate) fn os_str(name: &[u8]) -> std::io::Result<&OsStr> {
    use std::os::unix::ffi::OsStrExt;
    if name.contains(&0) {
        return Err(Error::from_raw_os_error(libc::EINVAL));
    }
    Ok(OsStr::from_bytes(name))
}

/// A new file in the system's place for temporary ones, and its name.
pub(crate) fn temporary_file() -> std::io::Result<(String, File)> {
    use std::hash::{BuildHasher, Hasher};
    use std::os::unix::fs::OpenOptionsExt;
    const TRIES: usize = 100;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(0o600);
    let mut failed = Error::from_raw_os_error(libc::EEXIST);
    for _ in 0..TRIES {
        let random = std::hash::RandomState::new().build_hasher().finish();
        let name = format!("/tmp/lua_{:012x}", random >> 16);
        match options.open(&name) {
            Ok(file) => return Ok((name, file)),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => failed = e,
            Err(e) => return Err(e),
        }
    }
    Err(failed)
}

/// Hands what open files hold to the system. Takes time proportional to the heap.
pub(crate) fn flush_files(vm: &mut Vm) {
    for id in 0..vm.heap.pages.count() {
        let (memory, cell, used) = vm.heap.pages.cells(id);
        for i in 0..used {
            // SAFETY: cells below the bump mark are initialised; a kind that is not 0 tells the object's type. Userdata
            // are small enough to be in pages.
            let data = unsafe {
                let h = memory.add(i * cell) as *mut Header;
                if (*h).kind != tag::USERDATA {
                    continue;
                }
                &mut (*(h as *mut UserDataObject)).data
            };
            let file = data.as_mut().and_then(|d| d.downcast_mut::<LuaFile>());
            if let Some(stream) = file.and_then(|f| f.stream.as_mut()) {
                let _ = stream.flush();
            }
        }
    }
}

// ---- opening ----

/// The access that a mode asks for; `None`: it is not a mode.
fn parse_mode(mode: &[u8]) -> Option<(OpenOptions, bool, bool)> {
    let (kind, rest) = mode.split_first()?;
    let (update, rest) = match rest.split_first() {
        Some((b'+', rest)) => (true, rest),
        _ => (false, rest),
    };
    if rest.iter().any(|b| *b != b'b') {
        return None;
    }
    let (reads, writes) = match kind {
        b'r' => (true, update),
        b'w' | b'a' => (update, true),
        _ => return None,
    };
    let mut options = OpenOptions::new();
    options.read(reads);
    match kind {
        b'r' => options.write(writes),
        b'w' => options.write(true).create(true).truncate(true),
        _ => options.append(true).create(true),
    };
    Some((options, reads, writes))
}

fn open_path(name: &[u8], mode: &[u8]) -> std::io::Result<Stream> {
    let Some((options, reads, writes)) = parse_mode(mode) else {
        return Err(Error::from_raw_os_error(libc::EINVAL));
    };
    Ok(Stream::file(options.open(os_str(name)?)?, reads, writes))
}

/// Pushes a file that must be there.
fn push_opened(ctx: &mut Ctx<'_>, name: &[u8], mode: &[u8]) -> Result<(), Thrown> {
    match open_path(name, mode) {
        Ok(stream) => {
            let file = new_file(ctx.vm, Some(stream))?;
            ctx.push(Val::userdata(file));
            Ok(())
        }
        Err(e) if ctx.vm.dialect < Dialect::Lua52 => {
            let message = [name, b": ", io_error(&e).0.as_bytes()].concat();
            Err(ctx.vm.arg_error(0, &message))
        }
        Err(e) => {
            let mut message = b"cannot open file '".to_vec();
            message.extend_from_slice(name);
            message.extend_from_slice(format!("' ({})", io_error(&e).0).as_bytes());
            Err(ctx.error_bytes(&message))
        }
    }
}

fn ret_stream(ctx: &mut Ctx<'_>, stream: Stream) -> NativeResult {
    let file = new_file(ctx.vm, Some(stream))?;
    ctx.ret(Val::userdata(file))
}

fn io_open(ctx: &mut Ctx<'_>) -> NativeResult {
    let name = ctx.check_str(0)?.as_bytes();
    let mode = ctx.opt_str(1)?.map_or(&b"r"[..], Gc::as_bytes);
    if parse_mode(mode).is_none() && ctx.vm.dialect >= Dialect::Lua52 {
        return Err(ctx.arg_error(1, "invalid mode"));
    }
    match open_path(name, mode) {
        Ok(stream) => ret_stream(ctx, stream),
        Err(e) => file_result(ctx, Err(e), Some(name)),
    }
}

fn io_popen(ctx: &mut Ctx<'_>) -> NativeResult {
    let command = ctx.check_str(0)?.as_bytes();
    let mode = ctx.opt_str(1)?.map_or(&b"r"[..], Gc::as_bytes);
    if mode != b"r" && mode != b"w" {
        if ctx.vm.dialect < Dialect::Lua53 {
            let refused = Err(Error::from_raw_os_error(libc::EINVAL));
            return file_result(ctx, refused, Some(command));
        }
        return Err(ctx.arg_error(1, "invalid mode"));
    }
    super::os::flush_all(ctx.vm);
    let child = super::os::shell(command).and_then(|mut sh| {
        if mode == b"r" {
            sh.stdout(Stdio::piped());
        } else {
            sh.stdin(Stdio::piped());
        }
        sh.spawn()
    });
    match child.map(Stream::program) {
        Ok(Some(stream)) => ret_stream(ctx, stream),
        Ok(None) => file_result(
            ctx,
            Err(Error::from_raw_os_error(libc::EPIPE)),
            Some(command),
        ),
        Err(e) => file_result(ctx, Err(e), Some(command)),
    }
}

fn io_tmpfile(ctx: &mut Ctx<'_>) -> NativeResult {
    let made = temporary_file().and_then(|(name, file)| {
        std::fs::remove_file(name)?;
        Ok(Stream::file(file, true, true))
    });
    match made {
        Ok(stream) => ret_stream(ctx, stream),
        Err(e) => file_result(ctx, Err(e), None),
    }
}

fn io_input(ctx: &mut Ctx<'_>) -> NativeResult {
    default_file(ctx, DEFAULT_INPUT, b"r")
}

fn io_output(ctx: &mut Ctx<'_>) -> NativeResult {
    default_file(ctx, DEFAULT_OUTPUT, b"w")
}

/// Sets a default file, if there is an argument, and returns it.
fn default_file(ctx: &mut Ctx<'_>, key: &str, mode: &[u8]) -> NativeResult {
    if !ctx.is_none_or_nil(0) {
        if let Some(name) = ctx.to_str(ctx.arg(0))? {
            ctx.push(Val::str(name));
            push_opened(ctx, name.as_bytes(), mode)?;
        } else {
            check_stream(ctx, 0)?;
            let file = ctx.arg(0);
            ctx.push(file);
        }
        let file = ctx.at(ctx.top() - 1);
        let registry = ctx.vm.registry;
        ctx.set_field(registry, key, file)?;
    }
    let file = registry_get(ctx.vm, key)?;
    ctx.ret(file)
}

// ---- closing ----

fn io_close(ctx: &mut Ctx<'_>) -> NativeResult {
    if ctx.is_none(0) {
        let file = registry_get(ctx.vm, DEFAULT_OUTPUT)?;
        ctx.resize_args(1)?;
        ctx.set_arg(0, file);
    }
    file_close(ctx)
}

fn file_close(ctx: &mut Ctx<'_>) -> NativeResult {
    check_stream(ctx, 0)?;
    close_file(ctx, 0)
}

/// Closes the file that is argument `i` and pushes the results.
fn close_file(ctx: &mut Ctx<'_>, i: usize) -> NativeResult {
    let file = check_file(ctx, i)?;
    let Some(stream) = file.stream.take() else {
        return ctx.ret0();
    };
    if stream.is_standard() {
        file.stream = Some(stream);
        return ctx.ret_fail("cannot close standard file");
    }
    match stream.close() {
        Ok(Closed::File) => ctx.ret(Val::TRUE),
        Ok(Closed::Program(_)) if ctx.vm.dialect < Dialect::Lua52 => ctx.ret(Val::TRUE),
        Ok(Closed::Program(status)) => super::os::exec_result(ctx, status),
        Err(e) => file_result(ctx, Err(e), None),
    }
}

/// `__gc` and `__close`.
fn file_gc(ctx: &mut Ctx<'_>) -> NativeResult {
    if check_file(ctx, 0)?.stream.is_some() {
        close_file(ctx, 0)?;
    }
    ctx.ret0()
}

// ---- reading ----

fn io_read(ctx: &mut Ctx<'_>) -> NativeResult {
    let stream = default_stream(ctx, DEFAULT_INPUT)?;
    read::read(ctx, stream, 0)
}

fn file_read(ctx: &mut Ctx<'_>) -> NativeResult {
    let stream = check_stream(ctx, 0)?;
    read::read(ctx, stream, 1)
}

fn io_lines(ctx: &mut Ctx<'_>) -> NativeResult {
    if ctx.is_none(0) {
        ctx.resize_args(1)?;
    }
    if ctx.arg(0).is_nil() {
        let file = registry_get(ctx.vm, DEFAULT_INPUT)?;
        ctx.set_arg(0, file);
        check_stream(ctx, 0)?;
        return push_lines(ctx, false);
    }
    let name = ctx.check_str(0)?;
    push_opened(ctx, name.as_bytes(), b"r")?;
    let file = ctx.pop();
    ctx.set_arg(0, file);
    push_lines(ctx, true)?;
    if ctx.vm.dialect < Dialect::Lua54 {
        return ctx.ret_from(ctx.top() - 1);
    }
    ctx.push(Val::NIL);
    ctx.push(Val::NIL);
    ctx.push(file);
    ctx.ret_from(ctx.top() - 4)
}

fn file_lines(ctx: &mut Ctx<'_>) -> NativeResult {
    check_stream(ctx, 0)?;
    push_lines(ctx, false)
}

/// Returns an iterator over the file that is argument 0, with the formats behind it.
fn push_lines(ctx: &mut Ctx<'_>, close_at_end: bool) -> NativeResult {
    let formats = ctx.nargs() - 1;
    if formats > MAX_FORMATS {
        return Err(ctx.arg_error(MAX_FORMATS + 1, "too many arguments"));
    }
    let mut upvalues = vec![ctx.arg(0), Val::bool(close_at_end)];
    upvalues.extend((0..formats).map(|i| ctx.arg(i + 1)));
    let iterator = ctx.vm.new_native_closure(&NEXT_LINE, &upvalues)?;
    ctx.ret(Val::native_closure(iterator))
}

fn next_line(ctx: &mut Ctx<'_>) -> NativeResult {
    let closure = ctx.vm.thread().get(ctx.func).as_native_closure();
    let formats = closure.map_or(0, |c| c.count() - 2);
    let (file, close_at_end) = (ctx.upvalue(0), ctx.upvalue(1).truthy());
    let Some(stream) = as_file(ctx, file).and_then(|f| f.stream.as_mut()) else {
        return Err(ctx.error("file is already closed"));
    };
    ctx.resize_args(formats + 1)?;
    ctx.set_arg(0, file);
    for i in 0..formats {
        let format = ctx.upvalue(i + 2);
        ctx.set_arg(i + 1, format);
    }
    let first = ctx.top();
    let action = read::read(ctx, stream, 1)?;
    if first < ctx.top() && ctx.at(first).truthy() {
        return Ok(action);
    }
    if stream.read_error.is_some() {
        let message = ctx.at(first + 1);
        let message = message.as_str().map_or(&b"?"[..], Gc::as_bytes);
        return Err(ctx.error_bytes(message));
    }
    if close_at_end {
        close_file(ctx, 0)?;
    }
    ctx.ret0()
}

// ---- writing and the rest ----

fn io_write(ctx: &mut Ctx<'_>) -> NativeResult {
    let file = registry_get(ctx.vm, DEFAULT_OUTPUT)?;
    let stream = default_stream(ctx, DEFAULT_OUTPUT)?;
    write(ctx, stream, file, 0)
}

fn file_write(ctx: &mut Ctx<'_>) -> NativeResult {
    let stream = check_stream(ctx, 0)?;
    let file = ctx.arg(0);
    write(ctx, stream, file, 1)
}

/// Writes the arguments from `first` on.
fn write(ctx: &mut Ctx<'_>, stream: &mut Stream, file: Val, first: usize) -> NativeResult {
    for i in first..ctx.nargs() {
        let v = ctx.arg(i);
        let written = if v.is_number() {
            let mut text = Vec::with_capacity(32);
            ctx.vm.write_number(v, &mut text);
            // Unlike `tostring`, the reference writes floats without the mark that they are; 5.5 writes what it shows.
            let marked = ctx.vm.dialect >= Dialect::Lua55;
            stream.write(match text.strip_suffix(b".0") {
                Some(bare) if !marked => bare,
                _ => &text,
            })
        } else {
            let text = ctx.check_str(i)?;
            ctx.charge(text.len() / 16);
            stream.write(text.as_bytes())
        };
        if written.is_err() {
            return file_result(ctx, written, None);
        }
    }
    if ctx.vm.dialect < Dialect::Lua52 {
        return ctx.ret(Val::TRUE);
    }
    ctx.ret(file)
}

fn io_flush(ctx: &mut Ctx<'_>) -> NativeResult {
    let flushed = default_stream(ctx, DEFAULT_OUTPUT)?.flush();
    file_result(ctx, flushed, None)
}

fn file_flush(ctx: &mut Ctx<'_>) -> NativeResult {
    let flushed = check_stream(ctx, 0)?.flush();
    file_result(ctx, flushed, None)
}

fn file_setvbuf(ctx: &mut Ctx<'_>) -> NativeResult {
    let stream = check_stream(ctx, 0)?;
    let mode = match ctx.check_option(1, None, &["no", "full", "line"])? {
        0 => Buffering::None,
        1 => Buffering::Full,
        _ => Buffering::Line,
    };
    let size = ctx.opt_int(2, DEFAULT_BUFFER)?;
    let done = stream.set_buffering(mode, usize::try_from(size).unwrap_or(usize::MAX));
    file_result(ctx, done, None)
}

fn file_seek(ctx: &mut Ctx<'_>) -> NativeResult {
    let stream = check_stream(ctx, 0)?;
    let whence = ctx.check_option(1, Some(1), &["set", "cur", "end"])?;
    let offset = ctx.opt_int(2, 0)?;
    let to = match whence {
        0 => u64::try_from(offset).map(SeekFrom::Start),
        1 => Ok(SeekFrom::Current(offset)),
        _ => Ok(SeekFrom::End(offset)),
    };
    let moved = match to {
        Ok(to) => stream.seek(to),
        Err(_) => Err(Error::from_raw_os_error(libc::EINVAL)),
    };
    match moved {
        Ok(at) => ctx.ret(Val::int(at as i64)),
        Err(e) => file_result(ctx, Err(e), None),
    }
}

fn io_type(ctx: &mut Ctx<'_>) -> NativeResult {
    let v = ctx.check_any(0)?;
    match as_file(ctx, v).map(|f| f.stream.is_some()) {
        Some(true) => ctx.ret_str(b"file"),
        Some(false) => ctx.ret_str(b"closed file"),
        None => ctx.ret(Val::NIL),
    }
}

fn file_tostring(ctx: &mut Ctx<'_>) -> NativeResult {
    let open = check_file(ctx, 0)?.stream.is_some();
    if open {
        let identity = super::access::identity(ctx.vm, ctx.arg(0));
        let text = format!("file ({identity:#x})");
        ctx.ret_str(text.as_bytes())
    } else {
        ctx.ret_str(b"file (closed)")
    }
}
