//! `..` of long texts.
//!
//! The instruction joins short texts itself. Where the result is long, it calls this native with the texts, as it would call
//! a metamethod: a native can copy in pieces, and be preempted between two of them.

use crate::function::{Cost, NativeDef};
use crate::native::{Buffer, Ctx, NativeResult, Thrown};
use crate::string::{MAX_LEN, Str};
use crate::value::{Val, tag};
use crate::vm::Vm;
use crate::vm::call::{NATIVE_SLOTS, Next};

/// From this many bytes on.
const LONG: usize = 1 << 20;

static JOIN: NativeDef = NativeDef::new("concat", join, Cost::Bytes);

impl Vm {
    /// The call that joins the texts at the end of the `n` values from stack index `at`, if their result is long. All of
    /// them but numbers are strings; the last two are texts.
    pub(crate) fn concat_long(&mut self, at: usize, n: usize) -> Result<Option<Next>, Thrown> {
        let (mut first, mut len) = (n, 0usize);
        while first > 0 {
            let v = self.thread().get(at + first - 1);
            match v.tag {
                tag::STR => len = len.saturating_add(v.raw_gc::<Str>().len()),
                tag::INT | tag::FLOAT => {}
                _ => break,
            }
            first -= 1;
        }
        // What is too long altogether is the instruction's to refuse.
        if !(LONG..=MAX_LEN).contains(&len) {
            return Ok(None);
        }
        // How many values there are after this step: `finish_instruction` finds it below the call.
        let mark = self.thread().extent();
        self.ensure_stack(mark + n + NATIVE_SLOTS)?;
        let t = self.thread_mut();
        t.set(mark, Val::int(first as i64 + 1));
        t.top = mark as u32 + 1;
        let texts: Vec<Val> = (first..n).map(|i| t.get(at + i)).collect();
        self.call_meta(Val::native(&JOIN), &texts, 1).map(Some)
    }
}

/// Texts being joined: the arguments from `next` on are still to be appended.
struct Joining {
    result: Buffer,
    next: usize,
    given: usize,
}

fn join(ctx: &mut Ctx<'_>) -> NativeResult {
    let given = ctx.nargs();
    let mut len = 0;
    for i in 0..given {
        len += ctx.check_str(i)?.len();
    }
    let mut result = ctx.buffer();
    result.reserve(ctx, len)?;
    let mut state = Joining {
        result,
        next: 0,
        given,
    };
    if state.advance(ctx)? {
        return ctx.ret_text(&mut state.result);
    }
    ctx.keep_state(given, state)?;
    ctx.pause(join_on)
}

fn join_on(ctx: &mut Ctx<'_>) -> NativeResult {
    let Some(state) = ctx.kept_state::<Joining>() else {
        return ctx.ret(Val::NIL);
    };
    if state.advance(ctx)? {
        ctx.ret_text(&mut state.result)
    } else {
        ctx.pause(join_on)
    }
}

impl Joining {
    /// Appends to the end (true), or until it should pause.
    fn advance(&mut self, ctx: &mut Ctx<'_>) -> Result<bool, Thrown> {
        loop {
            if ctx.should_pause() || !self.result.settle(ctx) {
                return Ok(false);
            }
            if self.next == self.given {
                return Ok(true);
            }
            ctx.charge(1);
            let len = ctx.check_str(self.next)?.len();
            self.result.push_argument(ctx, self.next, 0, len)?;
            self.next += 1;
        }
    }
}
