//! `http`: the client.
//!
//! ```lua
//! local response, err = http.get("https://api.example.com/users", {query = {page = 2}, timeout = 5})
//! if not response then return 502, err end
//! for _, user in ipairs(response:json()) do ... end
//!
//! http.post(url, {name = "x", tags = {"a", "b"}})          -- a form
//! http.post(url, nil, {json = {name = "x"}})               -- JSON
//! http.put(url, function() return file:read(65536) end)    -- called until it gives nil; in chunks unless there is a Content-Length
//! http.request{url = url, method = "PROPFIND", headers = {depth = 1}, auth = {"user", "password"}}
//!
//! local response = http.get(url, {stream = true})          -- the body piece by piece, as long as it lasts
//! for piece in response:chunks() do ... end
//! ```
//! Functions: `request{...}`, `request(url [, options])`; `get`, `head`, `delete`, `options` `(url [, options])`; `post`, `put`, `patch` `(url, body [, options])`.
//! They give a response, whatever its status, or nil and why there is none. Wrong arguments are raised.
//!
//! | option | what |
//! |---|---|
//! | `url`, `method` | `http` or `https`; GET, or POST if there is a body |
//! | `headers` | names to strings or lists of strings; at most 100, and 64 KiB |
//! | `query` (`params`) | a table that is added to the URL, as `ngx.encode_args` writes it, in the order of the names |
//! | `body` (`data`), `json` | a string, a table (a form) or a function; a value that is sent as JSON |
//! | `auth` | see `auth`; `user:password@` in the URL is basic |
//! | `timeout` | seconds, for each part and for all; or `{connect = 10, send = 60, read = 60, total = 120}`, the defaults |
//! | `redirects` | how many are followed, 10; 0 or false: none |
//! | `max_body` | the most bytes of the body, decompressed; the app's `limits.body`, and no bound with `stream` |
//! | `stream` | the body is read by the script; the total timeout ends with the head |
//! | `decompress` | true: gzip and deflate are accepted and undone |
//! | `version` | `"1.1"` or `"2"`; otherwise what TLS agrees on. `"2"` without TLS is HTTP/2 from the first byte |
//! | `socket` | the path of a unix socket to connect to |
//! | `verify`, `server_name` | true: the certificate must be good, for this name or the host |
//! | `cert`, `key` | who we are, PEM or what `ngx.ssl` has parsed |
//! | `keepalive`, `pool_size` | for how many seconds (60; false: not), and how many idle connections of a server (30) are kept |
//!
//! A response has `status` (`statuscode`), `ok` (2xx), `reason`, `headers` (as `request.headers`: lower-case names, any case finds them, repeated ones joined with
//! ", "; but `set-cookie` is a list if there are several), `body` (`content`), `url` (the last one), `version`, and `response:json()`. With `stream`:
//! `response:read([n])` (up to n bytes, nil at the end, nil and why), `response:read("a")`, `response:chunks()`, `response:close()` instead of a body.
//!
//! Redirects: 303, and 301 and 302 after POST, become GET without a body; 307 and 308 are repeated as they are, which a body from a function cannot be. To
//! another server neither credentials nor cookies nor `Host` go along. From https to http is an error.
//!
//! | file | what |
//! |---|---|
//! | this one, `http.lua` | the table, and results |
//! | `options`, `fields`, `auth` | arguments to a request |
//! | `request`, `hop` | retries, redirects |
//! | `client`, `link` | connections, pools |
//! | `h1`, `head` | HTTP/1.1 |
//! | `h2` | HTTP/2 |
//! | `body`, `inflate` | bodies |
//! | `forward` | requests that the server passes on, which no script sees |
//! | `url`, `error` | URLs; failures and timeouts |
//!
//! **Invariants.** Every wait parks the coroutine, and whoever is stopped in one leaves no connection behind. What is received is charged to the VM's sockets until it is a string
//! of the VM's own. Sockets are the VM's: `limits.sockets` holds, and a request waits for one for as long as a connect may take.

mod auth;
mod body;
mod client;
mod error;
mod fields;
pub mod forward;
mod h1;
mod h2;
pub mod head;
mod hop;
pub mod inflate;
mod link;
mod options;
mod request;
pub mod url;

use crate::headers;
use crate::ngx::args;
use crate::text::charge_text;
use body::{Reader, Work};
use client::Client;
use options::Options;
use request::{Asker, Response, Sending, Spec};
use rille_lua::{AnyUserData, Error, Lua, LuaString, Result, Table, UserData, UserDataRef, Value};
use rille_runtime::vm::{AppVm, Context, Current};
use std::cell::RefCell;
use std::rc::Rc;

const PRELUDE: &str = include_str!("http.lua");

/// How much `response:read()` gives at most, without a number.
const READ: usize = 64 << 10;

/// A request, until it is sent.
struct Prepared(RefCell<Option<Rc<Spec>>>);

impl Prepared {
    fn take(&self) -> Result<Rc<Spec>> {
        (self.0.take()).ok_or_else(|| Error::runtime("the request has been sent"))
    }
}

/// A request whose body is being sent; nothing while it is written, and when it is over.
struct Uploading(RefCell<Option<Sending>>);
/// A response, until it is a table.
struct Answered(RefCell<Option<Answer>>);
/// A body that a script reads; nothing while somebody does, and when it is over.
struct Streaming(RefCell<State>);

enum State {
    Idle(Box<Reader>),
    Busy,
    Over,
}

struct Answer {
    response: Response,
    body: Option<h1::Piece>,
}

impl UserData for Prepared {}
impl UserData for Uploading {}
impl UserData for Answered {}
impl UserData for Streaming {}

/// Installs the global `http`, which can be required too.
pub(crate) fn install(vm: &Rc<AppVm>) -> Result<()> {
    let lua = vm.lua();
    let globals = lua.globals();
    let tools = lua.create_table()?;
    for name in ["type", "error", "pcall", "setmetatable", "rawget", "next"] {
        tools.raw_set(name, globals.raw_get::<Value>(name)?)?;
    }
    tools.raw_set("header_meta", headers::metatable(lua)?)?;
    tools.raw_set("encode", vm.json().encode_function(lua)?)?;
    tools.raw_set("decode", vm.json().decode_function(lua)?)?;
    let encode = |lua: &Lua, table: Table| options::encode_form(lua, &table);
    tools.raw_set("qsencode", lua.create_function(encode)?)?;
    tools.raw_set("qsparse", lua.create_function(parse_query)?)?;
    install_requests(vm, &tools)?;
    install_sending(vm, &tools)?;
    install_bodies(vm, &tools)?;
    let module: Table = (lua.load(PRELUDE).set_name("=[rille]").into_function()?).call(tools)?;
    module.freeze()?;
    let package: Table = globals.raw_get("package")?;
    let loaded: Table = package.raw_get("loaded")?;
    loaded.raw_set("http", &module)?;
    globals.raw_set("http", module)
}

fn parse_query(lua: &Lua, text: LuaString) -> Result<Table> {
    charge_text(lua, text.len());
    args::table(lua, args::decode(&text.as_bytes(), 0).pairs)
}

// ---- requests ----

fn install_requests(vm: &Rc<AppVm>, tools: &Table) -> Result<()> {
    let lua = vm.lua();
    let client = Client::new(vm.net());
    let max_body = usize::try_from(vm.app().manifest.limits.body).unwrap_or(usize::MAX);
    let preparing = client.clone();
    let prepare =
        move |lua: &Lua, arguments: Arguments| prepare(lua, &preparing, max_body, arguments);
    tools.raw_set("prepare", lua.create_function(prepare)?)?;
    let (asking, current) = (client.clone(), vm.current().clone());
    let ask = move |lua: Lua, prepared: UserDataRef<Prepared>| {
        let (client, spec) = (asking.clone(), prepared.take());
        let payer = Payer::of(&current);
        async move {
            let spec = spec?;
            let asker = Asker {
                client,
                lua: lua.clone(),
            };
            answer(&lua, asker.run(&spec).await, spec.stream, &payer).await
        }
    };
    tools.raw_set("ask", lua.create_async_function(ask)?)?;
    let begin = move |lua: Lua, prepared: UserDataRef<Prepared>| {
        let (client, spec) = (client.clone(), prepared.take());
        async move {
            let asker = Asker {
                client,
                lua: lua.clone(),
            };
            match asker.begin(spec?).await {
                Ok(sending) => {
                    let sending = Uploading(RefCell::new(Some(sending)));
                    Ok((Some(lua.create_userdata(sending)?), None))
                }
                Err(failure) => Ok((None, Some(failure.to_string()))),
            }
        }
    };
    tools.raw_set("begin", lua.create_async_function(begin)?)
}

type Arguments = (Option<String>, Value, Value, Option<Table>, bool);
type PreparedResult = (Option<AnyUserData>, Value, Option<String>);

/// A request from its arguments; the function that gives its body, if there is one; or why it is none.
fn prepare(
    lua: &Lua,
    client: &Client,
    max_body: usize,
    arguments: Arguments,
) -> Result<PreparedResult> {
    let (method, url, body, given, is_json) = arguments;
    let table = lua.create_table()?;
    if let Some(given) = &given {
        let mut key = Value::Nil;
        while let Some((name, value)) = given.next_entry(&key)? {
            lua.charge_fuel(2);
            table.raw_set(&name, value)?;
            key = name;
        }
    }
    if !url.is_nil() {
        table.raw_set("url", url)?;
    }
    let options = Options {
        lua,
        client,
        table: &table,
        max_body,
    };
    match options.spec(method.as_deref(), body) {
        Ok((mut spec, source)) => {
            if is_json
                && !spec
                    .fields
                    .iter()
                    .any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
            {
                spec.fields
                    .push(("content-type".to_owned(), b"application/json".to_vec()));
            }
            let prepared = lua.create_userdata(Prepared(RefCell::new(Some(Rc::new(spec)))))?;
            Ok((Some(prepared), source, None))
        }
        Err(error) if error.is_limit() => Err(error),
        Err(error) => Ok((None, Value::Nil, Some(error.message().to_string()))),
    }
}

/// For whom something is read: it is their processor time.
struct Payer(Option<Rc<dyn Context>>);

impl Payer {
    fn of(current: &Current) -> Payer {
        Payer(current.context())
    }

    fn pay(&self, work: Work) {
        if let Some(context) = &self.0 {
            context.cpu().set(context.cpu().get() + work.time);
        }
    }
}

fn install_sending(vm: &Rc<AppVm>, tools: &Table) -> Result<()> {
    let lua = vm.lua();
    let write = |_: Lua, (sending, piece): (UserDataRef<Uploading>, LuaString)| async move {
        let Some(mut open) = sending.0.take() else {
            return Ok((false, None));
        };
        match open.write(&piece.as_bytes()).await {
            Ok(wanted) => {
                *sending.0.borrow_mut() = Some(open);
                Ok((wanted, None))
            }
            Err(failure) => Ok((false, Some(failure.to_string()))),
        }
    };
    tools.raw_set("write", lua.create_async_function(write)?)?;
    let current = vm.current().clone();
    let finish = move |lua: Lua, (sending, is_whole): (UserDataRef<Uploading>, bool)| {
        let payer = Payer::of(&current);
        async move {
            let Some(open) = sending.0.take() else {
                return Err(Error::runtime("the request is over"));
            };
            let stream = open.is_streamed();
            answer(&lua, open.finish(is_whole).await, stream, &payer).await
        }
    };
    tools.raw_set("finish", lua.create_async_function(finish)?)?;
    let abort = |_: &Lua, sending: UserDataRef<Uploading>| {
        sending.0.take();
        Ok(())
    };
    tools.raw_set("abort", lua.create_function(abort)?)
}

/// A response with its body, unless a script is going to read that; or nil and why not.
async fn answer(
    lua: &Lua,
    response: error::Outcome<Response>,
    stream: bool,
    payer: &Payer,
) -> Result<(Option<AnyUserData>, Option<String>)> {
    let read = async {
        let mut response = response?;
        let body = match stream {
            true => None,
            false => {
                let body = response.reader.all().await;
                let work = response.reader.take_work();
                payer.pay(work);
                response.work = work.bytes;
                Some(body?)
            }
        };
        Ok::<_, error::Failure>(Answer { response, body })
    };
    match read.await {
        Ok(answer) => {
            let answered = Answered(RefCell::new(Some(answer)));
            Ok((Some(lua.create_userdata(answered)?), None))
        }
        Err(failure) => Ok((None, Some(failure.to_string()))),
    }
}

// ---- responses ----

fn install_bodies(vm: &Rc<AppVm>, tools: &Table) -> Result<()> {
    let lua = vm.lua();
    let result = |lua: &Lua, answered: UserDataRef<Answered>| match answered.0.take() {
        Some(answer) => response_table(lua, answer),
        None => Err(Error::runtime("the response has been taken")),
    };
    tools.raw_set("result", lua.create_function(result)?)?;
    let charge = |lua: &Lua, bytes: Option<u64>| {
        lua.charge_fuel(bytes.unwrap_or(0));
        Ok(())
    };
    tools.raw_set("charge", lua.create_function(charge)?)?;
    let current = vm.current().clone();
    let read = move |lua: Lua, (streaming, most): (UserDataRef<Streaming>, Option<f64>)| {
        let payer = Payer::of(&current);
        async move {
            let most = most.map_or(READ, |most| most.clamp(1.0, 1e15) as usize);
            let some = async |reader: &mut Reader| reader.read(most).await;
            read_with(&lua, &streaming, some, &payer).await
        }
    };
    tools.raw_set("read", lua.create_async_function(read)?)?;
    let current = vm.current().clone();
    let read_all = move |lua: Lua, streaming: UserDataRef<Streaming>| {
        let payer = Payer::of(&current);
        async move {
            let all = async |reader: &mut Reader| Ok(Some(reader.all().await?.bytes));
            read_with(&lua, &streaming, all, &payer).await
        }
    };
    tools.raw_set("read_all", lua.create_async_function(read_all)?)?;
    let close = |_: &Lua, streaming: UserDataRef<Streaming>| {
        streaming.0.replace(State::Over);
        Ok(())
    };
    tools.raw_set("close", lua.create_function(close)?)
}

type Read = (Option<LuaString>, Option<String>, u64);

/// What `reading` reads, or why it cannot, and how many bytes were decompressed for it.
async fn read_with(
    lua: &Lua,
    streaming: &Streaming,
    reading: impl AsyncFnOnce(&mut Reader) -> error::Outcome<Option<Vec<u8>>>,
    payer: &Payer,
) -> Result<Read> {
    let mut reader = match streaming.0.replace(State::Busy) {
        State::Idle(reader) => reader,
        other => {
            let is_over = matches!(other, State::Over);
            streaming.0.replace(other);
            let why = if is_over {
                "closed"
            } else {
                "the response is being read"
            };
            return Ok((None, Some(why.to_owned()), 0));
        }
    };
    // Who is stopped here leaves nothing to be read.
    let over = Over(streaming);
    let read = reading(&mut reader).await;
    let work = reader.take_work();
    payer.pay(work);
    let inflated = work.bytes;
    match read {
        Ok(bytes) => {
            over.not_yet(reader);
            let text = bytes.map(|bytes| lua.create_string(bytes)).transpose()?;
            Ok((text, None, inflated))
        }
        Err(failure) => Ok((None, Some(failure.to_string()), inflated)),
    }
}

/// Leaves a response closed, unless it is told otherwise, or a script has closed it meanwhile.
struct Over<'a>(&'a Streaming);

impl Over<'_> {
    fn not_yet(self, reader: Box<Reader>) {
        if matches!(*self.0.0.borrow(), State::Busy) {
            self.0.0.replace(State::Idle(reader));
        }
    }
}

impl Drop for Over<'_> {
    fn drop(&mut self) {
        if matches!(*self.0.0.borrow(), State::Busy) {
            self.0.0.replace(State::Over);
        }
    }
}

/// The response and its headers, as tables.
fn response_table(lua: &Lua, answer: Answer) -> Result<(Table, Table)> {
    let Answer { response, body } = answer;
    let Response {
        head,
        url,
        version,
        reader,
        work,
        held: _held,
    } = response;
    let table = lua.create_table_with_capacity(1, 10)?;
    let headers = headers(lua, &head, reader.has_decompressed())?;
    table.raw_set("status", head.status)?;
    table.raw_set("statuscode", head.status)?;
    table.raw_set("ok", (200..300).contains(&head.status))?;
    table.raw_set("reason", lua.create_string(&head.reason)?)?;
    table.raw_set("headers", &headers)?;
    table.raw_set("url", url.to_string())?;
    table.raw_set("version", version)?;
    lua.charge_fuel(work);
    match body {
        Some(body) => {
            charge_text(lua, body.bytes.len());
            let text = lua.create_string(&body.bytes)?;
            table.raw_set("content", &text)?;
            table.raw_set("body", text)?;
        }
        None => {
            let streaming = Streaming(RefCell::new(State::Idle(Box::new(reader))));
            table.raw_set(1, lua.create_userdata(streaming)?)?;
        }
    }
    Ok((table, headers))
}

/// By lower-case name; those that came more than once are joined, as HTTP has it, but cookies, which cannot be.
fn headers(lua: &Lua, head: &head::Head, was_compressed: bool) -> Result<Table> {
    let table = lua.create_table()?;
    let mut joined: Vec<(&str, Vec<u8>)> = Vec::new();
    let mut cookies: Vec<&[u8]> = Vec::new();
    for (name, value) in &head.fields {
        match &**name {
            // They are of what was sent, not of what the script gets.
            "content-encoding" | "content-length" if was_compressed => {}
            "set-cookie" => cookies.push(value),
            name => match joined.iter_mut().find(|(known, _)| *known == name) {
                Some((_, values)) => {
                    values.extend_from_slice(b", ");
                    values.extend_from_slice(value);
                }
                None => joined.push((name, value.clone())),
            },
        }
    }
    for (name, values) in joined {
        table.raw_set(name, lua.create_string(values)?)?;
    }
    match *cookies {
        [] => {}
        [only] => table.raw_set("set-cookie", lua.create_string(only)?)?,
        _ => {
            let list = lua.create_table()?;
            for cookie in cookies {
                list.raw_push(lua.create_string(cookie)?)?;
            }
            table.raw_set("set-cookie", list)?;
        }
    }
    Ok(table)
}
