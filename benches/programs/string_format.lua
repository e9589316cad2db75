-- string.format of every common directive, tostring and tonumber.
local n = tonumber((...)) or 60000

local total = 0
for i = 1, n do
  local a = string.format("%d %5d %-8s|%s", i, i % 1000, "left", "right")
  local b = string.format("%.3f %10.2f %g", i / 7, i / 3, i / 4)
  local c = string.format("%x %X %o %c %%", i, i, i % 512, 65 + i % 26)
  local d = string.format("%q", "a \"quoted\" line\n" .. i)
  total = total + #a + #b + #c + #d
end

local sum = 0
for i = 1, n * 2 do
  local s = tostring(i)
  sum = sum + tonumber(s) + #s
  sum = sum + tonumber("0x1f") + tonumber("ff", 16) + tonumber("  12.5  ")
  if tonumber("12z") then sum = sum + 1 end
end
print(string.format("%d %.1f %s %s", total, sum, tostring(nil), tostring(true)))
