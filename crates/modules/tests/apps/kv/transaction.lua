-- Transactions.
for _, entry in ipairs((kv.list(""))) do kv.delete(entry.key) end

kv.set("a", 100) kv.set("b", 0)
local function move(amount)
  return kv.transaction(function(tx)
    local a = tx:get("a")
    if a < amount then error("not enough", 0) end
    tx:set("a", a - amount)
    tx:incr("b", amount)
    return "moved", tx:get("a"), tx:get("b")
  end)
end
print(move(30))
print(pcall(move, 1000))
print(kv.get("a"), kv.get("b"))
print(kv.transaction(function() end))
print(kv.transaction(function(tx, ...) return ... end, 1, nil, 3, nil))
print(select(2, pcall(kv.transaction, function() error({ code = 7 }) end)).code)

-- Its own writes are seen inside and by nobody else until the end.
print(kv.transaction(function(tx)
  tx:set("c", { 1 })
  local c = tx:get("c")
  c[1] = 2
  tx:delete("b")
  return tx:get("c")[1], c[1], tx:get("b"), kv.get("c"), kv.get("b")
end))
print(kv.get("c")[1], kv.get("b"))

-- Many at once: each is run again until nobody has been in between.
kv.set("n", 0)
local runs, threads = 0, {}
for i = 1, 20 do
  threads[i] = ngx.thread.spawn(function()
    return kv.transaction(function(tx)
      runs = runs + 1
      local n = tx:get("n")
      sleep(0.001)
      tx:set("n", n + 1)
    end)
  end)
end
for i = 1, 20 do assert(ngx.thread.wait(threads[i])) end
print(kv.get("n"), runs > 20)

-- A conflict is seen inside too: no `b` of another time than `a`.
kv.set("x", 1) kv.set("y", 1)
local tries = 0
print(kv.transaction(function(tx)
  tries = tries + 1
  local x = tx:get("x")
  if tries == 1 then kv.set("x", 2) end
  local again = tx:get("x")
  return x, again
end), tries)
-- Also if the function catches it.
tries = 0
print(kv.transaction(function(tx)
  tries = tries + 1
  tx:get("x")
  if tries == 1 then kv.set("x", 3) end
  local ok, value = pcall(tx.get, tx, "x")
  return ok, value
end), tries)
-- An error that is due to what has changed meanwhile is none.
tries = 0
print(kv.transaction(function(tx)
  tries = tries + 1
  tx:get("x")
  if tries == 1 then kv.set("x", 4) error("wrong") end
  return "right"
end), tries)
-- One that always comes too late gives up.
tries = 0
print(kv.transaction(function(tx)
  tries = tries + 1
  tx:get("x")
  kv.incr("x")
end))
print(tries)
-- What is absent is read too.
tries = 0
print(kv.transaction(function(tx)
  tries = tries + 1
  local value = tx:get("new")
  if tries == 1 then kv.set("new", 1) end
  return value
end), tries)

-- incr keeps the time of what is there.
kv.set("t", 1, 100)
kv.transaction(function(tx) tx:incr("t") tx:incr("t") tx:incr("u", 5, 10, 100) tx:set("v", 1, 100) end)
print(kv.get("t"), kv.ttl("t") > 90, kv.get("u"), kv.ttl("u") > 90, kv.ttl("v") > 90)
print(kv.transaction(function(tx) return tx:incr("c") end))

-- Limits, and misuse.
print(kv.transaction(function(tx) for i = 1, 1001 do tx:set("k" .. i, 1) end end))
print(kv.get("k1"))
print(kv.transaction(function(tx) for i = 1, 1001 do tx:get("k" .. i) end end))
print(kv.transaction(function(tx) for i = 1, 5 do tx:set("k" .. i, ("x"):rep(1000000)) end end))
print(kv.transaction(function(tx) tx:set("k", ("x"):rep(1100000)) end))
print(kv.transaction(function(tx) pcall(tx.set, tx, "k", ("x"):rep(1100000)) return "caught" end))
print(kv.transaction(function(tx) tx:set("", 1) end))
print(kv.transaction(function(tx) tx:get(("k"):rep(1025)) end))
print(pcall(kv.transaction, function(tx) tx:get() end))
print(pcall(kv.transaction, function(tx) tx:set({}, 1) end))
print(pcall(kv.transaction, function(tx) tx:set("k", print) end))
print(pcall(kv.transaction, function(tx) tx:set("k", 1, -1) end))
print(pcall(kv.transaction, function(tx) tx:set("k", 1, {}) end))
print(pcall(kv.transaction, function(tx) tx:incr("k", {}) end))
print(pcall(kv.transaction, function(tx) tx:incr("k", 1, "x") end))
print(pcall(kv.transaction, function(tx) tx:incr("k", 1, 1, 0 / 0) end))
print(pcall(kv.transaction, function(tx) tx.get("k") end))
local kept
kv.transaction(function(tx) kept = tx end)
print(pcall(kept.get, kept, "a"))
print(getmetatable(kept))
--> moved	70	30
--> false	not enough
--> 70	30
--> true
--> 1	nil	3	nil
--> 7
--> 1	2	nil	nil	30
--> 1	nil
--> 20	true
--> 2	2
--> true	2
--> right	2
--> nil	conflict
--> 100
--> 1	2
--> 3	true	15	true	true
--> nil	not a number
--> nil	transaction too large
--> nil
--> nil	transaction too large
--> nil	transaction too large
--> nil	value too long
--> nil	value too long
--> nil	empty key
--> nil	key too long
--> false	transaction.lua:106: bad argument #1 to 'get' (string expected, got no value)
--> false	transaction.lua:107: bad argument #1 to 'set' (string expected, got table)
--> false	transaction.lua:108: bad argument #2 to 'set' (string, number, boolean or table expected, got function)
--> false	transaction.lua:109: bad argument #3 to 'set' (seconds from 0 expected)
--> false	transaction.lua:110: bad argument #3 to 'set' (seconds from 0 expected)
--> false	transaction.lua:111: bad argument #2 to 'incr' (number expected, got table)
--> false	transaction.lua:112: bad argument #3 to 'incr' (number expected, got string)
--> false	transaction.lua:113: bad argument #4 to 'incr' (seconds from 0 expected)
--> false	transaction.lua:114: not a transaction that is running
--> false	not a transaction that is running
--> false
