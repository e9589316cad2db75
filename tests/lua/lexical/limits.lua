-- What a function may hold, and how too much of it is refused.
local function result(source)
  local f, message = load(source, "=src")
  if f then print("ok") else print((message:gsub("%s+", " "))) end
end
local function locals(n)
  local t = {}
  for i = 1, n do t[i] = "x" .. i end
  return "local " .. table.concat(t, ", ")
end
result(locals(200))
result(locals(201))
local function upvalues(n)
  local out, names, per = {}, {}, 150
  for i = 1, n do names[i] = "u" .. i end
  for i = 1, n, per do
    out[#out + 1] = "local " .. table.concat(names, ", ", i, math.min(i + per - 1, n))
    out[#out + 1] = "local function level" .. i .. "()"
  end
  out[#out + 1] = "return function() local x x = " .. table.concat(names, " x = ") .. " end"
  for _ = 1, n, per do out[#out + 1] = "end" end
  return table.concat(out, "\n")
end
result(upvalues(250))
result(upvalues(300))
-- Many constants, a large constructor, a long concatenation chain, a long else-if chain: all fine.
local t = {}
for i = 1, 70000 do t[i] = i .. ".5" end
local f = assert(load("return {" .. table.concat(t, ",") .. "}"))
local big = f()
print(#big, big[1], big[300], big[65537], big[70000])
print(#assert(load("return " .. ("'ab' .. "):rep(150) .. "'c'"))())
local arms = {"local x = ... if x == 0 then return 0"}
for i = 1, 2000 do arms[#arms + 1] = ("elseif x == %d then return %d"):format(i, i * 2) end
arms[#arms + 1] = "end"
local chain = assert(load(table.concat(arms, "\n")))
print(chain(0), chain(1), chain(1234), chain(2000), chain(2001))
-- Nesting is limited with a message, never a crash.
for _, open in ipairs {"(", "{", "- ", "not ", "x(", "x[", "function() return "} do
  local f, message = load("return " .. open:rep(100000) .. "1")
  print(f, #message > 10)
end
local f, message = load(("do "):rep(100000) .. ("end "):rep(100000))
print(f, message:find("overflow", 1, true) ~= nil)
local deep = ("("):rep(150) .. "1" .. (")"):rep(150)
print(assert(load("return " .. deep))())
--> ok
--> src:1: too many local variables (limit is 200) in main function near <eof>
--> ok
--> src:5: too many upvalues (limit is 255) in function at line 4 near 'x'
--> 70000	1.5	300.5	65537.5	70000.5
--> 301
--> 0	2	2468	4000
--> nil	true
--> nil	true
--> nil	true
--> nil	true
--> nil	true
--> nil	true
--> nil	true
--> nil	true
--> 1
