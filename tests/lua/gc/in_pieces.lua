-- What a program may rely on at any moment of a collection, which goes on in pieces while it runs: what is alive is in all weak
-- tables or in none, finalizers see their objects whole, stacks and captured variables keep what they hold.
-- timeout: 60 s
local ROUNDS = ROUNDS or 60000
local random = 1
local function below(n)
  random = (random * 1103515245 + 12345) % 2147483648
  return random // 65536 % n
end

-- An object by its number, data by object, the object by itself: all or nothing.
local by_id = setmetatable({}, { __mode = "v" })
local data = setmetatable({}, { __mode = "k" })
local self = setmetatable({}, { __mode = "kv" })
local listed = setmetatable({}, { __mode = "v" })
local strong = {}
local finalized, resurrected = 0, {}
local meta = {}
function meta.__gc(o)
  finalized = finalized + 1
  -- Its number leads to no object, or to its successor; its data is there as long as it is.
  assert(by_id[o.id] ~= o)
  assert(data[o].owner == o.id and data[o].note == "note " .. o.id)
  if below(20) == 0 then
    resurrected[below(50) + 1] = o
  end
end

local made = 0
local function object(id)
  local o = by_id[id]
  if not o then
    made = made + 1
    o = { id = id, inner = { id } }
    if below(4) == 0 then setmetatable(o, meta) end
    by_id[id] = o
    data[o] = { owner = id, note = "note " .. id, back = o }
    self[o] = o
    listed[below(100) + 1] = o
  end
  return o
end

local function check(o, id)
  assert(o.id == id and o.inner[1] == id)
  assert(data[o].owner == id and data[o].back == o)
  assert(self[o] == o)
end

-- Captured variables that several closures share, closed and open, and coroutines that are dropped.
local counters = {}
local function counter(first)
  local n = { first }
  local function up() n = { n[1] + 1 } return n[1] end
  local function get() return n[1] end
  return up, get
end
local workers = {}
local function worker(id)
  return coroutine.wrap(function()
    local mine = object(id)
    local last
    local function share() return mine, last end
    counters[id % 40 + 1] = share
    while true do
      last = { id, mine }
      coroutine.yield(mine)
      check(mine, id)
      assert(last[2] == mine)
    end
  end)
end

local function deep(n, o)
  local here = { o }
  if n > 0 then
    local below_here = deep(n - 1, o)
    assert(below_here[1] == o)
  end
  return here
end

for round = 1, ROUNDS do
  local id = below(700)
  local o = object(id)
  check(o, id)
  if round % 3 == 0 then strong[below(300) + 1] = o end
  if round % 5 == 0 then strong[below(300) + 1] = nil end
  if round % 7 == 0 then
    local slot = below(60) + 1
    workers[slot] = workers[slot] or worker(id)
    local got = workers[slot]()
    check(got, got.id)
    if below(4) == 0 then workers[slot] = nil end
  end
  if round % 11 == 0 then
    local share = counters[below(40) + 1]
    if share then
      local mine, last = share()
      check(mine, mine.id)
      assert(last[2] == mine)
    end
  end
  if round % 501 == 0 then
    for k, v in pairs(by_id) do
      assert(v.id == k)
      check(v, k)
      if below(50) == 0 then by_id[k] = nil end
    end
    for k, v in pairs(data) do assert(k.id == v.owner) end
    for k, v in pairs(self) do assert(k == v) check(v, v.id) end
    for i = 1, 100 do
      local v = listed[i]
      if v then assert(v.inner[1] == v.id) end
    end
    for k in pairs(by_id) do by_id[k] = nil end
    deep(below(2000), o)
    check(o, id)
    object(id)
  end
  if round % 1009 == 0 then
    local up, get = counter(round)
    for _ = 1, 10 do up() end
    assert(get() == round + 10)
  end
end
for i, o in pairs(resurrected) do assert(o.inner[1] == o.id and i <= 50) end

-- A chain through an ephemeron table is as long as what it hangs on.
local chain = setmetatable({}, { __mode = "k" })
local first = {}
do
  local at = first
  for i = 1, 2000 do
    local following = { i }
    chain[at] = following
    at = following
  end
end
collectgarbage()
local length, at = 0, first
while chain[at] do length, at = length + 1, chain[at] end
print(length)
first, at = nil, nil
collectgarbage()
collectgarbage()
print(next(chain))

strong, workers, counters = {}, {}, {}
collectgarbage()
collectgarbage()
print(next(by_id), next(self), made > 1000, finalized > 100)
--> 2000
--> nil
--> nil	nil	true	true
