//! `ngx.location.capture` and `capture_multi`: requests to the app's own routes, answered here.
//!
//! **Invariants.** A captured request is one exchange of its own, with its parent's budget of time, and its whole response in memory, up to the app's
//! room for bodies. At most [`MAX_DEPTH`] are inside one another; those of one `capture_multi` run side by side.

use super::Adding;
use super::control::target;
use super::header::header_text;
use super::request::{MAX_FIELDS, method as method_of};
use crate::bindings::add_field;
use crate::body::{ResponseBody, name_type};
use crate::exchange::{Arrived, Changed, Exchange, Phase, Source};
use crate::pipeline;
use crate::service::static_file;
use bytes::Bytes;
use http::{Method, Response};
use rille_lua::{Error, Lua, LuaString, MultiValue, Result, Table, Value};
use rille_modules::answer::type_name;
use rille_modules::bad_argument;
use rille_modules::ngx::escape::{Kind, escape};
use rille_runtime::route::Match;
use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

/// How many captures may be inside one another, as in nginx.
const MAX_DEPTH: u32 = 50;
/// Where captures are made.
const PHASES: &[Phase] = &[Phase::Rewrite, Phase::Access, Phase::Content];

pub(super) fn table(adding: &Adding<'_>) -> Result<Table> {
    let location = adding.lua.create_table()?;
    let meta = insensitive(adding.lua)?;
    let known = meta.clone();
    adding.add_async(
        PHASES,
        &location,
        "capture",
        move |lua, exchange, (uri, options): (LuaString, Option<Table>)| {
            let work = prepare(&lua, &exchange, &uri.as_bytes(), options);
            let meta = known.clone();
            async move {
                let captured = work?.await;
                captured.into_table(&lua, &meta).map(Value::Table)
            }
        },
    )?;
    adding.add_async(
        PHASES,
        &location,
        "capture_multi",
        move |lua, exchange, requests: Table| {
            let work = prepare_all(&lua, &exchange, &requests);
            let meta = meta.clone();
            async move {
                let mut tables = Vec::new();
                for captured in all(work?).await {
                    tables.push(Value::Table(captured.into_table(&lua, &meta)?));
                }
                Ok(MultiValue::from_vec(tables))
            }
        },
    )?;
    Ok(location)
}

/// Headers of a captured request that say what its body is: they are made here.
const OWN: [&[u8]; 2] = [b"content-length", b"transfer-encoding"];

type Work = Pin<Box<dyn Future<Output = Captured>>>;

fn prepare_all(lua: &Lua, exchange: &Rc<Exchange>, requests: &Table) -> Result<Vec<Work>> {
    let mut work = Vec::new();
    let most = exchange.served.vm.app().manifest.limits.subrequests;
    for request in requests.clone().sequence_values::<Value>() {
        let Value::Table(request) = request? else {
            return Err(bad_argument(1, "table of tables expected"));
        };
        let uri: LuaString = request.raw_get(1)?;
        let options: Option<Table> = request.raw_get(2)?;
        work.push(prepare(lua, exchange, &uri.as_bytes(), options)?);
        if work.len() as u64 > most {
            return Err(Error::runtime("too many subrequests"));
        }
    }
    match work.is_empty() {
        true => Err(Error::runtime(
            "at least one subrequest should be specified",
        )),
        false => Ok(work),
    }
}

/// Runs them side by side; their results in their order.
async fn all(mut work: Vec<Work>) -> Vec<Captured> {
    let mut done: Vec<Option<Captured>> = work.iter().map(|_| None).collect();
    poll_fn(|cx| {
        for (work, done) in work.iter_mut().zip(&mut done) {
            if done.is_none()
                && let Poll::Ready(captured) = work.as_mut().poll(cx)
            {
                *done = Some(captured);
            }
        }
        match done.iter().all(Option::is_some) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

/// What came of it.
struct Captured {
    status: u16,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
    truncated: bool,
}

impl Captured {
    fn into_table(self, lua: &Lua, meta: &Table) -> Result<Table> {
        let table = lua.create_table()?;
        table.raw_set("status", i64::from(self.status))?;
        table.raw_set("body", lua.create_string(self.body)?)?;
        table.raw_set("truncated", self.truncated)?;
        let header = lua.create_table()?;
        for (name, value) in self.headers {
            let value = Value::String(lua.create_string(value)?);
            add_field(lua, &header, &capitals(&name), value)?;
        }
        header.set_metatable(Some(meta.clone()))?;
        table.raw_set("header", header)?;
        Ok(table)
    }
}

/// A metatable that finds the headers of a result in capitals or not: how the script wrote them that set them is not known.
fn insensitive(lua: &Lua) -> Result<Table> {
    let meta = lua.create_table()?;
    let index = lua.create_function(|lua, (table, name): (Table, Value)| {
        let Value::String(name) = name else {
            return Ok(Value::Nil);
        };
        let usual = capitals(&name.as_bytes().to_ascii_lowercase());
        table.raw_get(lua.create_string(usual)?)
    })?;
    meta.raw_set("__index", index)?;
    Ok(meta)
}

/// `content-type` as `Content-Type`: by that name scripts look for it.
pub(super) fn capitals(name: &[u8]) -> Vec<u8> {
    let mut start = true;
    let byte = |byte: &u8| {
        let written = match start {
            true => byte.to_ascii_uppercase(),
            false => *byte,
        };
        start = *byte == b'-';
        written
    };
    name.iter().map(byte).collect()
}

fn prepare(lua: &Lua, parent: &Rc<Exchange>, uri: &[u8], options: Option<Table>) -> Result<Work> {
    let depth = parent.ngx.depth.get() + 1;
    if depth > MAX_DEPTH {
        return Err(Error::runtime("subrequests nest too deep"));
    }
    let arguments = match &options {
        Some(options) => options.raw_get("args")?,
        None => Value::Nil,
    };
    if uri.first() != Some(&b'/') {
        // Names of routes, among others: none of them is a place that requests go to.
        return Ok(Box::pin(std::future::ready(Captured {
            status: 404,
            headers: Vec::new(),
            body: Vec::new(),
            truncated: false,
        })));
    }
    let (path, query) = target(lua, uri, &arguments)?;
    let mut method = Method::GET;
    let mut body = None;
    let mut forward = false;
    let child_ctx = RefCell::new(None);
    let vars = RefCell::new(Vec::new());
    if let Some(options) = &options {
        match options.raw_get("method")? {
            Value::Nil => {}
            Value::Integer(number) => method = method_of(number)?,
            _ => return Err(Error::runtime("Bad http request method")),
        }
        match options.raw_get("body")? {
            Value::Nil => {}
            Value::String(text) => body = Some(Bytes::copy_from_slice(&text.as_bytes())),
            other => {
                return Err(Error::runtime(format!(
                    "Bad http request body: string expected, got {}",
                    type_name(&other)
                )));
            }
        }
        forward = options.raw_get::<Option<bool>>("always_forward_body")? == Some(true);
        child_ctx.replace(options.raw_get::<Option<Table>>("ctx")?);
        let share = options.raw_get::<Option<bool>>("share_all_vars")? == Some(true);
        if share || options.raw_get::<Option<bool>>("copy_all_vars")? == Some(true) {
            vars.replace(parent.ngx.vars.borrow().clone());
        }
        if let Value::Table(given) = options.raw_get("vars")? {
            for pair in given.pairs::<LuaString, LuaString>() {
                let (name, value) = pair?;
                vars.borrow_mut()
                    .push((name.as_bytes().to_vec(), value.as_bytes().to_vec()));
            }
        }
    }
    let has_body = matches!(method, Method::POST | Method::PUT | Method::PATCH);
    if body.is_none() && (has_body || forward) {
        body = parent.ngx.body.borrow().clone();
    }
    let app = parent.served.vm.app().clone();
    let length = body.as_ref().map_or(0, Bytes::len);
    let arrived = Arrived {
        head: parent.head.clone(),
        peer: parent.peer,
        local: parent.local,
        tls: parent.tls.clone(),
        body: Source::Memory(RefCell::new(body.filter(|body| !body.is_empty()))),
        served: parent.served.clone(),
        worker: parent.worker.clone(),
        started: parent.started,
    };
    let (route, params) = match app.router.find(method.as_str(), &path) {
        Match::Found(target, params) => (Some(target), pipeline::owned(params)),
        _ => (None, Vec::new()),
    };
    let child = Exchange::begin(arrived, params);
    let mut fields = Vec::new();
    parent.each_field(|name, value| {
        if !OWN.iter().any(|own| name.eq_ignore_ascii_case(own)) {
            fields.push((name.to_vec(), value.to_vec()));
        }
    });
    if let Some(options) = &options
        && let Value::Table(given) = options.raw_get("headers")?
    {
        for pair in given.pairs::<LuaString, Value>() {
            let (name, value) = pair?;
            let name = escape(&name.as_bytes(), Kind::HeaderName);
            if OWN.iter().any(|own| name.eq_ignore_ascii_case(own)) {
                continue;
            }
            fields.retain(|(known, _)| !known.eq_ignore_ascii_case(&name));
            let values = match value {
                Value::Table(list) => list.sequence_values().collect::<Result<Vec<Value>>>()?,
                value => vec![value],
            };
            for value in values {
                let value = escape(&header_text(lua, &value)?, Kind::HeaderValue);
                fields.push((name.clone(), value));
            }
            if fields.len() > MAX_FIELDS {
                return Err(Error::runtime("too many headers"));
            }
        }
    }
    if length > 0 {
        fields.push((b"Content-Length".to_vec(), length.to_string().into_bytes()));
    }
    let is_head = method == Method::HEAD;
    child.change(|changed| {
        *changed = Changed {
            method: Some(method.clone()),
            path: Some(path.clone()),
            query: Some(query),
            fields: Some(fields),
        }
    });
    child.ngx.is_internal.set(true);
    child.ngx.depth.set(depth);
    child.ngx.ctx.swap(&child_ctx);
    child.ngx.vars.swap(&vars);
    let limit = parent.served.room.limit();
    Ok(Box::pin(async move {
        let answer = match route {
            Some(target) => Ok(pipeline::start(child.clone(), target)),
            None => static_file(&child.served, &method, &path),
        };
        let response = match answer {
            Ok(answer) => answer.await,
            Err(response) => *response,
        };
        collect(response, limit, is_head).await
    }))
}

async fn collect(mut response: Response<ResponseBody>, limit: u64, is_head: bool) -> Captured {
    name_type(&mut response);
    let (parts, body) = response.into_parts();
    let mut captured = Captured {
        status: parts.status.as_u16(),
        headers: (parts.headers.iter())
            .map(|(name, value)| (name.as_str().as_bytes().to_vec(), value.as_bytes().to_vec()))
            .collect(),
        body: Vec::new(),
        truncated: false,
    };
    match body {
        ResponseBody::None => captured.truncated = true,
        ResponseBody::Full(bytes) | ResponseBody::Typed(bytes, _) => captured.body = bytes.to_vec(),
        ResponseBody::Stream(mut pieces, _) => {
            while let Some(piece) = pieces.recv().await {
                match piece {
                    Ok(data) if (captured.body.len() + data.len()) as u64 <= limit => {
                        captured.body.extend_from_slice(&data);
                    }
                    _ => {
                        captured.truncated = true;
                        break;
                    }
                }
            }
        }
    }
    if is_head {
        captured.body.clear();
    }
    captured
}
