-- Protected calls: successes, errors with strings, tables and from natives, xpcall with a handler, nesting, cleanup by rethrow.
local n = tonumber((...)) or 350000

local function good(a, b) return a + b end
local function bad(kind)
  if kind == 1 then error("plain", 0)
  elseif kind == 2 then error({ code = 42 })
  elseif kind == 3 then return nil + 1
  else return string.rep() end
end
local function handler(e) return type(e) == "table" and e.code or #e end
local function nested(depth)
  if depth == 0 then error("deep", 0) end
  local ok, e = pcall(nested, depth - 1)
  if not ok then error(e, 0) end
end

local sum, failures = 0, 0
for i = 1, n do
  local ok, v = pcall(good, i, 1)
  if ok then sum = sum + v end
  ok, v = pcall(bad, i % 2 + 1)
  if not ok then failures = failures + 1 sum = sum + handler(v) end
  if i % 4 == 0 then
    ok = pcall(bad, i % 8 == 0 and 3 or 4)
    if not ok then failures = failures + 1 end
    ok, v = xpcall(bad, handler, 2)
    sum = sum + v
  end
  if i % 50 == 0 then
    ok, v = pcall(nested, 20)
    sum = sum + #v
  end
end
print(string.format("%d %d", sum, failures))
