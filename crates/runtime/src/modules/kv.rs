//! `kv`: what the app keeps on the disk. All its workers see the same, and so does the next process.
//!
//! ```lua
//! kv.get(key)                              --> value or nil
//! kv.set(key, value [, ttl])               --> true; a nil value deletes
//! kv.add(key, value [, ttl])               --> true; false if there is a value
//! kv.delete(key)                           --> whether there was one
//! kv.incr(key [, by [, initial [, ttl]]])  --> the sum; `by` is 1, `initial` 0 if not given. A number that is there keeps its time
//! kv.cas(key, old, new [, ttl])            --> true; false if the value is not `old` (by `==`; nil: no value). A nil `new` deletes
//! kv.ttl(key)                              --> seconds left, 0 for ever; nil and "not found"
//! kv.list(prefix [, {limit =, after =}])   --> {{key =, value =}, ...} in the order of the keys' bytes, and where the next page begins
//! kv.transaction(f, ...)                   --> what f(tx, ...) returns (true, if nothing); `tx` has get, set, delete and incr, as methods
//! ```
//! Keys are strings of 1 to 1024 bytes. Values are strings, numbers, booleans, and tables of these, up to 1 MiB. `ttl` is in seconds; none,
//! and 0, is for ever. What cannot be done gives nil and why: "quota" (`limits.kv`; a record counts its key, its value and 64 bytes),
//! "empty key", "key too long", "value too long", "not a number", "integer overflow", "transaction too large" (1000 keys, 4 MiB),
//! "conflict", "closed", "no state folder", "storage: ..." (the log says more to the operator). Every function waits: for the disk, if it writes.
//! Where nothing can wait, in finalizers and in what is closed after a limit, that is an error; `cache` works there. When a write gives
//! "storage: ...", whether it was done is open.
//!
//! A page has up to `limit` entries (1000; no more, and fewer if they are long): pass the second result as `after` for the next; it is nil
//! with the last page.
//!
//! **Transactions** are functions, not lists of conditions, because a script has an `if` already. Nothing is locked: `f` reads what is
//! there, its writes are kept until it returns, and then all of them are done if everything it has read is still the same. If not, `f` is
//! run again (100 times at most, then "conflict"), so apart from `tx` it should do nothing that cannot be done twice. An error ends it
//! without a write and goes to the caller. `f` may wait, but the longer it does the likelier it is run again.
//!
//! **Invariant:** what is copied out of the VM for a write is copied once there is room for it in the store's queue.

use super::kept::{Argument, Codec, Given, bad_argument, charge, no, one, ttl_ms};
use crate::app::App;
use crate::kv::{
    Change, Found, KvError, KvValue, MAX_PAGE, MAX_TRANSACTION_BYTES, MAX_TRANSACTION_KEYS, Op,
    Outcome, Query, Reply, Space, When, check_key,
};
use crate::task::Tasks;
use rille_lua::{Error, Function, Lua, LuaString, MultiValue, Result, Table, Value};
use std::rc::Rc;
use std::sync::Arc;

type Kept<T> = std::result::Result<T, KvError>;

/// The Lua side of transactions: it can wait inside the function, since it is Lua that calls it.
const TRANSACTION: &str = include_str!("kv.lua");

/// What the functions share.
#[derive(Clone)]
struct Keeper {
    app: Arc<App>,
    codec: Codec,
}

pub(super) fn module(lua: &Lua, app: &Arc<App>, tasks: &Rc<Tasks>) -> Result<Table> {
    let keeper = Keeper {
        app: app.clone(),
        codec: Codec::of(tasks),
    };
    let module = lua.create_table()?;
    add_reads(lua, &module, &keeper)?;
    add_puts(lua, &module, &keeper)?;
    module.raw_set("transaction", transaction(lua, &keeper)?)?;
    Ok(module)
}

fn add_reads(lua: &Lua, module: &Table, keeper: &Keeper) -> Result<()> {
    let this = keeper.clone();
    let get = move |lua: Lua, key: LuaString| {
        let (this, key) = (this.clone(), key_of(&lua, &key));
        async move {
            match this.get(key).await {
                Ok(reply) => one(this.value(&lua, &reply)?),
                Err(error) => no(&lua, error),
            }
        }
    };
    module.raw_set("get", lua.create_async_function(get)?)?;
    let this = keeper.clone();
    let ttl = move |lua: Lua, key: LuaString| {
        let (this, key) = (this.clone(), key_of(&lua, &key));
        async move {
            match this.get(key).await.map(|reply| reply.found) {
                Ok(Found::Record(record)) => {
                    let ms = record.left_ms.unwrap_or(0);
                    one(Value::Number(ms as f64 / 1000.0))
                }
                Ok(_) => no(&lua, "not found"),
                Err(error) => no(&lua, error),
            }
        }
    };
    module.raw_set("ttl", lua.create_async_function(ttl)?)?;
    let this = keeper.clone();
    let list = move |lua: Lua, (prefix, options): (Option<LuaString>, Option<Table>)| {
        let query = list_query(&lua, prefix, options);
        let this = this.clone();
        async move {
            let reply = match query? {
                Ok(query) => this.ask(query).await,
                Err(error) => Err(error),
            };
            match reply {
                Ok(reply) => this.page(&lua, &reply),
                Err(error) => no(&lua, error),
            }
        }
    };
    module.raw_set("list", lua.create_async_function(list)?)
}

fn add_puts(lua: &Lua, module: &Table, keeper: &Keeper) -> Result<()> {
    let this = keeper.clone();
    let set = move |lua: Lua, (key, value, ttl): (LuaString, Value, Option<f64>)| {
        let put = this.put(
            &lua,
            &key,
            (value, ("set", 2)),
            ttl_ms(ttl, ("set", 3)),
            When::Always,
        );
        async move { truth(&lua, put?.await?) }
    };
    module.raw_set("set", lua.create_async_function(set)?)?;
    let this = keeper.clone();
    let add = move |lua: Lua, (key, value, ttl): (LuaString, Value, Option<f64>)| {
        let put = match value {
            Value::Nil => Err(bad_argument("add", 2, "value expected")),
            value => this.put(
                &lua,
                &key,
                (value, ("add", 2)),
                ttl_ms(ttl, ("add", 3)),
                When::Equals(None),
            ),
        };
        async move { truth(&lua, put?.await?) }
    };
    module.raw_set("add", lua.create_async_function(add)?)?;
    let this = keeper.clone();
    let delete = move |lua: Lua, key: LuaString| {
        let put = this.put(&lua, &key, (Value::Nil, ("delete", 2)), Ok(0), When::Always);
        async move { truth(&lua, put?.await?) }
    };
    module.raw_set("delete", lua.create_async_function(delete)?)?;
    let this = keeper.clone();
    type Swap = (LuaString, Value, Value, Option<f64>);
    let cas = move |lua: Lua, (key, old, new, ttl): Swap| {
        let put = this.expected(&lua, old).and_then(|when| match when {
            Ok(when) => this.put(&lua, &key, (new, ("cas", 3)), ttl_ms(ttl, ("cas", 4)), when),
            // What is too long is no value of any key.
            Err(_) => this.put(&lua, &key, (Value::Nil, ("cas", 3)), Ok(0), never()),
        });
        async move { truth(&lua, put?.await?) }
    };
    module.raw_set("cas", lua.create_async_function(cas)?)?;
    let this = keeper.clone();
    type Sum = (LuaString, Value, Value, Option<f64>);
    let incr = move |lua: Lua, (key, by, initial, ttl): Sum| {
        let key = key_of(&lua, &key);
        let amounts = number(&lua, by, ("incr", 2), 1).and_then(|by| {
            Ok((
                by,
                number(&lua, initial, ("incr", 3), 0)?,
                ttl_ms(ttl, ("incr", 4))?,
            ))
        });
        let this = this.clone();
        async move {
            let (by, initial, ttl_ms) = amounts?;
            let op = key.map(|key| Op::Incr {
                key,
                by,
                initial,
                ttl_ms,
            });
            match this.write(op, 0).await {
                Ok(Outcome::Number(sum)) => one(this.codec.to_lua(&lua, &sum)?),
                Ok(_) => no(&lua, KvError::NotANumber),
                Err(error) => no(&lua, error),
            }
        }
    };
    module.raw_set("incr", lua.create_async_function(incr)?)
}

/// A condition that no value meets.
fn never() -> When {
    When::Equals(Some(KvValue::Number(f64::NAN)))
}

/// `true` or `false` for what was done or not.
fn truth(lua: &Lua, outcome: Kept<Outcome>) -> Result<MultiValue> {
    match outcome {
        Ok(outcome) => one(Value::Boolean(outcome == Outcome::Done)),
        Err(error) => no(lua, error),
    }
}

/// The bytes of a key, if it can be one.
fn key_of(lua: &Lua, key: &LuaString) -> Kept<Box<[u8]>> {
    let bytes = key.as_bytes();
    check_key(&bytes)?;
    charge(lua, bytes.len());
    Ok(bytes[..].into())
}

/// A number, or the integer that stands for none.
pub(super) fn number(
    lua: &Lua,
    value: Value,
    (to, pos): Argument,
    default: i64,
) -> Result<KvValue> {
    Ok(match value {
        Value::Nil => KvValue::Integer(default),
        Value::Integer(value) => KvValue::Integer(value),
        value => match lua.coerce_number(value.clone())? {
            Some(value) => KvValue::Number(value),
            None => {
                let why = format!("number expected, got {}", value.type_name());
                return Err(bad_argument(to, pos, why));
            }
        },
    })
}

fn list_query(lua: &Lua, prefix: Option<LuaString>, options: Option<Table>) -> Result<Kept<Query>> {
    let (mut limit, mut after) = (None::<i64>, None::<LuaString>);
    if let Some(options) = options {
        limit = options.get("limit")?;
        after = options.get("after")?;
    }
    let limit = limit.map_or(MAX_PAGE, |limit| {
        usize::try_from(limit).unwrap_or(0).clamp(1, MAX_PAGE)
    });
    let part = |text: Option<LuaString>| match text {
        Some(text) if !text.is_empty() => key_of(lua, &text).map(Some),
        _ => Ok(None),
    };
    Ok(part(prefix).and_then(|prefix| {
        Ok(Query::List {
            prefix: prefix.unwrap_or_default(),
            after: part(after)?,
            limit,
        })
    }))
}

impl Keeper {
    fn space(&self) -> Kept<&Space> {
        self.app.kv.get().ok_or(KvError::NoStore)
    }

    async fn ask(&self, query: Query) -> Kept<Reply> {
        self.space()?.read(query).await
    }

    async fn get(&self, key: Kept<Box<[u8]>>) -> Kept<Reply> {
        self.ask(Query::Get(key?)).await
    }

    /// Writes what is small, or is in the host already: `bytes` of it.
    async fn write(&self, op: Kept<Op>, bytes: usize) -> Kept<Outcome> {
        let (op, space) = (op?, self.space()?);
        let permit = space.room(bytes).await?;
        space.write(op, permit).await
    }

    fn value(&self, lua: &Lua, reply: &Reply) -> Result<Value> {
        match &reply.found {
            Found::Record(record) => self.codec.to_lua(lua, &record.value),
            _ => Ok(Value::Nil),
        }
    }

    fn page(&self, lua: &Lua, reply: &Reply) -> Result<MultiValue> {
        let list = lua.create_table()?;
        let Found::Page(entries, next) = &reply.found else {
            return one(Value::Table(list));
        };
        for (at, (key, value)) in (1i64..).zip(entries) {
            let entry = lua.create_table()?;
            charge(lua, key.len() + 64);
            entry.raw_set("key", lua.create_string(key)?)?;
            entry.raw_set("value", self.codec.to_lua(lua, value)?)?;
            list.raw_set(at, entry)?;
        }
        let next = match next {
            Some(next) => Value::String(lua.create_string(next)?),
            None => Value::Nil,
        };
        Ok(MultiValue::from_vec(vec![Value::Table(list), next]))
    }

    /// Checks everything at once; the future waits for room and then for the disk.
    fn put(
        &self,
        lua: &Lua,
        key: &LuaString,
        (value, argument): (Value, Argument),
        ttl_ms: Result<u64>,
        when: When,
    ) -> Result<impl Future<Output = Result<Kept<Outcome>>> + use<>> {
        let (key, ttl_ms) = (key_of(lua, key), ttl_ms?);
        let given = self.codec.given(lua, value, argument)?;
        let this = self.clone();
        Ok(async move {
            let (key, given, space) = match (key, given, this.space()) {
                (Ok(key), Ok(given), Ok(space)) => (key, given, space),
                (Err(error), _, _) | (_, Err(error), _) | (_, _, Err(error)) => {
                    return Ok(Err(error));
                }
            };
            let permit = match space.room(key.len() + given.bytes()).await {
                Ok(permit) => permit,
                Err(error) => return Ok(Err(error)),
            };
            let value = this.codec.encode(&given, argument)?;
            let op = Op::Put {
                key,
                value,
                ttl_ms,
                when,
            };
            Ok(space.write(op, permit).await)
        })
    }

    /// The condition of `cas`. The inner error is that no value can be this one.
    fn expected(&self, lua: &Lua, old: Value) -> Result<Kept<When>> {
        Ok(match self.codec.given(lua, old, ("cas", 2))? {
            Ok(Given::Data(..)) => {
                return Err(bad_argument(
                    "cas",
                    2,
                    "a table is never the same: use a transaction",
                ));
            }
            Ok(given) => Ok(When::Equals(self.codec.encode(&given, ("cas", 2))?)),
            Err(error) => Err(error),
        })
    }
}

// ---- transactions ----

fn transaction(lua: &Lua, keeper: &Keeper) -> Result<Function> {
    let globals = lua.globals();
    let tools = lua.create_table()?;
    for name in ["pcall", "error", "type", "tostring", "setmetatable"] {
        tools.raw_set(name, globals.raw_get::<Value>(name)?)?;
    }
    super::add_packing(lua, &tools)?;
    tools.raw_set("max_keys", MAX_TRANSACTION_KEYS as i64)?;
    let this = keeper.clone();
    let read = move |lua: Lua, key: LuaString| {
        let (this, key) = (this.clone(), key_of(&lua, &key));
        async move {
            let reply = match this.get(key).await {
                Ok(reply) => reply,
                Err(error) => {
                    let why = Value::String(lua.create_string(error.to_string())?);
                    return Ok(MultiValue::from_vec(vec![Value::Nil, Value::Nil, why]));
                }
            };
            let version = match &reply.found {
                Found::Record(record) => record.version,
                _ => 0,
            };
            let value = this.value(&lua, &reply)?;
            let version = Value::Integer(i64::try_from(version).unwrap_or(i64::MAX));
            Ok(MultiValue::from_vec(vec![value, version]))
        }
    };
    tools.raw_set("read", lua.create_async_function(read)?)?;
    let codec = keeper.codec.clone();
    let copy = move |lua: &Lua, value: Value| match codec.given(lua, value, SET) {
        Ok(Ok(given)) => one(codec.copy(lua, given)?),
        Ok(Err(error)) => no(lua, error),
        Err(error) => misuse(lua, error),
    };
    tools.raw_set("copy", lua.create_function(copy)?)?;
    let codec = keeper.codec.clone();
    let add = move |lua: &Lua, (old, by, initial): (Value, Value, Value)| {
        let amounts = number(lua, by, ("incr", 2), 1)
            .and_then(|by| Ok((by, number(lua, initial, ("incr", 3), 0)?)));
        let (by, initial) = match amounts {
            Ok(amounts) => amounts,
            Err(error) => return misuse(lua, error),
        };
        let base = match old {
            Value::Nil => initial,
            Value::Integer(value) => KvValue::Integer(value),
            Value::Number(value) => KvValue::Number(value),
            _ => return no(lua, KvError::NotANumber),
        };
        match base.plus(&by) {
            Ok(sum) => one(codec.to_lua(lua, &sum)?),
            Err(error) => no(lua, error),
        }
    };
    tools.raw_set("add", lua.create_function(add)?)?;
    // `nil` is for ever, and what is no number of seconds gives nothing.
    let ttl = |lua: &Lua, ttl: Value| {
        let seconds = match ttl {
            Value::Nil => Some(0.0),
            ttl => lua.coerce_number(ttl)?,
        };
        let ms = seconds.and_then(|seconds| ttl_ms(Some(seconds), SET).ok());
        Ok(ms.map(|ms| ms as f64))
    };
    tools.raw_set("ttl", lua.create_function(ttl)?)?;
    let this = keeper.clone();
    let commit =
        move |lua: Lua, (versions, written, values, ttls): (Table, Table, Table, Table)| {
            let plan = this.plan(&lua, &versions, (&written, &values, &ttls));
            let this = this.clone();
            async move {
                let outcome = match plan? {
                    Ok(plan) => this.commit(plan).await?,
                    Err(error) => Err(error),
                };
                truth(&lua, outcome)
            }
        };
    tools.raw_set("commit", lua.create_async_function(commit)?)?;
    lua.load(TRANSACTION)
        .set_name("=[rille]")
        .into_function()?
        .call(tools)
}

/// The argument that is a transaction's value.
const SET: Argument = ("set", 2);

/// nil, the error of an argument, and true: the Lua side raises it where the script is.
fn misuse(lua: &Lua, error: Error) -> Result<MultiValue> {
    if error.is_limit() {
        return Err(error);
    }
    let mut values = no(lua, error)?.into_vec();
    values.push(Value::Boolean(true));
    Ok(MultiValue::from_vec(values))
}

/// A transaction at its end; values are still in the VM.
struct Plan {
    reads: Vec<(Box<[u8]>, u64)>,
    writes: Vec<(Box<[u8]>, Given, Option<u64>)>,
    bytes: usize,
}

impl Keeper {
    fn plan(
        &self,
        lua: &Lua,
        versions: &Table,
        (written, values, ttls): (&Table, &Table, &Table),
    ) -> Result<Kept<Plan>> {
        let mut plan = Plan {
            reads: Vec::new(),
            writes: Vec::new(),
            bytes: 0,
        };
        for pair in versions.pairs::<LuaString, i64>() {
            let (key, version) = pair?;
            match key_of(lua, &key) {
                Ok(key) => {
                    plan.bytes += key.len();
                    plan.reads.push((key, u64::try_from(version).unwrap_or(0)));
                }
                Err(error) => return Ok(Err(error)),
            }
        }
        let mut written_bytes = 0;
        for pair in written.pairs::<LuaString, Value>() {
            let (key, _) = pair?;
            let given = self.codec.given(lua, values.raw_get(key.clone())?, SET)?;
            let ttl = match ttls.raw_get(key.clone())? {
                Value::Boolean(false) => None,
                Value::Integer(ms) => Some(u64::try_from(ms).unwrap_or(0)),
                Value::Number(ms) => Some(ms as u64),
                _ => Some(0),
            };
            match (key_of(lua, &key), given) {
                (Ok(key), Ok(given)) => {
                    written_bytes += key.len() + given.bytes();
                    plan.writes.push((key, given, ttl));
                }
                (Err(error), _) | (_, Err(error)) => return Ok(Err(error)),
            }
            if written_bytes > MAX_TRANSACTION_BYTES {
                return Ok(Err(KvError::TooLarge));
            }
        }
        plan.bytes += written_bytes;
        Ok(Ok(plan))
    }

    async fn commit(&self, plan: Plan) -> Result<Kept<Outcome>> {
        if plan.reads.is_empty() && plan.writes.is_empty() {
            return Ok(Ok(Outcome::Done));
        }
        let space = match self.space() {
            Ok(space) => space,
            Err(error) => return Ok(Err(error)),
        };
        let permit = match space.room(plan.bytes).await {
            Ok(permit) => permit,
            Err(error) => return Ok(Err(error)),
        };
        let mut changes = Vec::with_capacity(plan.writes.len());
        for (key, given, ttl_ms) in &plan.writes {
            changes.push(Change {
                key: key.clone(),
                value: self.codec.encode(given, SET)?,
                ttl_ms: *ttl_ms,
            });
        }
        let op = Op::Apply {
            reads: plan.reads,
            changes,
        };
        Ok(space.write(op, permit).await)
    }
}
