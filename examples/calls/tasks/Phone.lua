-- The simulated switch: one of these for each phone. The phone says `call NUMBER`, `dtmf DIGIT`, `say TEXT`, `hangup`.
local sock = ...
local me = ThisTask()

-- What the phone says comes as an event, so that this task waits for that and for its call at once.
sock:settimeout(24 * 3600 * 1000)
ngx.thread.spawn(function()
  local line
  repeat
    line = sock:receive()
  until not line or SendEvent(me, "line", line)
  SendEvent(me, "gone")
end)

local call, bridged   -- the task of its call; the phone that hears what is said

local function show(...) sock:send(table.concat({ ... }, " ") .. "\n") end

local says = {}

function says.call(number)
  if call then return show("busy") end
  local err
  call, err = Spawn("Main", { phone = me, headers = { number = number } })
  if not call then return show("failed", err) end
  task.monitor(call)
  show("ringing")
end

function says.dtmf(digit) if call then SendEvent(call, "dtmf", digit) end end

function says.say(text) if bridged then SendEvent(bridged, "voice", text) end end

function says.hangup() if call then SendEvent(call, "hangup") end end

local hears = {}

function hears.line(line)
  local word, rest = line:match("^(%S+)%s*(.-)%s*$")
  if not says[word] then return show("? call NUMBER, dtmf DIGIT, say TEXT, hangup") end
  says[word](rest)
end

function hears.voice(text) show("voice", text) end

function hears.switch(order)
  if order.action == "bridged" then
    bridged = order.argument
    return show("bridged")
  elseif order.action == "unbridged" then
    bridged = nil
  end
  show(order.action, order.argument)
end

hears["task-stopped"] = function(reason)
  call, bridged = nil, nil
  show("released", reason)
end

while true do
  local event = ReadInput()
  if event.what == "gone" then return says.hangup() end
  local hear = IsEvent(event) and hears[event.what]
  if hear then hear(event.parameter) end
end
