//! From what a handler returned to a response.
//!
//! | return | response |
//! |---|---|
//! | string [, headers] | 200, that body |
//! | number [, body [, headers]] | that status |
//! | table with status/statuscode, body/content, headers | as said; a table body is sent as JSON |
//! | table of functions keyed get, post, ... | [`methods_of`]: the request's method is called |
//! | any other table | 200, that table as JSON |
//! | nothing | what it wrote |
//!
//! What was set on `response` holds unless the return value says otherwise, and what was written
//! comes before the returned body.
//!
//! **Invariant:** whatever a handler returns is either a response or one message; no value is sent in
//! part.

use crate::body::{Kind, ResponseBody};
use crate::exchange::{Exchange, put_header, status_code};
use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use rille_lua::{Error, Function, MultiValue, Result, Table, Value};

/// The methods a table of functions may be keyed by.
const METHODS: &[&str] = &["get", "post", "put", "patch", "delete", "head", "options"];

/// Fields that say how a message is sent, not what: those of a returned table are left out, the server says its own.
const OF_A_CONNECTION: &[&str] = &[
    "content-length",
    "transfer-encoding",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "upgrade",
];

/// What a table of functions does with a method.
pub enum ByMethod {
    /// This function answers.
    Call(Function),
    /// It has others only.
    Not(Vec<String>),
}

/// If `table` is keyed by methods, what it does with `method`. HEAD is answered by what answers GET.
pub fn methods_of(table: &Table, method: &str) -> Result<Option<ByMethod>> {
    let method = method.to_ascii_lowercase();
    let has = |name: &str| -> Result<Option<Function>> {
        match table.raw_get(name)? {
            Value::Function(function) => Ok(Some(function)),
            _ => Ok(None),
        }
    };
    let mut found = None;
    if METHODS.contains(&method.as_str()) || method.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        found = has(&method)?;
    }
    if found.is_none() && method == "head" {
        found = has("get")?;
    }
    if let Some(function) = found {
        return Ok(Some(ByMethod::Call(function)));
    }
    let mut others = Vec::new();
    for name in METHODS {
        if has(name)?.is_some() {
            others.push(name.to_ascii_uppercase());
        }
    }
    Ok(if others.is_empty() {
        None
    } else {
        Some(ByMethod::Not(others))
    })
}

/// A response on its way: what the return value says.
struct Draft {
    status: Option<StatusCode>,
    headers: HeaderMap,
    body: Option<(Bytes, Kind)>,
}

/// What a handler returned; a table that is to be sent as JSON has been encoded.
#[derive(Default)]
pub struct Returned {
    /// The values.
    pub values: MultiValue,
    /// The text of the one that [`table_body`] finds in them.
    pub json: Option<Bytes>,
}

/// The table that is to be sent as JSON, if the values say so.
pub fn table_body(values: &MultiValue) -> Result<Option<Value>> {
    let mut values = values.iter();
    let body = match values.next() {
        Some(Value::Integer(_)) => values.next().cloned().unwrap_or(Value::Nil),
        Some(Value::Table(table)) if described(table)? => either(table, "body", "content")?,
        Some(Value::Table(table)) => Value::Table(table.clone()),
        _ => Value::Nil,
    };
    Ok(Some(body).filter(|body| matches!(body, Value::Table(_))))
}

/// The response of a handler. Headers and status are checked before anything is sent.
pub fn respond(exchange: &Exchange, returned: Returned) -> Result<Response<ResponseBody>> {
    let draft = draft(returned.values, returned.json)?;
    let mut out = exchange.out.borrow_mut();
    let written = std::mem::take(&mut out.written);
    let body = match draft.body {
        Some((body, kind)) => {
            let body = match written.is_empty() {
                true => body,
                false => [&written[..], &body[..]].concat().into(),
            };
            Some((body, kind))
        }
        None if written.is_empty() => None,
        None => Some((written.into(), Kind::Text)),
    };
    let mut headers = std::mem::take(&mut out.headers);
    if !draft.headers.is_empty() {
        for name in draft.headers.keys() {
            headers.remove(name);
        }
        headers.extend(draft.headers);
    }
    let body = match body {
        Some((body, kind)) => ResponseBody::Typed(body, kind),
        None => ResponseBody::Full(Bytes::new()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = draft.status.or(out.status).unwrap_or(StatusCode::OK);
    *response.headers_mut() = headers;
    // These have no body, whatever was returned.
    if matches!(
        response.status(),
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::RESET_CONTENT
    ) && let ResponseBody::Typed(bytes, _) = response.body_mut()
    {
        bytes.clear();
    }
    Ok(response)
}

fn draft(values: MultiValue, json: Option<Bytes>) -> Result<Draft> {
    let mut draft = Draft {
        status: None,
        headers: HeaderMap::new(),
        body: None,
    };
    let mut values = values.into_vec().into_iter();
    let headers = match values.next().unwrap_or(Value::Nil) {
        Value::Nil => return Ok(draft),
        Value::String(text) => {
            draft.body = Some((Bytes::copy_from_slice(&text.as_bytes()), Kind::Text));
            values.next()
        }
        Value::Integer(status) => {
            draft.status = Some(status_code(status)?);
            draft.body = body(values.next().unwrap_or(Value::Nil), json)?;
            values.next()
        }
        Value::Number(number) => {
            return Err(Error::runtime(format!(
                "the handler returned {number}, which is not a status"
            )));
        }
        Value::Table(table) => match described(&table)? {
            true => {
                let status = either(&table, "status", "statuscode")?;
                draft.status = match status {
                    Value::Nil => None,
                    Value::Integer(status) => Some(status_code(status)?),
                    other => return Err(wrong("status", "a whole number", &other)),
                };
                draft.body = body(either(&table, "body", "content")?, json)?;
                Some(table.raw_get("headers")?)
            }
            false => {
                draft.body = body(Value::Table(table), json)?;
                values.next()
            }
        },
        other => {
            return Err(Error::runtime(format!(
                "the handler returned a {}; return a string, a status, a table, a function or nothing",
                other.type_name()
            )));
        }
    };
    match headers {
        None | Some(Value::Nil) => {}
        Some(Value::Table(headers)) => put_headers(&headers, &mut draft.headers)?,
        Some(other) => return Err(wrong("headers", "a table", &other)),
    }
    Ok(draft)
}

/// Whether a table describes a response: it has a body, headers or a status that is a number.
/// (`{status = "open"}` is data.)
fn described(table: &Table) -> Result<bool> {
    for name in ["body", "content", "headers"] {
        if table.raw_get::<Value>(name)? != Value::Nil {
            return Ok(true);
        }
    }
    Ok(matches!(
        either(table, "status", "statuscode")?,
        Value::Integer(_)
    ))
}

fn either(table: &Table, name: &str, other: &str) -> Result<Value> {
    match table.raw_get(name)? {
        Value::Nil => table.raw_get(other),
        value => Ok(value),
    }
}

fn body(value: Value, json: Option<Bytes>) -> Result<Option<(Bytes, Kind)>> {
    Ok(Some(match value {
        Value::Nil => return Ok(None),
        Value::String(text) => (Bytes::copy_from_slice(&text.as_bytes()), Kind::Text),
        Value::Integer(number) => (number.to_string().into(), Kind::Text),
        Value::Number(number) => (number.to_string().into(), Kind::Text),
        Value::Table(_) => match json {
            Some(text) => (text, Kind::Json),
            None => return Err(Error::runtime("the handler's table was not encoded")),
        },
        other => return Err(wrong("body", "a string or a table", &other)),
    }))
}

fn put_headers(table: &Table, headers: &mut HeaderMap) -> Result<()> {
    for pair in table.pairs::<Value, Value>() {
        let (name, value) = pair?;
        let Value::String(name) = name else {
            return Err(wrong("a header's name", "a string", &name));
        };
        // What another server said of its connection: the response of a request of this script's is returned as it is.
        if OF_A_CONNECTION
            .iter()
            .any(|of| name.as_bytes().eq_ignore_ascii_case(of.as_bytes()))
        {
            continue;
        }
        let values = match value {
            Value::Table(list) => (1..=list.raw_len() as i64)
                .map(|at| list.raw_get(at))
                .collect::<Result<Vec<Value>>>()?,
            one => vec![one],
        };
        for value in values {
            let text = match &value {
                Value::String(text) => text.as_bytes().to_vec(),
                Value::Integer(number) => number.to_string().into_bytes(),
                Value::Number(number) => number.to_string().into_bytes(),
                Value::Boolean(boolean) => boolean.to_string().into_bytes(),
                other => return Err(wrong("a header's value", "a string", other)),
            };
            let keeps = name.as_bytes().eq_ignore_ascii_case(b"connection")
                && text.eq_ignore_ascii_case(b"keep-alive");
            if !keeps {
                put_header(headers, &name.as_bytes(), Some(&text), true)?;
            }
        }
    }
    Ok(())
}

fn wrong(what: &str, expected: &str, got: &Value) -> Error {
    Error::runtime(format!(
        "the handler returned a response whose {what} is a {}, not {expected}",
        got.type_name()
    ))
}
