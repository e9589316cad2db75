//! How a task begins: `tasks/NAME.lua`, or a global function of `main.lua`.
//!
//! **Invariant:** a task that could not be made leaves nothing behind.

use super::slab::Tid;
use super::{Names, Refused, Tasks};
use crate::route::FileId;
use crate::vm::AppVm;
use rille_lua::{Error, Function, Lua, MultiValue, Result, Value};
use std::cell::RefCell;
use std::rc::Rc;

/// The file whose global functions are tasks.
pub const MAIN: &str = "main.lua";
/// Bytes of a task's name.
const MAX_NAME: usize = 255;

/// Lua functions that tasks begin in: of a file, and of a function of `main.lua`.
const PRELUDE: &str = "\
local type, error, environment = ...
return function(main, ...)
  local f = main(...)
  if type(f) == 'function' then return f(...) end
end, function(main, name, ...)
  main()
  local f = environment[name]
  if type(f) ~= 'function' then error(\"main.lua has no function '\" .. name .. \"'\", 0) end
  return f(...)
end";

/// What a name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A file of `tasks/`.
    File(FileId),
    /// A function of `main.lua`.
    Global(FileId),
}

/// What is known of names that were spawned.
#[derive(Default)]
pub(super) struct Entries {
    numbers: Names,
    /// By number.
    known: Vec<(Rc<str>, Entry)>,
    prelude: Option<(Function, Function)>,
}

impl Entries {
    pub fn name(&self, number: u32) -> Rc<str> {
        match self.known.get(number as usize) {
            Some((name, _)) => name.clone(),
            None => "?".into(),
        }
    }
}

/// Names that are remembered; what is spawned by others has to be looked up each time.
const MAX_KNOWN: usize = 10_000;

impl Tasks {
    /// Spawns a task for the one that runs, if one does. The arguments are copied.
    pub fn spawn(
        self: &Rc<Self>,
        name: &str,
        arguments: &[Value],
    ) -> Result<std::result::Result<Tid, Refused>> {
        self.begin(name, |vm| self.copy_arguments(vm.lua(), arguments))
    }

    /// Spawns a task with arguments that nobody else has.
    pub(super) fn spawn_with(
        self: &Rc<Self>,
        name: &str,
        arguments: Vec<Value>,
    ) -> Result<std::result::Result<Tid, Refused>> {
        self.begin(name, |_| Ok(Ok(arguments)))
    }

    fn begin(
        self: &Rc<Self>,
        name: &str,
        arguments: impl FnOnce(&AppVm) -> Result<std::result::Result<Vec<Value>, Refused>>,
    ) -> Result<std::result::Result<Tid, Refused>> {
        let vm = self.vm().ok_or(Error::MismatchedLua)?;
        let refuse = |why: String| Ok(Err(Refused::Away(why)));
        if self.is_over.get() {
            return refuse("another version of the app has taken its place".into());
        }
        if !self.has_room_for_one() {
            return refuse(format!(
                "too many tasks: the limit is {}",
                self.limits.tasks
            ));
        }
        let (number, entry) = match self.entry(&vm, name) {
            Ok(found) => found,
            Err(why) => return refuse(why),
        };
        let copies = match arguments(&vm)? {
            Ok(copies) => copies,
            Err(refused) => return Ok(Err(refused)),
        };
        let parent = self.current_or_guest();
        let thread = self.coroutine(&vm, name, entry, copies)?;
        let Some(slot) = self.slab.borrow_mut().add() else {
            return refuse("too many tasks".into());
        };
        let at = i64::from(slot) + 1;
        let placed =
            (self.boxes.raw_set(at, false)).and_then(|()| self.threads.raw_set(at, thread));
        if let Err(error) = placed {
            self.slab.borrow_mut().remove(slot);
            return Err(error);
        }
        let tid = {
            let mut slab = self.slab.borrow_mut();
            let task = slab.get_mut(slot);
            task.name = number;
            task.parent = parent.map_or(0, |parent| parent.0);
            slab.tid(slot)
        };
        self.make_ready(slot);
        Ok(Ok(tid))
    }

    fn coroutine(
        &self,
        vm: &AppVm,
        name: &str,
        entry: Entry,
        arguments: Vec<Value>,
    ) -> Result<rille_lua::Thread> {
        let lua = vm.lua();
        let (of_file, of_main) = self.prelude(lua)?;
        let mut given = Vec::with_capacity(arguments.len() + 2);
        let function = match entry {
            Entry::File(id) => {
                given.push(Value::Function(vm.main(id)?));
                of_file
            }
            Entry::Global(id) => {
                given.push(Value::Function(vm.main(id)?));
                given.push(Value::String(lua.create_string(name)?));
                of_main
            }
        };
        given.extend(arguments);
        let thread = lua.create_thread(function)?;
        thread.set_globals(Some(lua.create_table()?))?;
        thread.give_arguments(MultiValue::from_vec(given))?;
        Ok(thread)
    }

    fn copy_arguments(
        &self,
        lua: &Lua,
        arguments: &[Value],
    ) -> Result<std::result::Result<Vec<Value>, Refused>> {
        let mut copies = Vec::with_capacity(arguments.len());
        let mut limits = self.copy_limits();
        for (at, argument) in (1..).zip(arguments) {
            let copied = match argument {
                // Most are no tables.
                Value::Table(_) => lua.with_native(|ctx| {
                    let Some(v) = ctx.value_of(argument) else {
                        return Ok(Err(Refused::TooLarge));
                    };
                    let kept = ctx.table_of(&self.kept);
                    let copied = match ctx.copy_data(v, kept, limits)? {
                        Ok(copied) => copied,
                        Err(why) => {
                            let name = format!("argument {at}");
                            return Ok(Err(Refused::from_copy(why, &name)));
                        }
                    };
                    Ok(Ok((ctx.to_value(copied.value), copied.bytes)))
                })?,
                Value::Function(_) | Value::Thread(_) | Value::UserData(_) | Value::Error(_) => {
                    let what = format!("argument {at} is a {}", argument.type_name());
                    return Ok(Err(Refused::NoData(what)));
                }
                Value::String(text) => Ok((argument.clone(), text.as_bytes().len())),
                plain => Ok((plain.clone(), 16)),
            };
            match copied {
                Ok((copy, bytes)) if bytes <= limits.bytes => {
                    limits.bytes -= bytes;
                    copies.push(copy);
                }
                Ok(_) => return Ok(Err(Refused::TooLarge)),
                Err(refused) => return Ok(Err(refused)),
            }
        }
        Ok(Ok(copies))
    }

    /// What a name means, and its number.
    fn entry(&self, vm: &AppVm, name: &str) -> std::result::Result<(u32, Entry), String> {
        let known = self.entries.borrow().numbers.get(name).copied();
        if let Some(number) = known {
            return Ok((number, self.entries.borrow().known[number as usize].1));
        }
        let found = find(vm.app(), name)?;
        let mut entries = self.entries.borrow_mut();
        let number = entries.known.len();
        if number >= MAX_KNOWN {
            return Ok((u32::MAX, found));
        }
        let name: Rc<str> = name.into();
        entries.known.push((name.clone(), found));
        entries.numbers.insert(name, number as u32);
        Ok((number as u32, found))
    }

    fn prelude(&self, lua: &Lua) -> Result<(Function, Function)> {
        if let Some(prelude) = &self.entries.borrow().prelude {
            return Ok(prelude.clone());
        }
        let globals = lua.globals();
        let (kind, error): (Value, Value) = (globals.raw_get("type")?, globals.raw_get("error")?);
        let chunk = lua.load(PRELUDE).set_name("=[rille]").into_function()?;
        let made: (Function, Function) = chunk.call((kind, error, lua.environment()?))?;
        self.entries.borrow_mut().prelude = Some(made.clone());
        Ok(made)
    }
}

/// What of an app a task's name means; or why it means nothing.
pub(crate) fn find(app: &crate::app::App, name: &str) -> std::result::Result<Entry, String> {
    let is_path = |part: &str| !part.is_empty() && part != "." && part != "..";
    if name.len() > MAX_NAME || name.contains('\0') || !name.split('/').all(is_path) {
        return Err(format!("no task '{}'", crate::problem::one_line(name)));
    }
    if let Some(id) = app.find(&format!("tasks/{name}.lua")) {
        return Ok(Entry::File(id));
    }
    match app.find(MAIN) {
        Some(id) => Ok(Entry::Global(id)),
        None => Err(format!(
            "no task '{name}': the app has neither tasks/{name}.lua nor main.lua"
        )),
    }
}

/// So that a [`RefCell`] of them is small.
const _: () = assert!(size_of::<RefCell<Entries>>() < 200);
