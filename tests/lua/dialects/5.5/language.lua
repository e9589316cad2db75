-- Read-only loop variables, attributes in front, limits and messages of the compiler.
-- dialect: 5.5
local function check(text)
  local f, message = load(text, "=c")
  if not f then print(message) return end
  print(pcall(f))
end
check "for i = 1, 2 do i = 3 end"
check "for k, v in pairs{} do k = 1 end"
check "for k, v in pairs{1} do v = 2; return v end"
check "for i = 1, 2 do local function f() i = 1 end end"
check "local <const> a, b = 1, 2; a = 3"
check "local <const> a, b <close> = 1, nil; return a, b"
check "local <close> a, b = nil, nil"
check "local <close> a = 5"
check "local a <const>, b = 1, 2; b = 3; return b"
check "local <const> a = 5; return a + 1"
check "break"
check "while true do local function f() break end end"
check "::a:: ::a::"
check "do ::a:: end goto a"
check "goto l; do ::l:: end"
check("return " .. ("1,"):rep(254) .. "1")
check("return select('#', " .. ("1,"):rep(240) .. "1)")
check("local " .. ("a,"):rep(200) .. "a")
local many = {}
for i = 1, 250 do many[i] = "local c" .. i .. " <const> = " .. i end
check(table.concat(many, "\n") .. "\nreturn c250")
print(pcall(error))
print(pcall(error, nil))
print(xpcall(error, function(m) return m end))
print(select("#", pcall(coroutine.wrap(function() error() end))))
local closed = setmetatable({}, {__close = function(...) print("closed with", select("#", ...)) end})
do local x <close> = closed end
pcall(function() local x <close> = closed; error("e", 0) end)
print(0.1, 1/3, 1e15, 123456789012345.6, -0.0, 1e100, 2^53, 3.14)
print(_VERSION)
--> c:1: attempt to assign to const variable 'i'
--> c:1: attempt to assign to const variable 'k'
--> true	2
--> c:1: attempt to assign to const variable 'i'
--> c:1: attempt to assign to const variable 'a'
--> true	1	nil
--> c:1: multiple to-be-closed variables in local list
--> false	c:1: variable 'a' got a non-closable value
--> true	3
--> true	6
--> c:1: break outside loop near 'break'
--> c:1: break outside loop near 'break'
--> c:1: label 'a' already defined on line 1
--> c:1: no visible label 'a' for <goto> at line 1
--> c:1: no visible label 'l' for <goto> at line 1
--> c:1: too many returns (limit is 255) in main function near <eof>
--> true	241
--> c:1: too many local variables (limit is 200) in main function near <eof>
--> true	250
--> false	<no error object>
--> false	<no error object>
--> false	<no error object>
--> 2
--> closed with	1
--> closed with	2
--> 0.1	0.33333333333333331	1e+15	123456789012345.59	-0.0	1e+100	9007199254740992.0	3.14
--> Lua 5.5
