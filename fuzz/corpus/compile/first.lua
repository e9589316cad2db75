module("m", package.seeall)
local t = { n = table.getn({ 1, 2 }), "a", ["k"] = 3 }
function t.f(a, ...) local n = arg.n if n == 0 then return else return unpack(arg) end end
for k, v in pairs(t) do print(k, v) if not v then break end end
while true do local f = loadstring("return 1") setfenv(f, {}) break end
repeat local x = 5 % 3 ^ 2 until x ~= 1
--[[ long
comment ]] return t.f(1, nil), #t, -t.n, "\065\
", [[
long]]
