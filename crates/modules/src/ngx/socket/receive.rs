//! `receive`, `receiveany`, `receiveuntil`.
//!
//! **Invariant:** what has been taken from the connection is returned, with an error if there is one; if the VM has no room for it, nothing more
//! can be read.

use super::arguments::{Arguments, wrong};
use super::methods::{Refused, ready_for, tcp};
use super::tcp::{Busy, Connection, Operation, Tcp, TcpRef, time};
use crate::answer::{no, type_name};
use crate::text::bad_argument;
use rille_lua::{Args, Error, Function, Glance, IntoLuaMulti, Lua, MultiValue, Octets, Reply};
use rille_lua::{Result, Value};
use rille_runtime::net::pattern::{MAX_TEXT, Until};
use rille_runtime::net::timed::Patience;
use rille_runtime::net::{NetError, Pattern, Received};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// What has come already is given at once; only what has not is waited for.
pub(super) fn receive(given: &Args<'_>) -> Result<Reply<Read>> {
    const COMPLAINT: &str = "expecting 1 or 2 arguments (including the object), but got";
    let arguments = Arguments::new(given, 1, 2, COMPLAINT)?;
    let tcp = tcp(&arguments)?;
    let connection = match readable(&tcp) {
        Err(why) => return Read::refused(given.lua(), why),
        Ok(connection) => connection,
    };
    let pattern = match arguments.len() {
        1 => Some(Pattern::line()),
        _ => pattern_of(arguments)?,
    };
    match pattern {
        Some(pattern) => Reading::new(&tcp, connection, pattern).start(given.lua()),
        None => Read::nothing(given.lua()),
    }
}

/// What `receive` is to wait for; `None` for nothing at all.
fn pattern_of(arguments: Arguments<'_>) -> Result<Option<Pattern>> {
    if let Some(number) = arguments.number(2)? {
        return match number as i64 {
            ..0 => Err(bad_argument(2, "bad number argument")),
            0 => Ok(None),
            count => Ok(Some(Pattern::bytes(
                usize::try_from(count).unwrap_or(usize::MAX),
            ))),
        };
    }
    let known = arguments.glance(2, |value| match value {
        Glance::String(b"*l") => Ok(Some(Pattern::line())),
        Glance::String(b"*a") => Ok(Some(Pattern::all())),
        Glance::String([b'*', _]) => Err("bad pattern argument".to_owned()),
        Glance::String(other) => {
            let shown: String = String::from_utf8_lossy(other).chars().take(200).collect();
            Err(format!("bad pattern argument: {shown}"))
        }
        _ => Err("bad argument".to_owned()),
    })?;
    known.map_err(|why| bad_argument(2, why))
}

pub(super) fn receive_any(given: &Args<'_>) -> Result<Reply<Read>> {
    const COMPLAINT: &str = "expecting 2 arguments (including the object), but got";
    let arguments = Arguments::new(given, 2, 2, COMPLAINT)?;
    let tcp = tcp(&arguments)?;
    let connection = match readable(&tcp) {
        Err(why) => return Read::refused(given.lua(), why),
        Ok(connection) => connection,
    };
    match arguments.number(2)? {
        Some(most) if most as i64 > 0 => {
            Reading::new(&tcp, connection, Pattern::any(most as usize)).start(given.lua())
        }
        _ => Err(bad_argument(2, "bad max argument")),
    }
}

fn readable(tcp: &Tcp) -> std::result::Result<Rc<Connection>, Refused> {
    let operations = [Operation::Connect, Operation::Read];
    ready_for(tcp, &operations, |connection| !connection.read_closed.get())
}

/// A read that has begun.
pub(super) struct Reading {
    tcp: TcpRef,
    connection: Rc<Connection>,
    pattern: Pattern,
    received: Received,
    /// For an iterator, whose state goes in front of the results: whether it was given a size.
    sized: Option<bool>,
}

/// How a read has ended: what the method returns.
pub(super) enum Read {
    Taken {
        reading: Reading,
        done: std::result::Result<(), NetError>,
    },
    Values(MultiValue),
}

impl Reading {
    fn new(tcp: &TcpRef, connection: Rc<Connection>, pattern: Pattern) -> Reading {
        Reading {
            received: Received::new(tcp.net.memory()),
            tcp: tcp.clone(),
            connection,
            pattern,
            sized: None,
        }
    }

    fn poll(
        &mut self,
        moved: &mut bool,
        cx: &mut Context<'_>,
    ) -> Poll<std::result::Result<(), NetError>> {
        (self.connection.stream).poll_pattern(&mut self.pattern, &mut self.received, moved, cx)
    }

    /// Reads what is there, and what is not when it comes.
    fn start(mut self, lua: &Lua) -> Result<Reply<Read>> {
        let mut nobody = Context::from_waker(Waker::noop());
        if self.connection.stream.may_be_read()
            && let Poll::Ready(done) = self.poll(&mut false, &mut nobody)
        {
            let reading = self;
            return Ok(Reply::Now(Read::Taken { reading, done }));
        }
        let busy = Busy::begin(&self.tcp, &[Operation::Read]);
        Ok(Reply::later(lua, async move {
            let mut patience = Patience::new(time(self.tcp.timeouts.get().read));
            let done = poll_fn(|cx| {
                let mut moved = false;
                match self.poll(&mut moved, cx) {
                    Poll::Pending => {
                        let late = patience.poll(moved, cx);
                        late.map(|()| Err(NetError::Timeout))
                    }
                    ready => ready,
                }
            })
            .await;
            busy.over();
            let reading = self;
            Ok(Read::Taken { reading, done })
        }))
    }

    /// What is given, whether there was an error or not.
    fn bytes(&self, done: &std::result::Result<(), NetError>) -> &[u8] {
        match done {
            // The VM has no room for it either.
            Err(NetError::TooMuchData(_)) => &[],
            _ => self.received.bytes(),
        }
    }

    /// The state of the iterator for which it was, after it.
    fn state(&self) -> Option<i64> {
        let sized = self.sized?;
        Some(match self.pattern.as_until() {
            Some(until) if until.found() && sized => AT_END,
            Some(until) => until.state() as i64,
            None => 0,
        })
    }

    /// It is over. `is_given`: the script has what was taken.
    fn conclude(&self, done: std::result::Result<(), NetError>, is_given: bool) {
        let failure = match done {
            Err(why) => why,
            Ok(()) if is_given => return,
            // What was taken is lost.
            Ok(()) => NetError::Closed,
        };
        self.tcp.read_failed(&self.connection, &failure);
    }
}

impl Read {
    fn refused(lua: &Lua, why: Refused) -> Result<Reply<Read>> {
        no(lua, why).map(|values| Reply::Now(Read::Values(values)))
    }

    /// Nothing is wanted.
    fn nothing(lua: &Lua) -> Result<Reply<Read>> {
        let nothing = MultiValue::from_vec(vec![Value::String(lua.create_string("")?)]);
        Ok(Reply::Now(Read::Values(nothing)))
    }

    /// What one of the two makes of the results.
    fn give<R>(
        self,
        lua: &Lua,
        listed: impl FnOnce(MultiValue) -> Result<R>,
        taken: impl FnOnce(Taken<'_>) -> Result<R>,
    ) -> Result<R> {
        let (reading, done) = match self {
            Read::Values(values) => return listed(values),
            Read::Taken { reading, done } => (reading, done),
        };
        let bytes = reading.bytes(&done);
        lua.charge_fuel(bytes.len() as u64 / 16);
        let results = taken(Taken {
            state: reading.state(),
            why: done.as_ref().err().map(NetError::to_string),
            bytes,
        });
        reading.conclude(done, results.is_ok());
        results
    }
}

impl IntoLuaMulti for Read {
    fn into_lua_multi(self, lua: &Lua) -> Result<MultiValue> {
        self.give(lua, Ok, |taken| taken.into_lua_multi(lua))
    }

    fn push_all(self, lua: &Lua) -> Result<u32> {
        self.give(
            lua,
            |values| values.push_all(lua),
            |taken| taken.push_all(lua),
        )
    }
}

/// The results of a read: `[state,] data`, or `[state,] nil, why, data`.
struct Taken<'a> {
    state: Option<i64>,
    why: Option<String>,
    bytes: &'a [u8],
}

impl IntoLuaMulti for Taken<'_> {
    fn into_lua_multi(self, lua: &Lua) -> Result<MultiValue> {
        let data = Octets(self.bytes);
        match (self.state, self.why) {
            (None, None) => data.into_lua_multi(lua),
            (None, Some(why)) => (Value::Nil, why, data).into_lua_multi(lua),
            (Some(state), None) => (state, data).into_lua_multi(lua),
            (Some(state), Some(why)) => (state, Value::Nil, why, data).into_lua_multi(lua),
        }
    }

    fn push_all(self, lua: &Lua) -> Result<u32> {
        let data = Octets(self.bytes);
        match (self.state, self.why) {
            (None, None) => data.push_all(lua),
            (None, Some(why)) => (Value::Nil, why, data).push_all(lua),
            (Some(state), None) => (state, data).push_all(lua),
            (Some(state), Some(why)) => (state, Value::Nil, why, data).push_all(lua),
        }
    }
}

/// `receiveuntil(self, text, options)`; `make(socket, text, inclusive)` makes an iterator.
pub(super) fn receive_until(make: &Function, given: &Args<'_>) -> Result<MultiValue> {
    let lua = given.lua();
    const COMPLAINT: &str = "expecting 2 or 3 arguments (including the object), but got";
    let arguments = Arguments::new(given, 2, 3, COMPLAINT)?;
    let mut inclusive = false;
    if arguments.len() == 3 {
        let options = match arguments.get(3)? {
            Value::Table(options) => options,
            other => return Err(wrong(3, "table", &other)),
        };
        match options.get::<Value>("inclusive")? {
            Value::Nil => {}
            Value::Boolean(wanted) => inclusive = wanted,
            other => {
                return Err(Error::runtime(format!(
                    "bad \"inclusive\" option value type: {}",
                    type_name(&other)
                )));
            }
        }
    }
    tcp(&arguments)?;
    let text = arguments.bytes(2)?;
    if text.is_empty() {
        return no(lua, "pattern is empty");
    }
    if text.len() > MAX_TEXT {
        return no(lua, "failed to compile pattern");
    }
    make.call((arguments.get(1)?, lua.create_string(text)?, inclusive))
}

/// The state of an iterator that has given its last piece: the next call says so.
const AT_END: i64 = -1;

/// `(socket, text, inclusive, state [, size])`: the new state, and what the iterator returns.
pub(super) fn read_until(given: &Args<'_>) -> Result<Reply<Read>> {
    let lua = given.lua();
    let arguments = Arguments::new(given, 4, 5, "expecting 0 or 1 argument, but seen")?;
    let tcp = tcp(&arguments)?;
    let size = match arguments.len() {
        5 => {
            let Some(size) = arguments.number(5)? else {
                let name = type_name(&arguments.get(5)?);
                return Err(Error::runtime(format!(
                    "bad argument #1 to 'receiveuntil' (number expected, got {name})"
                )));
            };
            usize::try_from(size as i64).unwrap_or(0)
        }
        _ => 0,
    };
    let state = arguments.integer(4)?;
    let inclusive = arguments.is_set(3)?;
    let connection = match readable(&tcp) {
        Err(why) => {
            let values = (state, Value::Nil, why).into_lua_multi(lua)?;
            return Ok(Reply::Now(Read::Values(values)));
        }
        Ok(_) if state == AT_END => {
            let values = (0, Value::Nil, Value::Nil, Value::Nil).into_lua_multi(lua)?;
            return Ok(Reply::Now(Read::Values(values)));
        }
        Ok(connection) => connection,
    };
    let text = arguments.bytes(2)?;
    // The automaton is made for each call: kept, it would be memory outside of the VM.
    lua.charge_fuel(text.len() as u64 / 8);
    let Some(until) = Until::new(&text, inclusive) else {
        return Err(bad_argument(2, "failed to compile pattern"));
    };
    let until = until
        .resume(usize::try_from(state).unwrap_or(0))
        .pause_after(size);
    let mut reading = Reading::new(&tcp, connection, Pattern::until(until));
    reading.sized = Some(size > 0);
    reading.start(lua)
}
