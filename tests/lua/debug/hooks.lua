-- Hooks on calls, lines and counts.
-- flags: --strict
local lines = {} debug.sethook(function(e, l) lines[#lines + 1] = l end, "l")
local x = 1
x = x + 1
debug.sethook() print(#lines >= 3, debug.gethook()) local calls = 0 local function f() end
debug.sethook(function(e) if e == "call" or e == "tail call" then calls = calls + 1 end end, "c")
f() f() debug.sethook() print(calls >= 2) local counts = 0
debug.sethook(function() counts = counts + 1 end, "", 100) for i = 1, 10000 do end
debug.sethook() print(counts > 10)
print(pcall(function() debug.sethook(function() error("from hook", 0) end, "", 10) for i = 1, 1000 do end end))
debug.sethook()
--> true	nil
--> true
--> true
--> false	from hook
