-- The call flow. `Main` runs as a task of its own for each incoming call; a bug in one of them ends that call only.
local call = require "lib.call"

-- Until one of the two leaves.
local function talk()
  while call.IsBridged() do
    local input = call.ReadInput()
    if input == "#" then call.BreakBridge() end
  end
  if call.IsConnected() then call.PlayFile("left") end
end

-- The first who comes to a meeting waits there for the second.
local function meet(name)
  local meeting = "meeting:" .. name
  if not task.register(meeting) then
    local host = task.whereis(meeting)
    if not host or call.StartBridge(host) then return call.PlayFile("sorry") end
    return talk()
  end
  call.PlayFile("wait")
  while call.IsConnected() do
    local input = call.ReadInput()
    if call.IsStartBridgeEvent(input) then
      task.unregister(meeting)
      call.AcceptBridge(input)
      return talk()
    elseif input == "#" then
      break
    end
  end
  task.unregister(meeting)
end

function Main(incoming)
  call.Begin(incoming)
  if call.PendingRequestData("number") == "900" then return call.RejectCall(403) end
  call.AcceptCall()
  call.PlayFile("greeting")
  while call.IsConnected() do
    local input = call.ReadInput(20)
    if input == "1" then
      meet("lobby")
    elseif input == "9" then
      error("nobody has tested this key")
    elseif input == "0" or input == nil then
      call.Disconnect()
    elseif call.IsStartBridgeEvent(input) then
      call.RejectBridge(input, "not in a meeting")
    elseif type(input) == "string" then
      call.PlayFile("wrong")
    end
  end
end
