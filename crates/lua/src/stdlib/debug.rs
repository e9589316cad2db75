//! The debug library.
//!
//! A VM without full access has `traceback` and `getinfo` only.
//!
//! Captured variables: a variable that is never assigned after its capture is copied into the closures that use it
//! (see `function`), so `setupvalue` on one changes that closure's copy only, and `upvaluejoin` copies. In strict mode
//! all captures are by reference and behave as in the reference.
//!
//! **Invariant:** no function here lets a script break what the interpreter or a native relies on: levels and indices are
//! checked against the frames as they are, and what is not a variable of a script (a native's arguments and upvalues,
//! a loop's hidden state, a table being constructed) can be looked at but not replaced.

use super::versions::environments;
use crate::dialect::Dialect;
use crate::function::{Cost, LuaClosure, NativeDef, UpBox};
use crate::heap::Gc;
use crate::native::{Ctx, NativeResult, Status, Thrown};
use crate::op::Op;
use crate::table::Table;
use crate::thread::Thread;
use crate::value::{Val, tag};
use crate::vm::Vm;
use crate::vm::debug::traceback::{frame_code, short_source};
use crate::vm::debug::{Activation, names};
use crate::vm::hook::mask;
use crate::vm::load::LoadError;

static DEBUG: NativeDef = NativeDef::new("debug", debug, Cost::Steps);
static GETHOOK: NativeDef = NativeDef::new("gethook", gethook, Cost::Constant);
static GETINFO: NativeDef = NativeDef::new("getinfo", getinfo, Cost::Steps);
static GETLOCAL: NativeDef = NativeDef::new("getlocal", getlocal, Cost::Steps);
static GETMETATABLE: NativeDef = NativeDef::new("getmetatable", getmetatable, Cost::Constant);
static GETREGISTRY: NativeDef = NativeDef::new("getregistry", getregistry, Cost::Constant);
static GETUPVALUE: NativeDef = NativeDef::new("getupvalue", getupvalue, Cost::Constant);
static GETUSERVALUE: NativeDef = NativeDef::new("getuservalue", getuservalue, Cost::Constant);
static SETCSTACKLIMIT: NativeDef = NativeDef::new("setcstacklimit", setcstacklimit, Cost::Constant);
static SETHOOK: NativeDef = NativeDef::new("sethook", sethook, Cost::Constant);
static SETLOCAL: NativeDef = NativeDef::new("setlocal", setlocal, Cost::Steps);
static SETMETATABLE: NativeDef = NativeDef::new("setmetatable", setmetatable, Cost::Constant);
static SETUPVALUE: NativeDef = NativeDef::new("setupvalue", setupvalue, Cost::Constant);
static SETUSERVALUE: NativeDef = NativeDef::new("setuservalue", setuservalue, Cost::Constant);
static TRACEBACK: NativeDef = NativeDef::new("traceback", traceback, Cost::Steps);
static UPVALUEID: NativeDef = NativeDef::new("upvalueid", upvalueid, Cost::Constant);
static UPVALUEJOIN: NativeDef = NativeDef::new("upvaluejoin", upvaluejoin, Cost::Constant);

/// Registry key of the hooks by coroutine (weak keys), as in the reference.
const HOOKS: &str = "_HOOKKEY";

/// A hidden variable of generic loops that the reference has from 5.4 on.
const UNUSED: &[u8] = b"(for unused)";

/// Sets the global `debug`.
pub(crate) fn open(vm: &mut Vm, full_access: bool) -> Result<(), Thrown> {
    let t = vm.new_table()?;
    vm.scratch.push(Val::table(t));
    let done = fill(vm, t, full_access);
    vm.scratch.pop();
    done
}

fn fill(vm: &mut Vm, t: Gc<Table>, full_access: bool) -> Result<(), Thrown> {
    vm.register(t, &[&GETINFO, &TRACEBACK])?;
    if full_access {
        let rest: [&'static NativeDef; 10] = [
            &DEBUG,
            &GETHOOK,
            &GETLOCAL,
            &GETMETATABLE,
            &GETREGISTRY,
            &GETUPVALUE,
            &SETHOOK,
            &SETLOCAL,
            &SETMETATABLE,
            &SETUPVALUE,
        ];
        vm.register(t, &rest)?;
        // LuaJIT has them in 5.1.
        vm.register(t, &[&UPVALUEID, &UPVALUEJOIN])?;
        if vm.dialect < Dialect::Lua52 {
            vm.register(
                t,
                &[&environments::DEBUG_GETFENV, &environments::DEBUG_SETFENV],
            )?;
        } else {
            vm.register(t, &[&GETUSERVALUE, &SETUSERVALUE])?;
        }
        if vm.dialect >= Dialect::Lua54 {
            vm.register(t, &[&SETCSTACKLIMIT])?;
        }
    }
    let globals = vm.globals;
    vm.set_field(globals, "debug", Val::table(t))
}

/// The coroutine that a function is about, and how many arguments naming it takes.
fn thread_argument(ctx: &Ctx<'_>) -> (Gc<Thread>, usize) {
    match ctx.arg(0).as_thread() {
        Some(thread) => (thread, 1),
        None => (ctx.vm.current_gc(), 0),
    }
}

/// Argument `i` as a level of a coroutine; `None` if there is no such level.
fn level_argument(
    ctx: &mut Ctx<'_>,
    thread: Gc<Thread>,
    i: usize,
) -> Result<Option<Activation>, Thrown> {
    let level = ctx.check_int(i)?;
    let Ok(level) = usize::try_from(level) else {
        return Ok(None);
    };
    ctx.charge(level.min(thread.frames().len()) / 8);
    Ok(ctx.vm.level(&thread, level))
}

// ---- tracebacks and information ----

fn traceback(ctx: &mut Ctx<'_>) -> NativeResult {
    let (thread, at) = thread_argument(ctx);
    let message = ctx.arg(at);
    let text = ctx.to_str(message)?;
    let no_message = message.is_nil() && (ctx.is_none(at) || ctx.vm.dialect >= Dialect::Lua52);
    if text.is_none() && !no_message {
        return ctx.ret(message);
    }
    if let Some(text) = text {
        ctx.push(Val::str(text));
    }
    let here = thread == ctx.vm.current_gc();
    let level = ctx.opt_int(at + 1, here as i64)?;
    let level = usize::try_from(level).unwrap_or(usize::MAX);
    let lines = ctx.vm.traceback(thread, None, level);
    ctx.charge(lines.len() / 16);
    match text {
        None => ctx.ret_str(&lines),
        Some(message) => {
            let pieces = [message.as_bytes(), b"\n", &lines[..]];
            let len = pieces.iter().map(|piece| piece.len()).sum();
            let whole = ctx.vm.concat_str(len, &pieces)?;
            ctx.ret(Val::str(whole))
        }
    }
}

fn getinfo(ctx: &mut Ctx<'_>) -> NativeResult {
    let (thread, at) = thread_argument(ctx);
    // The default, and what there is.
    let (all, known) = match ctx.vm.dialect {
        Dialect::Lua51 => (&b"flnSu"[..], &b"SlnuLf"[..]),
        Dialect::Lua52 | Dialect::Lua53 => (&b"flnStu"[..], &b"SlnutLf"[..]),
        _ => (&b"flnSrtu"[..], &b"SlnrutLf"[..]),
    };
    let options = ctx.opt_str(at + 1)?.map_or(all, Gc::as_bytes);
    if options.first() == Some(&b'>') {
        return Err(ctx.arg_error(at + 1, "invalid option '>'"));
    }
    let (activation, f) = if ctx.arg(at).is_function() {
        (None, ctx.arg(at))
    } else if ctx.vm.dialect < Dialect::Lua53 && ctx.vm.number_of(ctx.arg(at)).is_none() {
        return Err(ctx.arg_error(at, "function or level expected"));
    } else {
        match level_argument(ctx, thread, at)? {
            Some(activation) => (Some(activation), thread.get(activation.func)),
            None => return ctx.ret(Val::NIL),
        }
    };
    if !options.iter().all(|o| known.contains(o)) {
        return Err(ctx.arg_error(at + 1, "invalid option"));
    }
    let t = ctx.new_table(0, 16)?;
    ctx.push(Val::table(t));
    let mut info = Info {
        thread,
        activation,
        f,
        t,
    };
    let has = |o: u8| options.contains(&o);
    if has(b'S') {
        info.source(ctx)?;
    }
    if has(b'l') {
        let line = activation.and_then(|a| ctx.vm.current_line(&thread, a));
        info.set_int(ctx, "currentline", line.map_or(-1, i64::from))?;
    }
    if has(b'u') {
        info.upvalues_and_parameters(ctx)?;
    }
    if has(b'n') {
        info.name(ctx)?;
    }
    if has(b'r') {
        let frame = activation.and_then(|a| a.frame);
        let (first, count) = frame.map_or((0, 0), |i| thread.transferred(i));
        info.set_int(ctx, "ftransfer", first.into())?;
        info.set_int(ctx, "ntransfer", count.into())?;
    }
    if has(b't') {
        let tail = activation.is_some_and(|a| ctx.vm.is_tail_call(&thread, a));
        ctx.set_field(t, "istailcall", Val::bool(tail))?;
        if ctx.vm.dialect >= Dialect::Lua55 {
            let extra = activation.map_or(0, |a| ctx.vm.extra_arguments(&thread, a));
            info.set_int(ctx, "extraargs", i64::from(extra))?;
        }
    }
    if has(b'L') {
        info.active_lines(ctx)?;
    }
    if has(b'f') {
        ctx.set_field(t, "func", f)?;
    }
    ctx.push(Val::table(t));
    ctx.ret_from(ctx.top() - 1)
}

/// What `getinfo` is filling in.
struct Info {
    thread: Gc<Thread>,
    activation: Option<Activation>,
    f: Val,
    /// The result; it is on the stack.
    t: Gc<Table>,
}

impl Info {
    fn set_int(&mut self, ctx: &mut Ctx<'_>, name: &str, n: i64) -> Result<(), Thrown> {
        ctx.set_field(self.t, name, Val::int(n))
    }

    fn set_str(&mut self, ctx: &mut Ctx<'_>, name: &str, text: &[u8]) -> Result<(), Thrown> {
        let s = ctx.new_str(text)?;
        ctx.set_field(self.t, name, Val::str(s))
    }

    fn source(&mut self, ctx: &mut Ctx<'_>) -> Result<(), Thrown> {
        let Some(closure) = self.f.as_lua_closure() else {
            self.set_str(ctx, "source", b"=[C]")?;
            self.set_str(ctx, "short_src", b"[C]")?;
            self.set_int(ctx, "linedefined", -1)?;
            self.set_int(ctx, "lastlinedefined", -1)?;
            return self.set_str(ctx, "what", b"C");
        };
        let code = std::sync::Arc::clone(&closure.proto().function);
        let main = code.line_defined == 0;
        ctx.charge(code.source.len() / 16);
        self.set_str(ctx, "source", &code.source)?;
        self.set_str(ctx, "short_src", &short_source(Some(&code)))?;
        self.set_int(ctx, "linedefined", code.line_defined as i64)?;
        self.set_int(ctx, "lastlinedefined", code.last_line_defined as i64)?;
        self.set_str(ctx, "what", if main { b"main" } else { b"Lua" })
    }

    fn upvalues_and_parameters(&mut self, ctx: &mut Ctx<'_>) -> Result<(), Thrown> {
        let (upvalues, parameters, vararg) = match self.f.as_lua_closure() {
            Some(c) => (
                c.count()
                    .saturating_sub(environments::hidden_upvalues(ctx.vm)),
                c.proto().num_params,
                c.proto().is_vararg,
            ),
            None => (self.f.as_native_closure().map_or(0, |c| c.count()), 0, true),
        };
        self.set_int(ctx, "nups", upvalues as i64)?;
        self.set_int(ctx, "nparams", parameters as i64)?;
        ctx.set_field(self.t, "isvararg", Val::bool(vararg))
    }

    fn name(&mut self, ctx: &mut Ctx<'_>) -> Result<(), Thrown> {
        let thread = self.thread;
        let name = self.activation.and_then(|a| ctx.vm.call_name(&thread, a));
        let kind = name.map_or(&b""[..], |n| n.kind.as_bytes());
        if let Some(name) = name {
            self.set_str(ctx, "name", name.name)?;
        }
        self.set_str(ctx, "namewhat", kind)
    }

    /// The lines that have code, as keys.
    fn active_lines(&mut self, ctx: &mut Ctx<'_>) -> Result<(), Thrown> {
        let Some(closure) = self.f.as_lua_closure() else {
            return Ok(());
        };
        let code = std::sync::Arc::clone(&closure.proto().function);
        ctx.charge(code.lines.len());
        let lines = ctx.new_table(0, 0)?;
        ctx.push(Val::table(lines));
        // Making room for the table of extra arguments is no line of the function's.
        let made_room = code.is_vararg && code.line_defined > 0 && {
            let dialect = code.dialect;
            dialect == Dialect::Lua51 || dialect >= Dialect::Lua55
        };
        let lines_of_its_own = code.lines.iter().skip(usize::from(made_room));
        for line in lines_of_its_own.filter(|line| **line != 0) {
            ctx.raw_set_int(lines, *line as i64, Val::TRUE)?;
        }
        ctx.set_field(self.t, "activelines", Val::table(lines))
    }
}

// ---- local variables ----

/// A local variable, or what is in its place.
struct Local {
    /// Its stack index.
    slot: usize,
    name: Vec<u8>,
    /// Whether it may be given another value.
    settable: bool,
}

/// What is called `name` from 5.4 on, as messages of the version have it.
fn temporary_name(vm: &Vm, name: &'static [u8]) -> &'static [u8] {
    match name {
        _ if vm.dialect >= Dialect::Lua54 => name,
        b"(vararg)" => b"(*vararg)",
        // 5.1 leaves the name empty.
        b"(no name)" if vm.dialect < Dialect::Lua52 => b"",
        b"(no name)" => b"(*no name)",
        _ => b"(*temporary)",
    }
}

/// Local variable `n` of an activation. Negative numbers are extra arguments.
fn find_local(vm: &Vm, thread: Gc<Thread>, activation: Activation, n: i64) -> Option<Local> {
    let frames = thread.frames();
    let lua = vm.lua_frame(&thread, activation);
    let base = activation
        .frame
        .map_or(activation.func + 1, |i| frames[i].base as usize);
    if n < 0 {
        let extra = lua?.extra as usize;
        // From 5.5 on, those that are in a table are nowhere else.
        let first = frame_code(&thread, activation.func)?.code.first()?;
        if vm.dialect >= Dialect::Lua55 && first.op() == Op::PACKVARARG {
            return None;
        }
        let i = usize::try_from(n.checked_neg()?).ok()?;
        let slot = (base - 1 - extra)
            .checked_add(i - 1)
            .filter(|_| i <= extra)?;
        return Some(Local {
            slot,
            name: temporary_name(vm, b"(vararg)").to_vec(),
            settable: true,
        });
    }
    let n = usize::try_from(n).ok().filter(|n| *n > 0)?;
    let mut unused = 0;
    if let (Some(_), Some(i)) = (lua, activation.frame) {
        let code = frame_code(&thread, activation.func)?;
        let pc = vm.instruction_index(&thread, i);
        // The hidden variable that only some versions have is none in the others.
        let mut left = n;
        let named = (1..).take_while(|r| code.local_name(*r, pc).is_some());
        unused = named
            .filter(|r| code.local_name(*r, pc) == Some(UNUSED))
            .count();
        let register = (1..)
            .take_while(|r| code.local_name(*r, pc).is_some())
            .find(|r| {
                left -= (code.local_name(*r, pc) != Some(UNUSED)) as usize;
                left == 0
            });
        if let Some((register, name)) = register.and_then(|r| Some((r, code.local_name(r, pc)?))) {
            return Some(Local {
                slot: base + register - 1,
                name: name.to_vec(),
                settable: !name.starts_with(b"("),
            });
        }
    }
    // A temporary, if the slot is below what the activation called, or the top.
    let running = std::ptr::eq(&*thread, vm.current) && vm.native != crate::vm::NO_NATIVE;
    let above = activation
        .frame
        .and_then(|i| frames.get(i + 1))
        .map(|f| f.func as usize)
        .or_else(|| {
            (running && activation.func != vm.native as usize).then_some(vm.native as usize)
        });
    let mut end = above.unwrap_or(thread.top as usize);
    if let (Some(_), Some(code)) = (lua, frame_code(&thread, activation.func)) {
        // Beyond the registers is what the interpreter keeps for an instruction in the middle of its work.
        end = end.min(base + code.max_stack as usize);
        // An open number of values that a return passes to a hook may go further.
        let (first, count) = activation.frame.map_or((0, 0), |i| thread.transferred(i));
        end = end.max(base + (first + count).saturating_sub(1) as usize);
    }
    let slot = base
        .checked_add(n - 1 + unused)
        .filter(|slot| *slot < end)?;
    let (name, settable): (&[u8], bool) = if lua.is_some() {
        (
            temporary_name(vm, b"(temporary)"),
            !thread.get(slot).is_table(),
        )
    } else {
        (temporary_name(vm, b"(C temporary)"), false)
    };
    Some(Local {
        slot,
        name: name.to_vec(),
        settable,
    })
}

fn getlocal(ctx: &mut Ctx<'_>) -> NativeResult {
    let (thread, at) = thread_argument(ctx);
    let n = ctx.check_int(at + 1)?;
    if ctx.arg(at).is_function() {
        // The parameters' names are known without a call.
        let closure = ctx.arg(at).as_lua_closure();
        let code = closure.map(|c| std::sync::Arc::clone(&c.proto().function));
        let n = usize::try_from(n).ok().filter(|n| *n > 0);
        return match code.as_ref().zip(n).and_then(|(c, n)| c.local_name(n, 0)) {
            Some(name) => ctx.ret_str(name),
            None => ctx.ret(Val::NIL),
        };
    }
    let Some(activation) = level_argument(ctx, thread, at)? else {
        return Err(ctx.arg_error(at, "level out of range"));
    };
    match find_local(ctx.vm, thread, activation, n) {
        Some(local) => {
            let v = thread.get(local.slot);
            ctx.push_str(&local.name)?;
            ctx.push(v);
            ctx.ret_from(ctx.top() - 2)
        }
        None => ctx.ret(Val::NIL),
    }
}

fn setlocal(ctx: &mut Ctx<'_>) -> NativeResult {
    let (mut thread, at) = thread_argument(ctx);
    let Some(activation) = level_argument(ctx, thread, at)? else {
        return Err(ctx.arg_error(at, "level out of range"));
    };
    let n = ctx.check_int(at + 1)?;
    let v = ctx.check_any(at + 2)?;
    match find_local(ctx.vm, thread, activation, n) {
        Some(local) if local.settable => {
            thread.set(local.slot, v);
            ctx.vm.barrier_thread(thread);
            // A slot below the frames that run is not looked at again.
            ctx.vm.barrier_handle(v);
            ctx.ret_str(&local.name)
        }
        _ => ctx.ret(Val::NIL),
    }
}

// ---- captured variables ----

/// The name and place of upvalue `n` (from 1) of a function.
fn find_upvalue(vm: &Vm, f: Val, n: i64) -> Option<(Vec<u8>, *mut Val)> {
    let n = usize::try_from(n).ok()?.checked_sub(1)?;
    if let Some(closure) = f.as_lua_closure() {
        let n = n.checked_add(environments::hidden_upvalues(vm))?;
        if n >= closure.count() {
            return None;
        }
        let name = names::upvalue_name(&closure.proto().function, n)
            .unwrap_or_else(|| temporary_name(vm, b"(no name)"));
        // SAFETY: the index is below the count; a captured variable's place is valid while the closure lives.
        let place = unsafe {
            let slot = closure.upvalue_ptr(n);
            if (*slot).tag == tag::UPBOX {
                (*slot).raw_gc::<UpBox>().location
            } else {
                slot
            }
        };
        return Some((name.to_vec(), place));
    }
    let closure = f.as_native_closure().filter(|c| n < c.count())?;
    Some((Vec::new(), closure.upvalue_ptr(n)))
}

fn getupvalue(ctx: &mut Ctx<'_>) -> NativeResult {
    let n = ctx.check_int(1)?;
    let f = ctx.check_function(0)?;
    let Some((name, place)) = find_upvalue(ctx.vm, f, n) else {
        return ctx.ret0();
    };
    // SAFETY: the place belongs to the closure, an argument; nothing has run since.
    let v = unsafe { *place };
    ctx.push(v);
    let name = ctx.new_str(&name)?;
    ctx.ret2(Val::str(name), v)
}

fn setupvalue(ctx: &mut Ctx<'_>) -> NativeResult {
    let v = ctx.check_any(2)?;
    let n = ctx.check_int(1)?;
    let f = ctx.check_function(0)?;
    let Some((name, place)) = find_upvalue(ctx.vm, f, n).filter(|_| f.as_lua_closure().is_some())
    else {
        return ctx.ret0();
    };
    // SAFETY: as in `getupvalue`.
    unsafe { *place = v };
    let slot = n as usize - 1 + environments::hidden_upvalues(ctx.vm);
    store_barrier(ctx.vm, f, slot, v);
    ctx.ret_str(&name)
}

/// Tells the collector that `v` was stored in upvalue `n` of a Lua function.
fn store_barrier(vm: &mut Vm, f: Val, n: usize, v: Val) {
    if let Some(closure) = f.as_lua_closure() {
        // SAFETY: the caller checked the index.
        let slot = unsafe { *closure.upvalue_ptr(n) };
        if slot.tag == tag::UPBOX {
            vm.barrier(slot.header(), v);
            return;
        }
    }
    if f.is_object() {
        vm.barrier(f.header(), v);
    }
}

fn upvalueid(ctx: &mut Ctx<'_>) -> NativeResult {
    let n = ctx.check_int(1)?;
    let f = ctx.check_function(0)?;
    match upvalue_identity(ctx.vm, f, n) {
        Some(id) => ctx.ret(Val::light(id)),
        None if ctx.vm.dialect < Dialect::Lua54 => Err(ctx.arg_error(1, "invalid upvalue index")),
        None => ctx.ret(Val::NIL),
    }
}

/// What tells captured variables apart: the shared variable, or else the closure's own copy.
fn upvalue_identity(vm: &Vm, f: Val, n: i64) -> Option<usize> {
    let (_, place) = find_upvalue(vm, f, n)?;
    if let Some(closure) = f.as_lua_closure() {
        let slot = n as usize - 1 + environments::hidden_upvalues(vm);
        // SAFETY: `find_upvalue` checked the index.
        let slot = unsafe { *closure.upvalue_ptr(slot) };
        if slot.tag == tag::UPBOX {
            return Some(slot.payload as usize);
        }
    }
    Some(place as usize)
}

/// Makes one closure's captured variable that of another, where both share theirs; copies its value where one does
/// not, since how a variable is read is fixed in the code.
fn upvaluejoin(ctx: &mut Ctx<'_>) -> NativeResult {
    let (to, to_index) = upvalue_argument(ctx, 0)?;
    let (from, from_index) = upvalue_argument(ctx, 2)?;
    // SAFETY: `upvalue_argument` checked the indices.
    let (target, source) = unsafe { (*to.upvalue_ptr(to_index), *from.upvalue_ptr(from_index)) };
    let joined = match (target.tag == tag::UPBOX, source.tag == tag::UPBOX) {
        (true, true) | (false, false) => source,
        // SAFETY: a captured variable's place is valid while its box lives.
        (false, true) => unsafe { *source.raw_gc::<UpBox>().location },
        (true, false) => {
            let made = ctx.vm.new_closed_box(source)?;
            Val::object(made.header(), tag::UPBOX)
        }
    };
    // SAFETY: as above.
    unsafe { *to.upvalue_ptr(to_index) = joined };
    ctx.vm.barrier(to.header(), joined);
    ctx.ret0()
}

/// The Lua function that is argument `i` and the upvalue index behind it.
fn upvalue_argument(ctx: &mut Ctx<'_>, i: usize) -> Result<(Gc<LuaClosure>, usize), Thrown> {
    let n = ctx.check_int(i + 1)?;
    let f = ctx.check_function(i)?;
    if find_upvalue(ctx.vm, f, n).is_none() {
        return Err(ctx.arg_error(i + 1, "invalid upvalue index"));
    }
    match f.as_lua_closure() {
        Some(closure) => Ok((
            closure,
            n as usize - 1 + environments::hidden_upvalues(ctx.vm),
        )),
        None => Err(ctx.arg_error(i, "Lua function expected")),
    }
}

// ---- metatables, user values, the registry ----

fn getmetatable(ctx: &mut Ctx<'_>) -> NativeResult {
    let v = ctx.check_any(0)?;
    let meta = ctx.metatable(v).map_or(Val::NIL, Val::table);
    ctx.ret(meta)
}

fn setmetatable(ctx: &mut Ctx<'_>) -> NativeResult {
    let meta = ctx.arg(1);
    if ctx.is_none(1) || !(meta.is_nil() || meta.is_table()) {
        return Err(match ctx.vm.dialect < Dialect::Lua54 {
            true => ctx.arg_error(1, "nil or table expected"),
            false => ctx.type_error(1, "nil or table"),
        });
    }
    let v = ctx.arg(0);
    ctx.vm.set_metatable(v, meta.as_table())?;
    ctx.ret(v)
}

fn getuservalue(ctx: &mut Ctx<'_>) -> NativeResult {
    let n = ctx.opt_int(1, 1)?;
    match ctx.arg(0).as_userdata() {
        Some(u) if n == 1 && !super::io::is_file(&u) => ctx.ret2(u.user_value, Val::TRUE),
        _ => ctx.ret(Val::NIL),
    }
}

fn setuservalue(ctx: &mut Ctx<'_>) -> NativeResult {
    let n = ctx.opt_int(2, 1)?;
    let Some(mut u) = ctx.arg(0).as_userdata() else {
        return Err(ctx.type_error(0, "userdata"));
    };
    let v = ctx.check_any(1)?;
    if n != 1 || super::io::is_file(&u) {
        return ctx.ret(Val::NIL);
    }
    u.user_value = v;
    ctx.vm.barrier(u.header(), v);
    ctx.ret(Val::userdata(u))
}

fn getregistry(ctx: &mut Ctx<'_>) -> NativeResult {
    let registry = ctx.vm.registry;
    ctx.ret(Val::table(registry))
}

/// Kept for old scripts: there is no C stack to limit.
fn setcstacklimit(ctx: &mut Ctx<'_>) -> NativeResult {
    const LIMIT: i64 = 200;
    ctx.check_int(0)?;
    ctx.ret(Val::int(LIMIT))
}

// ---- hooks ----

/// Sets or removes the hook of a coroutine. The interpreter keeps it (see `vm::hook`); the registry shows it.
fn sethook(ctx: &mut Ctx<'_>) -> NativeResult {
    let (thread, at) = thread_argument(ctx);
    let (mut hook, mut mask, mut count) = (Val::NIL, 0, 0);
    if !ctx.is_none_or_nil(at) {
        let wanted = ctx.check_str(at + 1)?;
        hook = ctx.check_function(at)?;
        let asked = ctx.opt_int(at + 2, 0)?;
        for (letter, bit) in [(b'c', mask::CALL), (b'r', mask::RETURN), (b'l', mask::LINE)] {
            if wanted.as_bytes().contains(&letter) {
                mask |= bit;
            }
        }
        if asked > 0 {
            mask |= mask::COUNT;
            count = u32::try_from(asked).unwrap_or(u32::MAX);
        }
        if mask == 0 {
            hook = Val::NIL;
        }
    }
    let t = hook_table(ctx)?;
    ctx.raw_set(t, Val::thread(thread), hook)?;
    ctx.vm.set_hook(thread, hook, mask, count)?;
    // The interpreter's loop takes the form that is now right when it is entered again.
    ctx.pause(|ctx| ctx.ret0())
}

/// The registry's table of hooks, with coroutines as weak keys.
fn hook_table(ctx: &mut Ctx<'_>) -> Result<Gc<Table>, Thrown> {
    let registry = ctx.vm.registry;
    let key = ctx.new_str(HOOKS.as_bytes())?;
    if let Some(t) = ctx.raw_get(registry, Val::str(key)).as_table() {
        return Ok(t);
    }
    let t = ctx.new_table(0, 0)?;
    ctx.set_field(registry, HOOKS, Val::table(t))?;
    let mode = ctx.new_str(b"k")?;
    ctx.set_field(t, "__mode", Val::str(mode))?;
    ctx.vm.set_metatable(Val::table(t), Some(t))?;
    Ok(t)
}

fn gethook(ctx: &mut Ctx<'_>) -> NativeResult {
    let (thread, _) = thread_argument(ctx);
    let Some(hook) = thread.hook.as_ref().filter(|hook| hook.mask != 0) else {
        if ctx.vm.dialect >= Dialect::Lua54 {
            return ctx.ret(Val::NIL);
        }
        ctx.push(Val::NIL);
        ctx.push_str(b"")?;
        ctx.push(Val::int(0));
        return ctx.ret_from(ctx.top() - 3);
    };
    let (function, count) = (hook.function, i64::from(hook.count));
    let bits = hook.mask;
    let events: Vec<u8> = [(b'c', mask::CALL), (b'r', mask::RETURN), (b'l', mask::LINE)]
        .into_iter()
        .filter(|(_, bit)| bits & bit != 0)
        .map(|(letter, _)| letter)
        .collect();
    ctx.push(function);
    ctx.push_str(&events)?;
    ctx.push(Val::int(count));
    ctx.ret_from(ctx.top() - 3)
}

// ---- a prompt ----

/// `debug.debug()`: runs lines from standard input until one says `cont`.
fn debug(ctx: &mut Ctx<'_>) -> NativeResult {
    let host = std::rc::Rc::clone(&ctx.vm.host);
    loop {
        let _ = host.write_err(b"lua_debug> ");
        let mut line = Vec::new();
        let mut byte = [0u8];
        const LONGEST: usize = 250;
        while line.len() < LONGEST && host.read_in(&mut byte).is_ok_and(|n| n > 0) {
            line.push(byte[0]);
            if byte[0] == b'\n' {
                break;
            }
        }
        if line.is_empty() || line == b"cont\n" {
            return ctx.ret0();
        }
        ctx.charge(line.len());
        match ctx.vm.load_source(&line, b"=(debug command)") {
            Ok(f) => {
                ctx.push(Val::lua_closure(f));
                return ctx.call_protected(0, false, debug_done);
            }
            Err(LoadError::Thrown(thrown)) => return Err(thrown),
            Err(LoadError::Refused { message, .. }) => report(ctx, &message),
        }
    }
}

fn debug_done(ctx: &mut Ctx<'_>) -> NativeResult {
    if ctx.status() == Status::Error {
        let error = ctx.result(0);
        let text = match ctx.to_str(error)? {
            Some(s) => s.as_bytes().to_vec(),
            None => format!("(error object is a {} value)", error.type_name()).into_bytes(),
        };
        report(ctx, &text);
    }
    ctx.set_top(ctx.results());
    debug(ctx)
}

fn report(ctx: &mut Ctx<'_>, message: &[u8]) {
    let mut line = message.to_vec();
    line.push(b'\n');
    let _ = ctx.vm.host.write_err(&line);
}

#[cfg(test)]
mod tests;
