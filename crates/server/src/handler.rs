//! What runs for a request: the stages from a handler's file to its result.
//!
//! ```text
//!   Main: the file's chunk --function--> Handler --table by methods--> Method
//!      |     (kept: the next hit starts here)  |                          |
//!      +----------------+----------------------+--------------------------+--large table--> Encode
//!                       v                                                                     |
//!                   Returned <----------------------------------------------------------------+
//! ```
//!
//! **Invariant:** the kind of a stage only ever goes forward, so a request has four stages at most,
//! all on one budget. A function kept from a main chunk is the only thing that outlives its request.

use crate::body::ResponseBody;
use crate::exchange::Exchange;
use crate::fleet::{Cached, Served};
use crate::pages;
use crate::reply::{self, ByMethod, Returned};
use bytes::Bytes;
use http::Response;
use rille_lua::{Function, Lua, MultiValue, Result, Table, Value};
use rille_runtime::coroutine::Started;
use rille_runtime::route::FileId;
use rille_runtime::vm::Context;
use std::rc::Rc;
use std::time::Instant;

/// What runs next for a request.
pub struct Stage {
    /// The function.
    pub function: Function,
    /// What it is called with.
    pub argument: Option<Value>,
    /// The globals it starts with; those it writes are kept in it.
    pub globals: Table,
    /// What it is.
    pub kind: Kind,
    /// For [`Kind::Encode`]: what the handler returned.
    pub returned: Option<MultiValue>,
}

/// The stages of a request, in their order; each runs once at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The main chunk of a handler's file.
    Main,
    /// The function that a main chunk returned.
    Handler,
    /// A function of a table keyed by methods.
    Method,
    /// A large table on its way to JSON.
    Encode,
}

/// Starts a stage in a coroutine with its globals. Its processor time counts from `since`.
pub fn begin(
    served: &Served,
    context: Rc<dyn Context>,
    stage: &Stage,
    since: Instant,
) -> Result<Started> {
    let thread = served.vm.thread(&stage.function, Some(&stage.globals))?;
    let arguments = match &stage.argument {
        Some(argument) => MultiValue::from_vec(vec![argument.clone()]),
        None => MultiValue::new(),
    };
    Ok(served.vm.start_since(
        since,
        thread,
        arguments,
        Some(context.clone()),
        context.budget(),
    ))
}

/// What follows a stage.
pub enum Next {
    /// Another one.
    Stage(Stage),
    /// Nothing: this is the response.
    Done(Returned),
    /// A response of the server's own.
    Answer(Response<ResponseBody>),
}

impl Served {
    /// The first thing to run for a file: the function it gave before, or its main chunk.
    pub fn first_stage(&self, target: FileId) -> Result<Stage> {
        let lua = self.vm.lua();
        if let Some(Some(cached)) = self.handlers.borrow().get(target.0 as usize) {
            let globals = match &cached.globals {
                Some(globals) => copy_table(lua, globals)?,
                None => lua.create_table()?,
            };
            return Ok(self.stage(cached.function.clone(), globals, Kind::Handler));
        }
        Ok(Stage {
            function: self.vm.main(target)?,
            argument: None,
            globals: lua.create_table()?,
            kind: Kind::Main,
            returned: None,
        })
    }

    /// What a stage that returned `values` leads to. A function returned by a main chunk is kept: it
    /// is called on every further hit, with the globals its main chunk wrote.
    pub fn next_stage(
        &self,
        target: FileId,
        exchange: &Exchange,
        stage: Stage,
        values: MultiValue,
    ) -> Result<Next> {
        let Stage {
            function,
            globals,
            kind,
            returned,
            ..
        } = stage;
        if kind == Kind::Main {
            self.vm.give_back_main(target, function);
        }
        if kind == Kind::Encode {
            let json = match values.iter().next() {
                Some(Value::String(text)) => Some(Bytes::copy_from_slice(&text.as_bytes())),
                _ => None,
            };
            return Ok(Next::Done(Returned {
                values: returned.unwrap_or_default(),
                json,
            }));
        }
        match values.iter().next() {
            // What has been said through `ngx` is the response, whatever its functions returned.
            _ if exchange.out.borrow().said => Ok(Next::Done(Returned::default())),
            Some(Value::Function(handler)) if kind == Kind::Main => {
                let next = self.keep(target, handler, globals)?;
                Ok(Next::Stage(next))
            }
            Some(Value::Table(table)) if kind != Kind::Method => {
                match reply::methods_of(table, exchange.method().as_str())? {
                    Some(ByMethod::Call(function)) => {
                        Ok(Next::Stage(self.stage(function, globals, Kind::Method)))
                    }
                    Some(ByMethod::Not(others)) => Ok(Next::Answer(pages::method_not_allowed(
                        others.iter().map(String::as_str),
                    ))),
                    None => self.encode_stage(globals, values),
                }
            }
            _ => self.encode_stage(globals, values),
        }
    }

    /// What the main chunk of a phase leads to: the function it gave.
    pub fn function_of(
        &self,
        file: FileId,
        stage: Stage,
        values: &MultiValue,
    ) -> Result<Option<Stage>> {
        if stage.kind != Kind::Main {
            return Ok(None);
        }
        self.vm.give_back_main(file, stage.function);
        match values.iter().next() {
            Some(Value::Function(function)) => self.keep(file, function, stage.globals).map(Some),
            _ => Ok(None),
        }
    }

    /// Keeps the function that a main chunk gave: it is to be called now and on every further hit, with the globals its main chunk wrote.
    fn keep(&self, file: FileId, function: &Function, globals: Table) -> Result<Stage> {
        let copy = match globals.is_empty() {
            true => None,
            false => Some(copy_table(self.vm.lua(), &globals)?),
        };
        let mut handlers = self.handlers.borrow_mut();
        let at = file.0 as usize;
        if handlers.len() <= at {
            // A file that came later.
            handlers.resize_with(at + 1, || None);
        }
        handlers[at] = Some(Cached {
            function: function.clone(),
            globals: copy,
        });
        drop(handlers);
        Ok(self.stage(function.clone(), globals, Kind::Handler))
    }

    /// A table to be sent as JSON is encoded here if it is small, else in a coroutine of the request.
    fn encode_stage(&self, globals: Table, values: MultiValue) -> Result<Next> {
        let Some(table) = reply::table_body(&values)? else {
            return Ok(Next::Done(Returned { values, json: None }));
        };
        if let Some(text) = self.vm.json().encode_small(&table)? {
            return Ok(Next::Done(Returned {
                values,
                json: Some(text.into()),
            }));
        }
        Ok(Next::Stage(Stage {
            function: self.encode.clone(),
            argument: Some(table),
            globals,
            kind: Kind::Encode,
            returned: Some(values),
        }))
    }

    /// A function that is called with the request.
    fn stage(&self, function: Function, globals: Table, kind: Kind) -> Stage {
        Stage {
            function,
            argument: Some(self.request.clone()),
            globals,
            kind,
            returned: None,
        }
    }
}

fn copy_table(lua: &Lua, table: &Table) -> Result<Table> {
    let copy = lua.create_table()?;
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        copy.raw_set(key, value)?;
    }
    Ok(copy)
}
