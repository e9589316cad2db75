//! `string.gsub`.
//!
//! ```text
//!   advance: search -> match -> replacement known now?  -- yes --> append, search on
//!                                  | no: call the function or __index, continue in `replaced`
//!                                  v
//!   state: Rust locals until the first pause or call, then a userdata in argument slot 3
//! ```
//!
//! **Invariant:** arguments 0 to 2 (subject, pattern, replacement) stay in place for the whole call; [`Gsub`] itself holds
//! no heap object.

use super::pattern::{Capture, Progress};
use super::quick_gsub;
use super::search::Search;
use crate::dialect::Dialect;
use crate::function::{Cost, NativeDef};
use crate::native::{Buffer, Ctx, NativeResult, Thrown};
use crate::stdlib::access::{self, Access};
use crate::string::Str;
use crate::value::{Val, tag};

pub(super) static GSUB: NativeDef = NativeDef {
    name: "gsub",
    run: gsub,
    cost: Cost::Steps,
    quick: Some(quick_gsub::quick),
    switch: None,
};

const STATE: usize = 3;

/// What is done so far.
struct Gsub {
    search: Search,
    result: Buffer,
    /// The subject up to here is in the result.
    copied: usize,
    /// The match whose replacement is awaited.
    span: (usize, usize),
    count: i64,
    max: i64,
    /// Some match was replaced: otherwise the result is the subject itself.
    changed: bool,
    finished: bool,
    /// What is behind the last match is in the result, or on its way there.
    ended: bool,
    /// Before 5.3: a match may end where the one before it ended.
    touching: bool,
}

/// Why `advance` came back.
enum Stop {
    Done,
    Pause,
    /// A function and so many arguments are pushed; its result replaces the match.
    Call(usize),
}

fn gsub(ctx: &mut Ctx<'_>) -> NativeResult {
    let subject = ctx.check_str(0)?.as_bytes();
    let pattern = ctx.check_str(1)?.as_bytes();
    match ctx.arg(2).tag {
        tag::INT | tag::FLOAT => drop(ctx.check_str(2)?),
        tag::STR | tag::TABLE => {}
        _ if ctx.arg(2).is_function() => {}
        _ if ctx.vm.dialect < Dialect::Lua54 => {
            return Err(ctx.arg_error(2, "string/function/table expected"));
        }
        _ => return Err(ctx.type_error(2, "string/function/table")),
    }
    let max = ctx.opt_int(3, subject.len() as i64 + 1)?;
    let max = match ctx.vm.dialect {
        Dialect::Lua51 => i64::from(max as i32),
        // An unsigned number there.
        Dialect::Lua52 if max < 0 => i64::MAX,
        _ => max,
    };
    let search = Search::new(ctx, pattern, true, 0)?;
    let result = ctx.buffer();
    let finished = max <= 0;
    let state = Gsub {
        search,
        result,
        copied: 0,
        span: (0, 0),
        count: 0,
        max,
        changed: false,
        finished,
        ended: false,
        touching: ctx.vm.dialect < Dialect::Lua53,
    };
    run(ctx, state)
}

/// Runs with the state in a local, and moves it into a userdata if it has to stop.
fn run(ctx: &mut Ctx<'_>, mut state: Gsub) -> NativeResult {
    let stop = state.advance(ctx)?;
    if let Stop::Done = stop {
        return state.finish(ctx);
    }
    let call = take_call(ctx, &stop);
    if let Err(thrown) = ctx.keep_state(STATE, state) {
        ctx.vm.scratch.truncate(ctx.vm.scratch.len() - call);
        return Err(thrown);
    }
    put_call(ctx, call);
    leave(ctx, stop)
}

/// Takes the pushed call off the stack, where `resize_args` would drop it, into the VM's protected values.
fn take_call(ctx: &mut Ctx<'_>, stop: &Stop) -> usize {
    let Stop::Call(nargs) = stop else { return 0 };
    let from = ctx.top() - nargs - 1;
    for i in 0..=*nargs {
        let v = ctx.at(from + i);
        ctx.vm.scratch.push(v);
    }
    nargs + 1
}

fn put_call(ctx: &mut Ctx<'_>, count: usize) {
    let from = ctx.vm.scratch.len() - count;
    for i in from..from + count {
        let v = ctx.vm.scratch[i];
        ctx.push(v);
    }
    ctx.vm.scratch.truncate(from);
}

fn leave(ctx: &mut Ctx<'_>, stop: Stop) -> NativeResult {
    match stop {
        Stop::Call(nargs) => ctx.call(nargs, replaced),
        _ => ctx.pause(go_on),
    }
}

/// The continuation after a pause.
fn go_on(ctx: &mut Ctx<'_>) -> NativeResult {
    let Some(state) = ctx.kept_state::<Gsub>() else {
        return ctx.ret(Val::NIL);
    };
    let top = ctx.top();
    match state.advance(ctx)? {
        Stop::Done => state.finish(ctx),
        stop => {
            debug_assert!(matches!(stop, Stop::Call(_)) || ctx.top() == top);
            leave(ctx, stop)
        }
    }
}

/// The continuation with the result of a function or `__index` metamethod.
fn replaced(ctx: &mut Ctx<'_>) -> NativeResult {
    let v = ctx.result(0);
    let Some(state) = ctx.kept_state::<Gsub>() else {
        return ctx.ret(Val::NIL);
    };
    state.append(ctx, v)?;
    ctx.set_top(ctx.base + STATE + 1);
    go_on(ctx)
}

fn subject<'a>(ctx: &Ctx<'a>) -> &'a [u8] {
    ctx.arg(0).as_str().map_or(b"", |s| s.as_bytes())
}

impl Gsub {
    /// Replaces matches until all are done or something is to be waited for.
    fn advance(&mut self, ctx: &mut Ctx<'_>) -> Result<Stop, Thrown> {
        let subject = subject(ctx);
        let replacement = ctx.arg(2);
        while !self.finished {
            if ctx.should_pause() || !self.result.settle(ctx) {
                return Ok(Stop::Pause);
            }
            match self.search.step(ctx, subject)? {
                Progress::Paused => return Ok(Stop::Pause),
                Progress::NoMatch => self.finished = true,
                Progress::Match { start, end } => {
                    self.result.push_argument(ctx, 0, self.copied, start)?;
                    self.span = (start, end);
                    self.count += 1;
                    // Behind an empty match, the next one begins a byte later.
                    if self.touching && start == end && end == subject.len() {
                        self.max = self.count;
                    }
                    if let Some(text) = replacement.as_str() {
                        self.expand(ctx, text.as_bytes())?;
                        self.search_on();
                        continue;
                    }
                    match self.begin_replacement(ctx, subject, replacement)? {
                        Access::Now(v) => self.append(ctx, v)?,
                        Access::Call(nargs) => return Ok(Stop::Call(nargs)),
                    }
                }
            }
        }
        if self.changed && !self.ended {
            self.ended = true;
            self.result
                .push_argument(ctx, 0, self.copied, subject.len())?;
        }
        if self.result.settle(ctx) {
            Ok(Stop::Done)
        } else {
            Ok(Stop::Pause)
        }
    }

    /// The match is dealt with: prepares the search for the next one.
    fn search_on(&mut self) {
        self.copied = self.span.1;
        self.finished = self.search.is_anchored() || self.count >= self.max;
        if self.finished {
            return;
        }
        let (start, end) = self.span;
        match self.touching {
            true => self.search.go_on_touching(end + (start == end) as usize),
            false => self.search.go_on(end),
        }
    }

    /// Looks the match up in the replacement table, or prepares the call of the replacement function.
    fn begin_replacement(
        &mut self,
        ctx: &mut Ctx<'_>,
        subject: &[u8],
        by: Val,
    ) -> Result<Access, Thrown> {
        if by.is_function() {
            ctx.push(by);
            let nargs = self
                .search
                .view(subject)
                .push_values(ctx, self.span, true)?;
            return Ok(Access::Call(nargs));
        }
        let key = self.search.view(subject).value(ctx, 0, self.span)?;
        ctx.push(key);
        match access::index(ctx, by, key)? {
            Access::Now(v) => {
                ctx.pop();
                Ok(Access::Now(v))
            }
            call => Ok(call),
        }
    }

    /// Appends what a table or function gave for the match: a text, or the match itself for nil and false.
    fn append(&mut self, ctx: &mut Ctx<'_>, v: Val) -> Result<(), Thrown> {
        if v.truthy() {
            let Some(text) = ctx.to_str(v)? else {
                let message = format!("invalid replacement value (a {})", v.type_name());
                return Err(ctx.error(&message));
            };
            // Not `v`, which may be a number: the buffer's growth may collect.
            ctx.push(Val::str(text));
            ctx.charge(text.len() / 16);
            self.result.push(ctx, text.as_bytes())?;
            ctx.pop();
            self.changed = true;
        } else {
            let (start, end) = self.span;
            self.result.push_argument(ctx, 0, start, end)?;
        }
        self.search_on();
        Ok(())
    }

    /// Appends a replacement text, with `%0` to `%9` and `%%` expanded.
    fn expand(&mut self, ctx: &mut Ctx<'_>, whole: &[u8]) -> Result<(), Thrown> {
        self.changed = true;
        ctx.charge(1 + whole.len() / 16);
        let subject = subject(ctx);
        let mut text = whole;
        while let Some(at) = memchr::memchr(b'%', text) {
            self.result.push(ctx, &text[..at])?;
            match text.get(at + 1) {
                Some(b'%') => self.result.push(ctx, b"%")?,
                Some(b'0') => self.push_span(ctx, self.span)?,
                Some(digit @ b'1'..=b'9') => {
                    match self.search.view(subject).capture(
                        ctx,
                        usize::from(digit - b'1'),
                        self.span,
                    )? {
                        Capture::Span { start, end } => self.push_span(ctx, (start, end))?,
                        Capture::Position(at) => {
                            let write =
                                |out: &mut Vec<u8>| crate::number::format_int(at as i64 + 1, out);
                            self.result.push_with(ctx, 20, write)?;
                        }
                    }
                }
                // In 5.1 what follows stands for itself, even if it is nothing.
                Some(other) if ctx.vm.dialect < Dialect::Lua52 => {
                    self.result.push(ctx, &[*other])?
                }
                None if ctx.vm.dialect < Dialect::Lua52 => {
                    self.result.push(ctx, &[0])?;
                    return Ok(());
                }
                _ => return Err(ctx.error("invalid use of '%' in replacement string")),
            }
            text = &text[at + 2..];
        }
        self.result
            .push_argument(ctx, 2, whole.len() - text.len(), whole.len())
    }

    fn push_span(&mut self, ctx: &mut Ctx<'_>, (start, end): (usize, usize)) -> Result<(), Thrown> {
        self.result.push_argument(ctx, 0, start, end)
    }

    fn finish(&mut self, ctx: &mut Ctx<'_>) -> NativeResult {
        let count = Val::int(self.count);
        if !self.changed {
            let v = ctx.arg(0);
            return ctx.ret2(v, count);
        }
        let text = std::mem::replace(&mut self.result, ctx.buffer());
        let s: crate::heap::Gc<Str> = text.finish(ctx)?;
        ctx.ret2(Val::str(s), count)
    }
}
