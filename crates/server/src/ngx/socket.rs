//! `ngx.req.socket`, `ngx.on_abort`.
//!
//! ```lua
//! ngx.req.socket()      --> the body of the request, to be read as it comes: receive, receiveany, receiveuntil, settimeout(s)
//! ngx.req.socket(true)  --> the connection itself: send too; nil and why not, both
//! ngx.on_abort(f)       --> 1; f runs as a light thread when the client leaves before the request has ended. Otherwise the request ends then.
//! ```
//!
//! `lua_check_client_abort` is always on here.

use super::{Adding, OUTPUT, check};
use crate::upgrade::{body_socket, take_over};
use rille_lua::{Error, Function, MultiValue, Result, Table, Value};
use rille_modules::answer::{no, yes};
use rille_modules::ngx::socket::{Kind, request_socket};
use rille_runtime::light::Threads;

pub(super) fn install(adding: &Adding<'_>, ngx: &Table, req: &Table) -> Result<()> {
    adding.add_async(
        OUTPUT,
        req,
        "socket",
        |lua, exchange, given: MultiValue| async move {
            if given.len() > 1 {
                return Err(Error::runtime(format!(
                    "expecting 0 or 1 argument, but got {}",
                    given.len()
                )));
            }
            if exchange.ngx.depth.get() > 0 {
                return Err(Error::runtime(
                    "attempt to read the request body in a subrequest",
                ));
            }
            let is_raw = !matches!(
                given.front(),
                None | Some(Value::Nil | Value::Boolean(false))
            );
            let (kind, stream) = match is_raw {
                true => (Kind::Raw, take_over(&exchange).await),
                false => (Kind::Body, body_socket(&exchange)),
            };
            match stream {
                Ok(stream) => {
                    let net = exchange.served.vm.net();
                    let socket = request_socket(&lua, net, stream, kind)?;
                    Ok(MultiValue::from_vec(vec![Value::Table(socket)]))
                }
                Err(why) => no(&lua, why),
            }
        },
    )?;
    adding.add(ngx, "on_abort", |lua, exchange, function: Function| {
        check(exchange, OUTPUT)?;
        let parent = lua.current_thread()?;
        let thread = Threads::prepare(&exchange.served.vm, &parent, function)?;
        match exchange.upgrade.when_gone(thread, parent) {
            true => Ok(yes()),
            false => no(lua, "duplicate call"),
        }
    })
}
