-- GET /rooms/NAME?name=WHO, as a WebSocket: what the client says goes to the room, what the room says goes to the client.
local MOST_A_SECOND = 50

local room, name = request.params.room, request.query.name or ""
if not name:find("^[%w_%-]+$") or #name > 20 or #room > 40 then
  return 400, "a room has at most 40 characters; ?name= is at most 20 letters and digits"
end

local ws, why, status = request:upgrade{max_message = 4096, send_timeout = 5}
if not ws then return status, why end

local function join()
  return task.send("rooms", "join", {room = room, name = name})
end

if not join() then
  ws:close(1013, "try again")
  return
end

-- However this ends: the client leaves, it disappears, an error.
local leaves <close> = setmetatable({}, {__close = function() task.send("rooms", "leave", room) end})

local second, count = 0, 0
local function is_too_fast()
  local now = os.time()
  if now ~= second then second, count = now, 0 end
  count = count + 1
  return count > MOST_A_SECOND
end

while true do
  local kind, value = ws:next(30)
  if kind == "event" then
    -- Waits while the client is slow; what its mailbox cannot hold meanwhile is left out.
    if not ws:send(value.parameter) then break end
  elseif kind == "text" then
    if is_too_fast() then
      ws:close(1008, "too fast")
      break
    end
    if not task.send("rooms", "say", {room = room, text = value}) then
      ws:send{kind = "busy"}
    end
  elseif kind == "timeout" then
    join() -- if the rooms have been started again, they do not know us
  elseif kind == "closed" then
    break
  end
end
