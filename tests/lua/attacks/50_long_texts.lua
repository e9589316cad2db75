-- Work on long texts is charged: comparing, hashing, looking for numbers in them, joining them.
-- only: rille
-- expect: exit 70
-- attack: K
-- flags: --sandbox --max-memory 64MiB --max-instructions 200000000
-- timeout: 30 s
-- stress: skip, ends by its limits
local a = ("x"):rep(1 << 21)
local b = ("x"):rep(1 << 21)
local spaces = (" "):rep(1 << 21)
local t = {[a] = 1}
local ways = {
  function() return a == b end,
  function() return a < b end,
  function() return a <= b end,
  function() return rawequal(a, b) end,
  function() return t[b] end,
  function() return rawget(t, b) end,
  function() t[b] = 2 end,
  function() return t[a .. "y"] end,
  function() return tonumber(spaces) end,
  function() return tonumber(spaces, 10) end,
  function() return pcall(function() return spaces + 1 end) end,
  function() return math.type(spaces) end,
  function() return pcall(math.floor, spaces) end,
  function() return pcall(string.rep, "x", spaces) end,
  function() return pcall(error, a, 1) end,
  function() return tostring(a) end,
  function() return select("#", a) end,
  function() for i = spaces, 1 do end end,
  function() return a:sub(2) end,
  function() return a:byte(-1) end,
  function() return a:find(b, 1, true) end,
  function() return a:upper() .. a:lower() end,
  function() return utf8.len(a) end,
}
while true do
  for _, way in ipairs(ways) do pcall(way) end
end
