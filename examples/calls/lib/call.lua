-- The names of call control that the runtime does not have, over its mailboxes. Each task has its own instance of this module, so what is
-- local here is one call's.
--
-- Functions that can fail return nil, or why they did.
local call = {}

-- Seconds that a file takes.
local files = { greeting = 3, wrong = 0.2, wait = 0.2, sorry = 0.2, left = 0.2 }

local phone              -- the task of the phone
local headers = {}
local is_connected = false
local interrupts = true  -- whether DTMF ends what is being played
local bridge             -- the task that this call is bridged with
local asked              -- the one that it has asked for a bridge
local queue = {}         -- events that came while something else was waited for

local function now()
  ngx.update_time()
  return ngx.now()
end

-- The phone may have gone: then nobody needs to be told.
local function tell(action, argument) SendEvent(phone, "switch", { action = action, argument = argument }) end

local function leave_bridge()
  task.demonitor(bridge)
  bridge = nil
  tell("unbridged")
end

-- What an event means for this call; nil: nothing any more.
local function understand(event)
  local is_stop = IsTaskStoppedEvent(event)
  if event.sender == phone and (event.what == "hangup" or is_stop) then
    call.BreakBridge()
    is_connected = false
    return { what = "disconnected", sender = phone }
  elseif bridge and event.sender == bridge and (event.what == "bridge-broken" or is_stop) then
    leave_bridge()
    return { what = "bridge-broken", sender = event.sender, parameter = event.parameter }
  elseif is_stop or event.what == "bridge-broken" or event.what == "bridge-accepted" or event.what == "bridge-rejected" then
    -- Of a bridge that is over; unless it is the answer that is waited for.
    return event.sender == asked and event or nil
  end
  return event
end

local function next_event(seconds)
  local ends = seconds and now() + seconds
  while true do
    local event = task.receive(ends and math.max(ends - now(), 0))
    if not event then return nil end
    event = understand(event)
    if event then return event end
  end
end

-- Takes the call that `Main` was given.
function call.Begin(incoming)
  phone, headers = incoming.phone, incoming.headers
  task.monitor(phone)
end

function call.PendingRequestData(header) return headers[header] end

function call.AcceptCall()
  is_connected = true
  tell("connected")
end

function call.RejectCall(code) tell("rejected", code) end

function call.Disconnect()
  if not is_connected then return "not connected" end
  call.BreakBridge()
  is_connected = false
  tell("disconnected")
end

function call.IsConnected() return is_connected end

function call.IsDisconnectEvent(event) return IsEvent(event) and event.what == "disconnected" end

-- A digit, an event, or nil when the time is over.
function call.ReadInput(seconds)
  local event = table.remove(queue, 1) or next_event(seconds)
  if event and event.what == "dtmf" then return event.parameter end
  return event
end

-- Media -----------------------------------------------------------------------------------------

function call.SetInterruptOnDTMF(on) interrupts = on end

-- Plays a file, or its first milliseconds. A digit, any other event and a hang-up end it; ReadInput gives what it was.
function call.PlayFile(name, milliseconds)
  local length = files[name]
  if not length then return "there is no file '" .. name .. "'" end
  if not is_connected then return "not connected" end
  if #queue > 0 then return end
  if milliseconds then length = math.min(length, milliseconds / 1000) end
  tell("play", name)
  local ends = now() + length
  while true do
    local event = next_event(math.max(ends - now(), 0))
    if not event then return tell("played", name) end
    queue[#queue + 1] = event
    if event.what ~= "dtmf" or interrupts then return tell("stopped", name) end
  end
end

-- Bridges ---------------------------------------------------------------------------------------

function call.IsBridged() return bridge ~= nil end

function call.IsStartBridgeEvent(event) return IsEvent(event) and event.what == "bridge-start" end

function call.IsBreakBridgeEvent(event) return IsEvent(event) and event.what == "bridge-broken" end

local function bridged(peer, its_phone)
  bridge = peer
  tell("bridged", its_phone)
end

-- Asks the task of another call for a bridge, and waits for its answer.
function call.StartBridge(peer, seconds)
  if bridge then return "bridged already" end
  asked = peer
  task.monitor(peer)
  local err = SendEvent(peer, "bridge-start", phone)
  local ends = now() + (seconds or 30)
  while not err do
    local event = next_event(math.max(ends - now(), 0))
    if not event then
      -- It may just be answering.
      SendEvent(peer, "bridge-broken", "too late")
      err = "no answer"
    elseif event.sender == peer and event.what == "bridge-accepted" then
      asked = nil
      return bridged(peer, event.parameter)
    elseif event.sender == peer and event.what == "bridge-rejected" then
      err = event.parameter
    elseif event.sender == peer and IsTaskStoppedEvent(event) then
      err = "the other call has ended"
    else
      queue[#queue + 1] = event
      if not is_connected then
        SendEvent(peer, "bridge-broken", "hung up")
        err = "not connected"
      end
    end
  end
  asked = nil
  task.demonitor(peer)
  return err
end

function call.AcceptBridge(event)
  if bridge then return call.RejectBridge(event, "bridged already") end
  task.monitor(event.sender)
  bridged(event.sender, event.parameter)
  return SendEvent(event.sender, "bridge-accepted", phone)
end

function call.RejectBridge(event, why) return SendEvent(event.sender, "bridge-rejected", why or "rejected") end

function call.BreakBridge()
  if not bridge then return "not bridged" end
  SendEvent(bridge, "bridge-broken", "the other side has left")
  leave_bridge()
end

return call
