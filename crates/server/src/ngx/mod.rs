//! The parts of `ngx` that belong to a request.
//!
//! | file | what |
//! |---|---|
//! | `output` | say, print, flush, eof, send_headers |
//! | `header` | header, status, headers_sent, resp |
//! | `control` | exit, exec, redirect, get_phase, ctx, arg, log |
//! | `request` | req |
//! | `socket` | req.socket, on_abort |
//! | `var` | var |
//! | `capture` | location.capture, location.capture_multi |
//! | `status` | what an exit with a status is as a response |
//!
//! **Invariant:** one table per VM, with functions that look at the request being served; nothing of a request is kept in it.

mod capture;
mod control;
mod header;
mod output;
mod request;
mod socket;
pub mod status;
mod var;

use crate::exchange::{Exchange, Phase};
use bytes::Bytes;
use rille_lua::{Error, FromLuaMulti, IntoLuaMulti, Lua, Result, Table, Value};
use rille_runtime::vm::{AppVm, Current};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;

/// What `ngx` keeps for a request.
#[derive(Default)]
pub struct State {
    /// Whether it has come from another request or another route.
    pub is_internal: Cell<bool>,
    /// Whether it is one of `ngx.location.capture`, and how many of those are around it.
    pub depth: Cell<u32>,
    /// `ngx.ctx`.
    pub ctx: RefCell<Option<Table>>,
    /// `ngx.arg` in a body filter: a piece, and whether it is the last.
    pub arg: RefCell<(Bytes, bool)>,
    /// Variables that scripts have made.
    pub vars: RefCell<Vec<(Vec<u8>, Vec<u8>)>>,
    /// The body, once `ngx.req.read_body` has read it, or a script has made one.
    pub body: RefCell<Option<Bytes>>,
    /// One in the making (`ngx.req.init_body`).
    pub draft: RefCell<Option<Vec<u8>>>,
}

impl State {
    /// What `ngx.exec` leaves behind.
    pub fn forget(&self) {
        self.ctx.take();
    }
}

/// The phases that may write a response.
const OUTPUT: &[Phase] = &[Phase::Rewrite, Phase::Access, Phase::Content];

/// Adds to `ngx` what needs a request. `worker`: the number of this one, and how many there are.
pub fn install(vm: &Rc<AppVm>, worker: (usize, usize)) -> Result<()> {
    let lua = vm.lua();
    let ngx: Table = lua.globals().raw_get("ngx")?;
    let adding = Adding {
        lua,
        current: vm.current(),
    };
    output::install(&adding, &ngx)?;
    control::install(&adding, &ngx, vm, worker)?;
    header::install(&adding, &ngx)?;
    let req = request::table(&adding)?;
    socket::install(&adding, &ngx, &req)?;
    ngx.raw_set("req", req)?;
    ngx.raw_set("var", var::table(&adding)?)?;
    ngx.raw_set("location", capture::table(&adding)?)?;
    let package: Table = lua.globals().raw_get("package")?;
    (package.raw_get::<Table>("loaded")?).raw_set("ngx", &ngx)?;
    control::dynamic(&adding, &ngx)
}

/// Functions of one VM on their way into tables.
struct Adding<'a> {
    lua: &'a Lua,
    current: &'a Rc<Current>,
}

impl Adding<'_> {
    /// A function of the request being served, in any of its phases.
    fn add<A: FromLuaMulti + 'static, R: IntoLuaMulti + 'static>(
        &self,
        table: &Table,
        name: &str,
        f: impl Fn(&Lua, &Rc<Exchange>, A) -> Result<R> + 'static,
    ) -> Result<()> {
        let here = self.current.clone();
        let function = self
            .lua
            .create_function(move |lua, arguments: A| f(lua, &exchange(&here)?, arguments))?;
        table.raw_set(name, function)
    }

    /// One that only some phases have.
    fn add_in<A: FromLuaMulti + 'static, R: IntoLuaMulti + 'static>(
        &self,
        phases: &'static [Phase],
        table: &Table,
        name: &str,
        f: impl Fn(&Lua, &Rc<Exchange>, A) -> Result<R> + 'static,
    ) -> Result<()> {
        self.add(table, name, move |lua, exchange, arguments: A| {
            check(exchange, phases)?;
            f(lua, exchange, arguments)
        })
    }

    /// One that may wait.
    fn add_async<A, R, F>(
        &self,
        phases: &'static [Phase],
        table: &Table,
        name: &str,
        f: impl Fn(Lua, Rc<Exchange>, A) -> F + 'static,
    ) -> Result<()>
    where
        A: FromLuaMulti + 'static,
        R: IntoLuaMulti + 'static,
        F: Future<Output = Result<R>> + 'static,
    {
        let here = self.current.clone();
        let function = self
            .lua
            .create_async_function(move |lua: Lua, arguments: A| {
                let work = exchange(&here).and_then(|exchange| {
                    check(&exchange, phases)?;
                    Ok(f(lua, exchange, arguments))
                });
                async move { work?.await }
            })?;
        table.raw_set(name, function)
    }
}

fn exchange(current: &Current) -> Result<Rc<Exchange>> {
    crate::exchange::current_exchange(current).ok_or_else(|| {
        let phase = current.context().map(|context| context.phase());
        match phase {
            Some("timer") => disabled("ngx.timer"),
            Some(phase) => disabled(&format!("{phase}_by_lua*")),
            None => Error::runtime("no request found"),
        }
    })
}

fn check(exchange: &Exchange, phases: &[Phase]) -> Result<()> {
    let phase = exchange.phase.get();
    match phases.contains(&phase) {
        true => Ok(()),
        false => Err(disabled(&format!("{}_by_lua*", phase.name()))),
    }
}

fn disabled(place: &str) -> Error {
    Error::runtime(format!("API disabled in the context of {place}"))
}

/// All phases of a request.
const ALL: &[Phase] = &[
    Phase::Rewrite,
    Phase::Access,
    Phase::Content,
    Phase::HeaderFilter,
    Phase::BodyFilter,
    Phase::Log,
];

/// A text, or a number as one; `None` for anything else.
fn text(lua: &Lua, value: &Value) -> Result<Option<Vec<u8>>> {
    Ok(match value {
        Value::String(text) => Some(text.as_bytes().to_vec()),
        Value::Integer(_) | Value::Number(_) => lua
            .coerce_string(value.clone())?
            .map(|text| text.as_bytes().to_vec()),
        _ => None,
    })
}

/// A line of the server's about something a script did in vain.
fn complain(exchange: &Exchange, what: std::fmt::Arguments<'_>) {
    let request = exchange.describe();
    (exchange.served.vm.log()).server(format_args!("{what} ({request})"));
}
