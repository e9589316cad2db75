//! `receive`, `receiveany`, `receiveuntil`.
//!
//! **Invariant:** what has been taken from the connection is returned, with an error if there is one; if the VM has no room for it, nothing more
//! can be read.

use super::arguments::{Arguments, wrong};
use super::methods::{Refused, ready_for, tcp};
use super::tcp::{Busy, Connection, Operation, Tcp, time};
use crate::answer::{no, type_name};
use crate::text::bad_argument;
use rille_lua::{Error, Function, Lua, MultiValue, Result, Value};
use rille_runtime::net::pattern::{MAX_TEXT, Until};
use rille_runtime::net::{NetError, Pattern, Received};
use std::future::Future;
use std::rc::Rc;

pub(super) fn receive(
    lua: &Lua,
    given: MultiValue,
) -> Result<impl Future<Output = Result<MultiValue>> + use<>> {
    const COMPLAINT: &str = "expecting 1 or 2 arguments (including the object), but got";
    let arguments = Arguments::new(given, 1, 2, COMPLAINT)?;
    let tcp = tcp(&arguments)?;
    let reading = match readable(&tcp) {
        Err(why) => Reading::Refused(why),
        Ok(connection) => {
            let pattern = match arguments.len() {
                1 => Some(Pattern::line()),
                _ => pattern_of(lua, arguments.get(2))?,
            };
            match pattern {
                Some(pattern) => Reading::begin(&tcp, connection, pattern),
                None => Reading::Nothing,
            }
        }
    };
    let lua = lua.clone();
    Ok(async move { reading.finish(&lua).await })
}

/// What `receive` is to wait for; `None` for nothing at all.
fn pattern_of(lua: &Lua, value: &Value) -> Result<Option<Pattern>> {
    if let Some(number) = lua.coerce_number(value.clone())? {
        return match number as i64 {
            ..0 => Err(bad_argument(2, "bad number argument")),
            0 => Ok(None),
            count => Ok(Some(Pattern::bytes(
                usize::try_from(count).unwrap_or(usize::MAX),
            ))),
        };
    }
    let Value::String(text) = value else {
        return Err(bad_argument(2, "bad argument"));
    };
    match &*text.as_bytes() {
        b"*l" => Ok(Some(Pattern::line())),
        b"*a" => Ok(Some(Pattern::all())),
        [b'*', _] => Err(bad_argument(2, "bad pattern argument")),
        other => {
            let shown: String = String::from_utf8_lossy(other).chars().take(200).collect();
            Err(bad_argument(2, format!("bad pattern argument: {shown}")))
        }
    }
}

pub(super) fn receive_any(
    lua: &Lua,
    given: MultiValue,
) -> Result<impl Future<Output = Result<MultiValue>> + use<>> {
    const COMPLAINT: &str = "expecting 2 arguments (including the object), but got";
    let arguments = Arguments::new(given, 2, 2, COMPLAINT)?;
    let tcp = tcp(&arguments)?;
    let reading = match readable(&tcp) {
        Err(why) => Reading::Refused(why),
        Ok(connection) => match lua.coerce_number(arguments.get(2).clone())? {
            Some(most) if most as i64 > 0 => {
                Reading::begin(&tcp, connection, Pattern::any(most as usize))
            }
            _ => return Err(bad_argument(2, "bad max argument")),
        },
    };
    let lua = lua.clone();
    Ok(async move { reading.finish(&lua).await })
}

fn readable(tcp: &Tcp) -> std::result::Result<Rc<Connection>, Refused> {
    let operations = [Operation::Connect, Operation::Read];
    ready_for(tcp, &operations, |connection| !connection.read_closed.get())
}

/// A read that has begun, or not.
enum Reading {
    Refused(Refused),
    /// Nothing is wanted.
    Nothing,
    Begun(Begun),
}

struct Begun {
    tcp: Rc<Tcp>,
    connection: Rc<Connection>,
    busy: Busy,
    pattern: Pattern,
    received: Received,
}

impl Reading {
    fn begin(tcp: &Rc<Tcp>, connection: Rc<Connection>, pattern: Pattern) -> Reading {
        Reading::Begun(Begun {
            busy: tcp.begin(&[Operation::Read]),
            tcp: tcp.clone(),
            connection,
            pattern,
            received: Received::new(tcp.net.memory()),
        })
    }

    /// What the method returns.
    async fn finish(self, lua: &Lua) -> Result<MultiValue> {
        match self {
            Reading::Refused(why) => no(lua, why),
            Reading::Nothing => {
                let nothing = Value::String(lua.create_string("")?);
                Ok(MultiValue::from_vec(vec![nothing]))
            }
            Reading::Begun(begun) => begun.run(lua).await.0,
        }
    }
}

impl Begun {
    /// What the method returns, and the pattern as it is then.
    async fn run(mut self, lua: &Lua) -> (Result<MultiValue>, Pattern) {
        let limit = time(self.tcp.timeouts.get().read);
        let done = (self.connection.stream)
            .read(&mut self.pattern, &mut self.received, limit)
            .await;
        self.busy.over();
        let bytes = match done {
            // The VM has no room for it either.
            Err(NetError::TooMuchData(_)) => &[],
            _ => self.received.bytes(),
        };
        lua.charge_fuel(bytes.len() as u64 / 16);
        let results = lua.create_string(bytes).and_then(|data| {
            let data = Value::String(data);
            Ok(match &done {
                Ok(()) => vec![data],
                Err(why) => {
                    let why = Value::String(lua.create_string(why.to_string())?);
                    vec![Value::Nil, why, data]
                }
            })
        });
        let failure = match (&done, &results) {
            (Err(why), _) => Some(why.clone()),
            // What was taken is lost.
            (Ok(()), Err(_)) => Some(NetError::Closed),
            (Ok(()), Ok(_)) => None,
        };
        if let Some(why) = failure {
            self.tcp.read_failed(&self.connection, &why);
        }
        (results.map(MultiValue::from_vec), self.pattern)
    }
}

/// `receiveuntil(self, text, options)`; `make(socket, text, inclusive)` makes an iterator.
pub(super) fn receive_until(lua: &Lua, make: &Function, given: MultiValue) -> Result<MultiValue> {
    const COMPLAINT: &str = "expecting 2 or 3 arguments (including the object), but got";
    let arguments = Arguments::new(given, 2, 3, COMPLAINT)?;
    let mut inclusive = false;
    if arguments.len() == 3 {
        let Value::Table(options) = arguments.get(3) else {
            return Err(wrong(3, "table", arguments.get(3)));
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
    let text = arguments.bytes(lua, 2)?;
    if text.is_empty() {
        return no(lua, "pattern is empty");
    }
    if text.len() > MAX_TEXT {
        return no(lua, "failed to compile pattern");
    }
    make.call((arguments.get(1), lua.create_string(text)?, inclusive))
}

/// The state of an iterator that has given its last piece: the next call says so.
const AT_END: i64 = -1;

/// `(socket, text, inclusive, state [, size])`: the new state, and what the iterator returns.
pub(super) fn read_until(
    lua: &Lua,
    given: MultiValue,
) -> Result<impl Future<Output = Result<MultiValue>> + use<>> {
    let arguments = Arguments::new(given, 4, 5, "expecting 0 or 1 argument, but seen")?;
    let tcp = tcp(&arguments)?;
    let size = match arguments.len() {
        5 => {
            let Some(size) = lua.coerce_number(arguments.get(5).clone())? else {
                let name = type_name(arguments.get(5));
                return Err(Error::runtime(format!(
                    "bad argument #1 to 'receiveuntil' (number expected, got {name})"
                )));
            };
            usize::try_from(size as i64).unwrap_or(0)
        }
        _ => 0,
    };
    let state = arguments.integer(lua, 4)?;
    let inclusive = matches!(arguments.get(3), Value::Boolean(true));
    let reading = match readable(&tcp) {
        Err(why) => Reading::Refused(why),
        Ok(_) if state == AT_END => Reading::Nothing,
        Ok(connection) => {
            let text = arguments.bytes(lua, 2)?;
            // The automaton is made for each call: kept, it would be memory outside of the VM.
            lua.charge_fuel(text.len() as u64 / 8);
            let Some(until) = Until::new(&text, inclusive) else {
                return Err(bad_argument(2, "failed to compile pattern"));
            };
            let until = until
                .resume(usize::try_from(state).unwrap_or(0))
                .pause_after(size);
            Reading::begin(&tcp, connection, Pattern::until(until))
        }
    };
    let lua = lua.clone();
    Ok(async move {
        let (results, state) = match reading {
            Reading::Refused(why) => (no(&lua, why), state),
            Reading::Nothing => (Ok(MultiValue::from_vec(vec![Value::Nil; 3])), 0),
            Reading::Begun(begun) => {
                let (results, pattern) = begun.run(&lua).await;
                (results, state_after(&pattern, size > 0))
            }
        };
        let mut results = results?;
        results.push_front(Value::Integer(state));
        Ok(results)
    })
}

fn state_after(pattern: &Pattern, sized: bool) -> i64 {
    match pattern.as_until() {
        Some(until) if until.found() && sized => AT_END,
        Some(until) => until.state() as i64,
        None => 0,
    }
}
