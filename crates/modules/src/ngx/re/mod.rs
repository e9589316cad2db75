//! `ngx.re`: regular expressions of Perl's kind, and the module `ngx.re` (`split`, `opt`).
//!
//! ```lua
//! ngx.re.match(subject, regex, options?, ctx?, res?)  --> captures | nil | nil, error
//! ngx.re.find(subject, regex, options?, ctx?, nth?)   --> from, to | nil | nil, nil, error
//! ngx.re.gmatch(subject, regex, options?)             --> iterator | nil, error
//! ngx.re.sub / gsub(subject, regex, replace, options?) --> text, count | nil, nil, error
//! require("ngx.re").split(subject, regex, options?, ctx?, max?, res?) --> pieces | nil, error
//! ```
//!
//! | file | what |
//! |---|---|
//! | `options`, `parse/`, `class`, `ast` | a pattern, understood |
//! | `linear`, `program`, `backtrack/`, `text` | the two engines |
//! | `compiled` | a compiled pattern: which engine a search takes |
//! | `cache` | those of a VM |
//! | `template` | replacement templates |
//! | `re.lua` | the functions themselves, which call what is here piece by piece |
//!
//! Limits: a pattern has 64 KiB and 250 open parentheses; a VM keeps 1024 compiled ones, which take 8 MiB; an attempt of the backtracking engine takes 50
//! million steps and 8 MiB of stack ("pcre_exec() failed: -8"); one replacement has 16 MiB. Subjects are not limited. The longest calls of the host
//! on a subject of 1 MiB took 2 to 5 ms when they were measured (`tests::the_longest_call`, on a debug build), the longest compilation, which cannot be
//! interrupted, 40 ms.
//!
//! **Invariants.** A call of a function here does about [`SLICE`] steps, or one search of the linear engine; what takes longer is continued by
//! the prelude, between whose calls a script can be preempted and stopped. What is kept outside the VM is bounded: the cache, and
//! [`MAX_PAUSED`] bytes of searches that wait to be continued. Functions of the script are called by the prelude only, so they may wait.

mod ast;
mod backtrack;
mod cache;
mod class;
mod compiled;
mod linear;
mod options;
mod parse;
mod program;
mod template;
#[cfg(test)]
mod tests;
mod text;

use backtrack::Search;
use cache::Cache;
use compiled::{Compiled, Found, MATCH_LIMIT_REACHED, Place};
use options::Options;
use rille_lua::{AnyUserData, Error, Lua, LuaString, Result, Table, Value};
use rille_runtime::log::{AppLog, Level};
use rille_runtime::vm::AppVm;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use template::Template;

const PRELUDE: &str = include_str!("re.lua");
/// Where the module `ngx.re` is until it is required.
const MODULE: &str = "ngx.re";

/// Steps of a call.
const SLICE: u64 = 1 << 16;
/// Bytes of searches that are not finished, all together.
const MAX_PAUSED: usize = 32 << 20;
/// Bytes of a result that are collected before they become a string of the VM.
const CHUNK: usize = 64 << 10;
/// Bytes that one replacement can have.
const MAX_REPLACEMENT: usize = 16 << 20;
/// Fuel that compiling costs, and for each byte of the pattern.
const COMPILING: u64 = 20_000;
const COMPILING_BYTE: u64 = 100;

/// The table `ngx.re`.
pub(super) fn table(vm: &Rc<AppVm>) -> Result<Table> {
    let lua = vm.lua();
    let state = Rc::new(State {
        cache: RefCell::default(),
        places: RefCell::default(),
        paused: Rc::default(),
        log: vm.log().clone(),
    });
    let globals = lua.globals();
    let tools = lua.create_table()?;
    for name in ["type", "tostring", "error"] {
        tools.raw_set(name, globals.raw_get::<Value>(name)?)?;
    }
    for (library, name) in [("string", "sub"), ("table", "concat")] {
        let library: Table = globals.raw_get(library)?;
        tools.raw_set(name, library.raw_get::<Value>(name)?)?;
    }
    let its = state.clone();
    tools.raw_set(
        "exec",
        lua.create_function(move |lua, args| its.exec(lua, args))?,
    )?;
    let its = state.clone();
    tools.raw_set(
        "search",
        lua.create_function(move |lua, args| its.search(lua, args))?,
    )?;
    let its = state.clone();
    let substitute = lua.create_function(move |lua, args| its.substitute(lua, args))?;
    tools.raw_set("substitute", substitute)?;
    tools.raw_set(
        "check",
        lua.create_function(move |lua, args| state.check(lua, args))?,
    )?;
    let (functions, module): (Table, Table) = lua
        .load(PRELUDE)
        .set_name("=[rille]")
        .into_function()?
        .call(tools)?;
    lua.set_named_registry_value(MODULE, module)?;
    Ok(functions)
}

/// The module `ngx.re`.
pub(crate) fn module(lua: &Lua) -> Result<Value> {
    lua.named_registry_value(MODULE)
}

/// What the functions of a VM share.
struct State {
    cache: RefCell<Cache>,
    /// Where the last match was: kept for its memory.
    places: RefCell<Vec<Place>>,
    /// Bytes of searches that are not finished.
    paused: Rc<Cell<usize>>,
    log: Rc<AppLog>,
}

/// A search that is not finished, in a userdata that only the prelude sees.
struct Paused {
    search: Search,
    size: usize,
    all: Rc<Cell<usize>>,
}

impl Paused {
    /// Takes the search out of where it was kept.
    fn into_search(mut self) -> Search {
        std::mem::replace(&mut self.search, Search::none())
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        self.all.set(self.all.get() - self.size);
    }
}

/// A substitution that is not finished.
struct Progress {
    /// How much of the subject is in the result.
    copied: usize,
    /// Where the next search begins.
    next: usize,
    count: usize,
    paused: Option<Paused>,
}

/// Why there is no compiled pattern.
enum Refused {
    /// To be raised.
    Raised(String),
    /// To be returned.
    Bad(Vec<u8>),
}

/// What a search came to, for the prelude.
enum Answer {
    Found(Rc<Compiled>),
    None,
    /// Whether it is to be raised, and the message.
    Error(bool, Vec<u8>),
    Paused(AnyUserData),
}

type Four = (Value, Value, Value, Value);
/// Subject, pattern, options, place from 1 on, what differs, whether the subject is known to be UTF-8, a search to be continued.
type Args<T> = (
    LuaString,
    LuaString,
    LuaString,
    f64,
    T,
    Option<bool>,
    Option<AnyUserData>,
);

impl State {
    fn compiled(
        &self,
        lua: &Lua,
        regex: &[u8],
        letters: &[u8],
    ) -> std::result::Result<Rc<Compiled>, Refused> {
        let options = Options::parse(letters).map_err(|letter| {
            Refused::Raised(format!(
                "unknown flag \"{}\" (flags \"{}\")",
                char::from(letter),
                String::from_utf8_lossy(letters)
            ))
        })?;
        let compile = || {
            lua.charge_fuel(COMPILING + COMPILING_BYTE * regex.len() as u64);
            Compiled::new(regex, options).map_err(Refused::Bad)
        };
        self.cache.borrow_mut().get(regex, options, compile)
    }

    /// Keeps a search for the next call; `None` if too many are kept.
    fn pause(&self, lua: &Lua, search: Search) -> Result<Option<Paused>> {
        let size = search.size() + size_of::<Paused>();
        if self.paused.get() + size > MAX_PAUSED {
            // Some may belong to coroutines that are gone.
            lua.gc_collect()?;
        }
        if self.paused.get() + size > MAX_PAUSED {
            return Ok(None);
        }
        self.paused.set(self.paused.get() + size);
        Ok(Some(Paused {
            search,
            size,
            all: self.paused.clone(),
        }))
    }

    /// Does one slice of a search. Where it found something is in `places`.
    fn slice<T>(&self, lua: &Lua, args: &Args<T>, places: &mut Vec<Place>) -> Result<Answer> {
        let (subject, regex, letters, from, _, checked, paused) = args;
        let compiled = match self.compiled(lua, &regex.as_bytes(), &letters.as_bytes()) {
            Ok(compiled) => compiled,
            Err(Refused::Raised(message)) => return Ok(Answer::Error(true, message.into())),
            Err(Refused::Bad(message)) => return Ok(Answer::Error(false, message)),
        };
        let subject = subject.as_bytes();
        let mut budget = SLICE;
        let found = match paused {
            Some(paused) => {
                let search = paused.take::<Paused>()?.into_search();
                compiled.resume(search, &subject, &mut budget, places)
            }
            None => {
                let from = place(*from);
                let checked = checked.unwrap_or(false);
                compiled.search(&subject, from, checked, &mut budget, places)
            }
        };
        lua.charge_fuel(SLICE - budget);
        self.cache.borrow_mut().settle();
        Ok(match found {
            Found::Yes => Answer::Found(compiled),
            Found::No => Answer::None,
            Found::Failed(code) => Answer::Error(false, failed(code)),
            Found::Paused(search) => match self.pause(lua, search)? {
                Some(paused) => Answer::Paused(lua.create_any_userdata(paused)?),
                None => Answer::Error(false, failed(MATCH_LIMIT_REACHED)),
            },
        })
    }

    /// Captures, where the match is from and to, and where the next search begins.
    fn exec(&self, lua: &Lua, args: Args<Option<Table>>) -> Result<Four> {
        let mut places = self.places.take();
        let answer = self.slice(lua, &args, &mut places)?;
        let result = match answer {
            Answer::Found(compiled) => {
                let subject = args.0.as_bytes();
                let (start, end) = places.first().copied().flatten().unwrap_or_default();
                let captures = captures(lua, &compiled, &subject, &places, args.4)?;
                // A continued search has gone on from where it was: only the order of the places matters here.
                let next = compiled.next(&subject, place(args.3), (start, end));
                let values = (
                    Value::Table(captures),
                    integer(start + 1),
                    integer(end),
                    integer(next + 1),
                );
                Ok(values)
            }
            other => other_answer(lua, other),
        };
        self.places.replace(places);
        result
    }

    /// Where the group is, where the match ends, and an error.
    fn search(&self, lua: &Lua, args: Args<Option<f64>>) -> Result<Four> {
        let mut places = self.places.take();
        let answer = self.slice(lua, &args, &mut places)?;
        let result = match answer {
            Answer::Found(_) => {
                let (_, end) = places.first().copied().flatten().unwrap_or_default();
                let nth = args.4.filter(|nth| *nth > 0.0).unwrap_or(0.0) as usize;
                match places.get(nth) {
                    Some(Some((from, to))) => {
                        Ok((integer(from + 1), integer(*to), integer(end), Value::Nil))
                    }
                    Some(None) => Ok((Value::Nil, Value::Nil, integer(end), Value::Nil)),
                    None => {
                        let message = lua.create_string("nth out of bound")?;
                        Ok((Value::Nil, Value::Nil, integer(end), Value::String(message)))
                    }
                }
            }
            Answer::Error(false, message) => {
                let message = lua.create_string(message)?;
                Ok((Value::Nil, Value::Nil, Value::Nil, Value::String(message)))
            }
            other => other_answer(lua, other),
        };
        self.places.replace(places);
        result
    }

    /// Whether a pattern compiles: an error to be returned, an error to be raised.
    fn check(
        &self,
        lua: &Lua,
        (regex, letters): (LuaString, LuaString),
    ) -> Result<(Option<LuaString>, Option<LuaString>)> {
        match self.compiled(lua, &regex.as_bytes(), &letters.as_bytes()) {
            Ok(_) => {
                self.cache.borrow_mut().settle();
                Ok((None, None))
            }
            Err(Refused::Raised(message)) => Ok((None, Some(lua.create_string(message)?))),
            Err(Refused::Bad(message)) => Ok((Some(lua.create_string(message)?), None)),
        }
    }

    /// A piece of the result, the count so far, and what is to be continued; or nil and an error; or false and an error to be raised.
    #[allow(clippy::type_complexity)]
    fn substitute(
        &self,
        lua: &Lua,
        (subject, regex, replace, letters, global, progress): (
            LuaString,
            LuaString,
            LuaString,
            LuaString,
            bool,
            Option<AnyUserData>,
        ),
    ) -> Result<(Value, Value, Option<AnyUserData>)> {
        let refuse = |first: Value, message: &[u8]| {
            let message = lua.create_string(message)?;
            Ok((first, Value::String(message), None))
        };
        let compiled = match self.compiled(lua, &regex.as_bytes(), &letters.as_bytes()) {
            Ok(compiled) => compiled,
            Err(Refused::Raised(message)) => {
                return refuse(Value::Boolean(false), message.as_bytes());
            }
            Err(Refused::Bad(message)) => return refuse(Value::Nil, &message),
        };
        let replace = replace.as_bytes();
        let template = match Template::new(&replace) {
            Ok(template) => template,
            Err(why) => {
                self.log.script(Level::Error, &why);
                return refuse(Value::Nil, b"failed to compile the replacement template");
            }
        };
        let bytes = subject.as_bytes();
        let progress = match progress {
            Some(progress) => progress.take()?,
            None => Progress {
                copied: 0,
                next: 0,
                count: 0,
                paused: None,
            },
        };
        let mut work = Substitution {
            state: self,
            lua,
            compiled: &compiled,
            template: &template,
            subject: &bytes,
            global,
            progress,
            out: Vec::new(),
            budget: SLICE,
        };
        let mut places = self.places.take();
        let ended = work.slice(&mut places);
        self.places.replace(places);
        let Substitution {
            progress,
            out,
            budget,
            ..
        } = work;
        lua.charge_fuel(SLICE - budget + (out.len() + replace.len()) as u64 / 16);
        self.cache.borrow_mut().settle();
        let count = integer(progress.count);
        match ended? {
            Slice::Failed(code) => refuse(Value::Nil, &failed(code)),
            Slice::Done if progress.count == 0 => Ok((Value::String(subject.clone()), count, None)),
            Slice::Done => Ok((Value::String(lua.create_string(out)?), count, None)),
            Slice::More => {
                let text = Value::String(lua.create_string(out)?);
                Ok((text, count, Some(lua.create_any_userdata(progress)?)))
            }
        }
    }
}

/// How a slice of a substitution ends.
enum Slice {
    Done,
    More,
    Failed(i32),
}

/// A slice of a substitution.
struct Substitution<'a> {
    state: &'a State,
    lua: &'a Lua,
    compiled: &'a Compiled,
    template: &'a Template<'a>,
    subject: &'a [u8],
    global: bool,
    progress: Progress,
    out: Vec<u8>,
    budget: u64,
}

impl Substitution<'_> {
    fn slice(&mut self, places: &mut Vec<Place>) -> Result<Slice> {
        loop {
            let from = self.progress.next;
            let found = match self.progress.paused.take() {
                Some(paused) => {
                    let search = paused.into_search();
                    let budget = &mut self.budget;
                    self.compiled.resume(search, self.subject, budget, places)
                }
                None => {
                    let checked = self.progress.count > 0;
                    let budget = &mut self.budget;
                    (self.compiled).search(self.subject, from, checked, budget, places)
                }
            };
            match found {
                Found::No => break,
                Found::Failed(code) => return Ok(Slice::Failed(code)),
                Found::Paused(search) => {
                    self.progress.paused = self.state.pause(self.lua, search)?;
                    return Ok(match self.progress.paused {
                        Some(_) => Slice::More,
                        None => Slice::Failed(MATCH_LIMIT_REACHED),
                    });
                }
                Found::Yes => self.replace(places)?,
            }
            if !self.global || self.progress.next > self.subject.len() {
                break;
            }
            if self.budget == 0 || self.out.len() >= CHUNK {
                return Ok(Slice::More);
            }
        }
        if self.progress.count > 0 {
            let rest = self.subject.get(self.progress.copied..);
            self.out.extend_from_slice(rest.unwrap_or_default());
        }
        Ok(Slice::Done)
    }

    fn replace(&mut self, places: &[Place]) -> Result<()> {
        let (start, end) = places.first().copied().flatten().unwrap_or_default();
        let length = self.template.length(self.subject, places);
        if length > MAX_REPLACEMENT {
            return Err(Error::MemoryError("not enough memory".into()));
        }
        let progress = &mut self.progress;
        let between = self.subject.get(progress.copied..start);
        let between = between.unwrap_or_default();
        self.out.extend_from_slice(between);
        self.template.expand(self.subject, places, &mut self.out);
        let steps = (length + between.len()) / 16 + self.template.parts() + 4;
        self.budget = self.budget.saturating_sub(steps as u64);
        progress.next = self
            .compiled
            .next(self.subject, progress.next, (start, end));
        progress.copied = progress.copied.max(end);
        progress.count += 1;
        Ok(())
    }
}

/// What a search answers that has found nothing.
fn other_answer(lua: &Lua, answer: Answer) -> Result<Four> {
    let (first, second) = match answer {
        Answer::Error(raised, message) => {
            let first = if raised {
                Value::Boolean(false)
            } else {
                Value::Nil
            };
            (first, Value::String(lua.create_string(message)?))
        }
        Answer::Paused(paused) => (Value::Boolean(false), Value::UserData(paused)),
        Answer::None | Answer::Found(_) => (Value::Nil, Value::Nil),
    };
    Ok((first, second, Value::Nil, Value::Nil))
}

/// The table of what the groups matched, by number and by name.
fn captures(
    lua: &Lua,
    compiled: &Compiled,
    subject: &[u8],
    places: &[Place],
    table: Option<Table>,
) -> Result<Table> {
    let table = match table {
        Some(table) => table,
        None => lua.create_table_with_capacity(compiled.groups, 1 + compiled.names.len())?,
    };
    let text = |group: usize| -> Result<Value> {
        let Some((from, to)) = places.get(group).copied().flatten() else {
            return Ok(Value::Boolean(false));
        };
        let text = subject.get(from..to).unwrap_or_default();
        Ok(Value::String(lua.create_string(text)?))
    };
    for group in 0..=compiled.groups {
        table.raw_set(group as i64, text(group)?)?;
    }
    if !compiled.options.duplicate_names {
        for (name, group) in &compiled.names {
            let name = lua.create_string(name)?;
            table.raw_set(name, table.raw_get::<Value>(i64::from(*group))?)?;
        }
        return Ok(table);
    }
    // One list for each name that has matched.
    for same in compiled.names.chunk_by(|one, other| one.0 == other.0) {
        let list = lua.create_table()?;
        for (_, group) in same {
            match text(*group as usize)? {
                Value::Boolean(false) => {}
                text => list.raw_push(text)?,
            }
        }
        if let (Some((name, _)), true) = (same.first(), list.raw_len() > 0) {
            table.raw_set(lua.create_string(name)?, list)?;
        }
    }
    Ok(table)
}

/// A place in the subject from 0 on, of one that a script gave, from 1 on.
fn place(from: f64) -> usize {
    // What is no number is 0, and what is too large the largest.
    (from - 1.0) as usize
}

fn integer(n: usize) -> Value {
    Value::Integer(n as i64)
}

fn failed(code: i32) -> Vec<u8> {
    format!("pcre_exec() failed: {code}").into_bytes()
}

/// Compiles and searches whatever it is given, within bounds; for fuzzing.
#[doc(hidden)]
pub fn fuzz_compile(pattern: &[u8], options: &[u8], subject: &[u8]) {
    let Ok(options) = Options::parse(options) else {
        return;
    };
    let Ok(compiled) = Compiled::new(pattern, options) else {
        return;
    };
    let mut places = Vec::new();
    for from in [0, subject.len() / 2] {
        let mut budget = SLICE;
        let mut found = compiled.search(subject, from, false, &mut budget, &mut places);
        for _ in 0..8 {
            match found {
                Found::Paused(search) => {
                    budget = SLICE;
                    found = compiled.resume(search, subject, &mut budget, &mut places);
                }
                Found::Yes => {
                    for (start, end) in places.iter().flatten() {
                        assert!(start <= end && *end <= subject.len());
                    }
                    let all = places.first().copied().flatten().unwrap_or_default();
                    assert!(compiled.next(subject, from, all) > from);
                    break;
                }
                Found::No | Found::Failed(_) => break,
            }
        }
    }
}
