-- The rooms: a task that knows who is in which room, and passes on what is said there. The members are requests, on any worker.
local MOST_ROOMS, MOST_MEMBERS, HISTORY = 1000, 1000, 20

local rooms, count = {}, 0

local function tell(room, message)
  for member in pairs(room.members) do
    -- A mailbox that is full, or has gone, is its member's affair.
    task.send(member, "chat", message)
  end
end

local function enter(name)
  local room = rooms[name]
  if not room and count < MOST_ROOMS then
    room = {members = {}, count = 0, history = {}}
    rooms[name], count = room, count + 1
  end
  return room
end

local on = {}

function on.join(member, asked)
  local room = enter(asked.room)
  if not room or (not room.members[member] and room.count >= MOST_MEMBERS) then
    return task.send(member, "chat", {kind = "full"})
  end
  if room.members[member] then return end
  room.members[member], room.count = asked.name, room.count + 1
  for _, message in ipairs(room.history) do task.send(member, "chat", message) end
  tell(room, {kind = "joined", name = asked.name, members = room.count})
end

function on.leave(member, name)
  local room = rooms[name]
  if not room or not room.members[member] then return end
  local who = room.members[member]
  room.members[member], room.count = nil, room.count - 1
  if room.count == 0 then
    rooms[name], count = nil, count - 1
  else
    tell(room, {kind = "left", name = who, members = room.count})
  end
end

function on.say(member, said)
  local room = rooms[said.room]
  if not room or not room.members[member] then return end
  local message = {kind = "said", name = room.members[member], text = said.text}
  local history = room.history
  history[#history + 1] = message
  if #history > HISTORY then table.remove(history, 1) end
  tell(room, message)
end

return function()
  task.register("rooms")
  while true do
    local event = task.receive()
    local f = on[event.what]
    if f then f(event.sender, event.parameter) end
  end
end
