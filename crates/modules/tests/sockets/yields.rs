//! Waiting anywhere: `yields.lua` is a table of every place where Lua code runs, in two versions of the language, for a request and for a task
//! (whose waits take another way).

use super::echo;
use crate::support::{Script, serve};

/// One row is one place: fewer means that the table was not run to its end.
const ROWS_OF_51: usize = 62;
const ROWS_OF_54: usize = 82;

const WAITS: &str = r#"
local waits = { count = 0 }
local helper
function waits.wait_without_mailbox(text)
  local sock = assert(ngx.socket.connect("127.0.0.1", at.server))
  assert(sock:send(text .. "\n"))
  local got = assert(sock:receive())
  sock:close()
  sleep(0.001)
  waits.count = waits.count + 1
  return got
end
function waits.wait(text)
  local got = waits.wait_without_mailbox(text)
  helper = helper or assert(task.spawn("helper"))
  assert(task.send(helper, "said", got))
  return task.receive({ what = "said", timeout = 30 }).parameter
end
return waits
"#;

/// What the table prints for a request, and for a task.
fn run(version: &str) -> Vec<String> {
    Script::new(
        r#"
print("request", require("yields")(false))
local done = task.spawn("table", task.self())
task.monitor(done)
local event = task.receive()
print(event.what, event.parameter)
"#,
    )
    .manifest(&format!("lua = \"{version}\"\n"))
    .file("lib/waits.lua", WAITS)
    .file(
        "lib/yields.lua",
        &format!(
            "return function(...)\n{}\nend",
            include_str!("yields.lua")
        ),
    )
    .file("lib/reads.lua", "return require('waits').wait('read once')")
    .file(
        "lib/reads_again.lua",
        "local text = require('waits').wait_without_mailbox('read again')
         reads = (reads or 0) + 1
         return {text = text, times = reads}",
    )
    .file(
        "tasks/helper.lua",
        "for event in task.receive do sleep(0.001) task.send(event.sender, event.what, event.parameter) end",
    )
    .file(
        "tasks/table.lua",
        "local asker = ... task.send(asker, 'task', require('yields')(true)) task.receive()",
    )
    .at("server", serve(echo))
    .run()
}

#[test]
fn lua_5_1_waits_anywhere() {
    let rows = ROWS_OF_51;
    assert_eq!(
        run("5.1"),
        [format!("request\t{rows}"), format!("task\t{rows}")]
    );
}

#[test]
fn lua_5_4_waits_anywhere() {
    let rows = ROWS_OF_54;
    assert_eq!(
        run("5.4"),
        [format!("request\t{rows}"), format!("task\t{rows}")]
    );
}
