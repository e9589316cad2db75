//! The names of call control, as thin wrappers with their own conventions.
//!
//! ```lua
//! Spawn(name, ...)              --> a task's id, or nil and why not
//! SendEvent(task, name, param)  --> nil, or why not
//! ReadInput([seconds])          --> a string (the digit of a `dtmf` event), an event {what, sender, parameter}, or nil; 0 polls
//! ThisTask(), ParentTask()      --> an id, or nil
//! IsTask(x)                     --> whether x is a task's id, whether or not that task is still there
//! IsTaskStoppedEvent(event)     --> whether a task has ended: event.sender, because of event.parameter
//! KillTask(task), IsEvent(x), EventName(x), EventSender(x), EventParameter(x)
//! ```

use rille_lua::{Lua, Result, Table, Value};
use rille_runtime::task::Tid;

const PRELUDE: &str = "\
local task, globals, is_tid, type = ...
local send, receive = task.send, task.receive

globals.Spawn = task.spawn
globals.ThisTask = task.self
globals.ParentTask = task.parent
globals.KillTask = task.kill
globals.IsTask = is_tid

function globals.SendEvent(to, name, parameter)
  local _, err = send(to, name, parameter)
  return err
end

function globals.ReadInput(seconds)
  local event = receive(seconds)
  if event and event.what == 'dtmf' and type(event.parameter) == 'string' and #event.parameter == 1 then
    return event.parameter
  end
  return event
end

local function is_event(x)
  return type(x) == 'table' and type(x.what) == 'string'
end

globals.IsEvent = is_event

function globals.IsTaskStoppedEvent(x)
  return is_event(x) and x.what == 'task-stopped'
end

function globals.EventName(x) return is_event(x) and x.what or nil end
function globals.EventSender(x) return is_event(x) and x.sender or nil end
function globals.EventParameter(x)
  if is_event(x) then return x.parameter end
end
";

pub(super) fn install(lua: &Lua, task: &Table) -> Result<()> {
    let is_tid = lua.create_function(|_, value: Value| {
        Ok(match value {
            Value::Integer(number) => Tid::from_integer(number).is_some(),
            _ => false,
        })
    })?;
    let kind: Value = lua.globals().raw_get("type")?;
    super::prelude(lua, PRELUDE, (task, lua.globals(), is_tid, kind))
}
