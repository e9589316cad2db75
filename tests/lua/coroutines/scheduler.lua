-- A round-robin scheduler with channels: many coroutines, transfers of control in every direction.
local ready, log = {}, {}
local function spawn(f, ...) local co = coroutine.create(f) ready[#ready + 1] = {co, ...} return co end
local function channel() return {queue = {}, waiting = {}} end
local function send(ch, v) ch.queue[#ch.queue + 1] = v if #ch.waiting > 0 then ready[#ready + 1] = {table.remove(ch.waiting, 1)} end end
local function receive(ch) while #ch.queue == 0 do coroutine.yield(ch) end return table.remove(ch.queue, 1) end
local function run()
  while #ready > 0 do
    local task = table.remove(ready, 1)
    local ok, wait = coroutine.resume(table.unpack(task))
    if not ok then log[#log + 1] = "error " .. tostring(wait)
    elseif coroutine.status(task[1]) ~= "dead" then
      if wait then wait.waiting[#wait.waiting + 1] = task[1] else ready[#ready + 1] = {task[1]} end
    end
  end
end
local numbers, squares = channel(), channel()
spawn(function() for i = 1, 5 do send(numbers, i) coroutine.yield() end send(numbers, "stop") end)
spawn(function() while true do local n = receive(numbers) if n == "stop" then send(squares, n) return end send(squares, n * n) end end)
spawn(function() while true do local s = receive(squares) if s == "stop" then return end log[#log + 1] = s end end)
spawn(function() coroutine.yield() error("one fails, others go on", 0) end)
for i = 1, 100 do spawn(function(n) for _ = 1, n % 5 do coroutine.yield() end end, i) end
run()
print(table.concat(log, " "))
-- Ten thousand coroutines alive at once.
local all = {}
for i = 1, 10000 do all[i] = coroutine.wrap(function(a) local s = a while true do s = s + coroutine.yield(s) end end) all[i](i) end
local sum = 0
for round = 1, 3 do for i = 1, 10000 do sum = sum + all[i](1) end end
print(sum)
--> 1 error one fails, others go on 4 9 16 25
--> 150075000
