local T = {}

local function show(event)
  if not event then return "nothing" end
  return event.what .. " " .. tostring(event.parameter)
end

function T.echo()
  while true do
    local event = task.receive()
    if event.what == "stop" then return end
    task.send(event.sender, "echo", event.parameter)
  end
end

function T.wait() task.receive() end
function T.fail(why) error(why or "boom") end
function T.finish() end
function T.spin() while true do end end

function T.basic(a, b, c)
  print("arguments", a, b.x[2], c)
  print("self", math.type(task.self()), task.parent())
  local echo = task.spawn("run", "echo")
  print("alive", task.alive(echo), task.alive(task.self()))
  print("send", task.send(echo, "hello", 42))
  local event = task.receive()
  print("event", event.what, event.sender == echo, event.parameter)
  local keys = {}
  for key in pairs(event) do keys[#keys + 1] = key end
  table.sort(keys)
  print("keys", table.concat(keys, " "))
  print("poll", task.receive(0))
  local start = os.clock()
  print("timeout", task.receive(0.02))
  task.send(echo, "stop")
  sleep(0)
  print("gone", task.alive(echo), task.send(echo, "hello"))
  print("no id", task.send(12345, "hello"))
  print("not a task", pcall(task.send, {}, "hello"))
  print("no name", pcall(task.send, task.self()))
  print("bad timeout", pcall(task.receive, "soon"), (select(2, pcall(task.receive, { timeout = {} }))))
  print("negative", task.receive(-1))
end

function T.selective()
  local me = task.self()
  for i, what in ipairs { "a", "b", "a", "c", "b", "a" } do task.send(me, what, i) end
  print("waiting", task.waiting())
  print(show(task.receive { what = "b" }))
  print(show(task.receive { what = "b" }))
  print(show(task.receive { what = "b", timeout = 0 }))
  print(show(task.receive { what = "c", sender = me }))
  print(show(task.receive { what = "a", sender = 1, timeout = 0.01 }))
  for i = 1, 4 do print(show(task.receive(0))) end
  print("waiting", task.waiting())
  -- A filter that is woken by others, many times.
  local helper = task.spawn("run", "flood", me)
  local event = task.receive { what = "last", sender = helper }
  print(show(event), task.waiting())
  local sum, n = 0, 0
  for e in task.receive, 0 do sum, n = sum + e.parameter, n + 1 if task.waiting() == 0 then break end end
  print(n, sum)
end

function T.flood(to)
  for i = 1, 1000 do
    task.send(to, "number", i)
    if i % 100 == 0 then sleep(0) end
  end
  task.send(to, "last", true)
end

function T.copies()
  local me = task.self()
  local function pass(v)
    local ok, err = task.send(me, "copy", v)
    if not ok then return nil, err end
    return task.receive(0).parameter
  end
  print(pass(nil), pass(true), pass(1), pass(1.5), pass("text"), pass(("x"):rep(1000)) == ("x"):rep(1000))
  local t = { 1, 2, 3, name = "n", [2.5] = "f", [true] = "b", nested = { deep = { deeper = {} } } }
  t.me, t.again, t.nested.deep.up = t, t.nested, t
  local c = pass(t)
  print(c ~= t, #c, c.name, c[2.5], c[true], c.me == c, c.again == c.nested, c.nested.deep.up == c)
  t[1] = "changed"
  print(c[1])
  local chain = {}
  local last = chain
  for i = 1, 10000 do last.next = {} last = last.next end
  local copied, n = pass(chain), 0
  while copied.next do copied, n = copied.next, n + 1 end
  print("a long chain", n)
  print("with a class", getmetatable(pass(setmetatable({ 1 }, { __index = T }))))
  print("json", pass({ json.null })[1] == json.null, json.encode(pass(json.array())))
  print(pass(print))
  print(pass({ handlers = { [3] = { callback = print } } }))
  print(pass({ ["two words"] = { coroutine.create(print) } }))
  print(pass({ [print] = 1 }))
  print(pass(_G))
  print(pass(("x"):rep(2 << 20)))
  local large = {}
  for i = 1, 100001 do large[i] = i end
  print(pass(large))
  print(task.spawn("run", "finish", { x = { y = print } }))
  print(task.spawn("run", "finish", 1, print))
  print("left", task.waiting())
end

function T.globals()
  mine = "task's own"
  print(shared, mine)
  local other = task.spawn("run", "others", task.self())
  print(show(task.receive()))
  shared = "shadowed"
  print(shared)
  local co = coroutine.wrap(function() made_in_coroutine = 1 end)
  co()
  print(made_in_coroutine)
end

function T.others(to)
  task.send(to, "seen", tostring(mine) .. " " .. shared)
end

function T.modules()
  local counter = require "lib.counter"
  counter.next()
  print(counter.next(), loads, require "lib/counter" == counter, package.loaded.json == json)
  task.spawn("run", "more", task.self())
  print(show(task.receive()))
  print(counter.next())
  local common = require "lib.common"
  print(common.name, common.helper(), common.later() == common, leaked)
  print(require("lib.replaced")(21))
  print(require("lib.word"), seen)
end

function T.more(to)
  local counter = require "lib.counter"
  task.send(to, "count", counter.next() .. " " .. loads)
end

function T.coroutines()
  -- A receive inside a coroutine of the task's own parks the task, not the coroutine.
  local me = task.self()
  local co = coroutine.wrap(function()
    local event = task.receive()
    coroutine.yield(event.what)
    return task.receive { what = "second" }.what
  end)
  task.spawn("run", "two", me)
  print(co(), co())
  print(pcall(function() return task.receive(0.01) end))
end

function T.two(to)
  task.send(to, "first")
  sleep(0.005)
  task.send(to, "second")
end

function T.monitors()
  local function stopped() local e = task.receive(1) return e.what, e.parameter end
  local a = task.spawn("run", "finish")
  print("monitor", task.monitor(a))
  print(stopped())
  local b = task.spawn("run", "fail", "broken")
  task.monitor(b)
  task.monitor(b)
  print(stopped())
  print("once", task.receive(0))
  task.monitor(b)
  print("dead", stopped())
  local c = task.spawn("run", "wait")
  task.monitor(c)
  print("demonitor", task.demonitor(c), task.demonitor(c))
  print("kill", task.kill(c), task.kill(c))
  sleep(0)
  print("none", task.receive(0), task.kill(c))
  local d = task.spawn("run", "wait")
  task.monitor(d)
  task.kill(d)
  local event = task.receive()
  print(IsTaskStoppedEvent(event), event.sender == d, event.parameter)
  -- One that loops, and one that waits for a future.
  local e, f = task.spawn("run", "spin"), task.spawn("run", "pending")
  sleep(0.01)
  task.monitor(e)
  task.monitor(f)
  task.kill(e)
  task.kill(f)
  print(stopped())
  print(stopped())
  print(pcall(task.monitor, "nobody"))
end

function T.pending() ngx.timer.at(0, function() end) local t = ngx.thread.spawn(sleep, 100) ngx.thread.wait(t) end

function T.closing(to)
  local guard <close> = setmetatable({}, { __close = function() task.send(to, "closed") end })
  task.receive()
end

function T.links()
  local pair = task.spawn("run", "linked", task.self())
  task.monitor(pair)
  local other = task.receive { what = "other" }.parameter
  task.monitor(other)
  task.send(other, "fail")
  for i = 1, 2 do
    local e = task.receive()
    print(e.sender == pair and "pair" or "other", (e.parameter:gsub("%d%d%d+", "TID")))
  end
  -- A normal end does nothing.
  local normal = task.spawn("run", "finish")
  task.link(normal)
  sleep(0.01)
  print("still here", task.waiting())
  -- Whoever traps exits is told.
  print("trap", task.trap_exits(true), task.trap_exits(true))
  local failing = task.spawn("run", "fail", "for the trap")
  task.link(failing)
  local e = task.receive()
  print(e.what, e.sender == failing, e.parameter)
  local waiting = task.spawn("run", "wait")
  print("unlink", task.link(waiting), task.unlink(waiting), task.unlink(waiting))
  task.kill(waiting)
  sleep(0)
  print("none", task.receive(0))
  print(pcall(task.link, task.self()))
  local c = task.spawn("run", "closing", task.self())
  sleep(0)
  task.kill(c)
  print(task.receive().what)
  task.trap_exits(false)
  task.link(failing)
  print("not reached", task.receive(1))
end

function T.linked(to)
  local other = task.spawn("run", "obey")
  task.link(other)
  task.send(to, "other", other)
  task.receive()
end

function T.obey() error(task.receive().what, 0) end

function T.names()
  print(task.register("boss"), task.whereis("boss") == task.self())
  local other = task.spawn("run", "claim", "boss", task.self())
  print((show(task.receive()):gsub("%d%d%d+", "TID")))
  task.spawn("run", "by_name", "boss")
  print(show(task.receive()))
  print(task.unregister("boss"), task.unregister("boss"), task.whereis("boss"))
  print(task.send("boss", "hello"))
  print(task.register(""), task.register(("x"):rep(256)))
  local gone = task.spawn("run", "claim", "short", task.self())
  print(show(task.receive()))
  sleep(0)
  print(task.whereis("short"))
end

function T.claim(name, to)
  local ok, err = task.register(name)
  task.send(to, "claimed", tostring(ok) .. " " .. tostring(err))
end

function T.by_name(name) task.send(name, "by name", name) end

function T.dies()
  print("before")
  task.kill(task.self())
  print("not reached")
end

function T.calls()
  print(IsTask(ThisTask()), IsTask(5), IsTask("x"), ParentTask() == nil)
  local child = Spawn("run", "child_call")
  print(SendEvent(child, "who", "you"))
  local input = ReadInput(1)
  print(type(input), input.what, input.sender == child, input.parameter)
  print(EventName(input), EventSender(input) == child, EventParameter(input), IsEvent(input), IsEvent("1"))
  print(ReadInput(1), ReadInput(1), ReadInput(0))
  print(SendEvent(child, "late"), (SendEvent(ThisTask(), "f", print)))
  print(IsTaskStoppedEvent("1"), IsTaskStoppedEvent(input))
end

function T.child_call()
  local event = ReadInput(5)
  SendEvent(ParentTask(), event.what, event.parameter)
  SendEvent(ParentTask(), "dtmf", "5")
  SendEvent(ParentTask(), "dtmf", "#")
end

function T.timers()
  local me = task.self()
  owner = "the task"
  timer.after(0.01, function(a, b) task.send(me, "after", a .. b .. " " .. owner .. " " .. tostring(task.self() == me)) end, 1, 2)
  print(show(task.receive(1)))
  local n = 0
  local every
  every = timer.every(0.002, function()
    n = n + 1
    task.send(me, "tick", n)
    if n == 3 then print("cancel", every:cancel(), every:cancel()) sleep(0.001) print("goes on") end
  end)
  for i = 1, 3 do print(show(task.receive(1))) end
  sleep(0.02)
  print("no more", task.receive(0), every:cancel())
  local never = timer.after(0.005, function() print("not reached") end)
  print(never:cancel(), never:cancel())
  timer.after(0.001, function() print(pcall(task.receive)) task.send(me, "done") end)
  task.receive(1)
  print(pcall(timer.after, -1, print))
  -- What is left ends with the task.
  timer.every(0.001, function() print("not reached either") end)
end

function T.light()
  local me = task.self()
  local t = ngx.thread.spawn(function()
    print("light", task.self() == me, (pcall(task.receive)))
    sleep(0.001)
    task.send(me, "from light")
    return "result"
  end)
  print(show(task.receive(1)), ngx.thread.wait(t))
end

return T
