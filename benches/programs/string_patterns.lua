-- Patterns: find plain and not, match with captures, gmatch, gsub with string, table and function.
local n = tonumber((...)) or 60

local lines = {}
for i = 1, 200 do
  lines[i] = string.format("user%d = %d ; comment number %d, see file_%d.txt", i, i * i, i, i % 17)
end
local text = table.concat(lines, "\n")

local counts = { 0, 0, 0, 0, 0, 0 }
local names = setmetatable({}, { __index = function(_, name) return name == "file_3" and "FILE" or nil end })
for round = 1, n do
  for name, value in text:gmatch("(%w+)%s*=%s*(%d+)") do
    counts[1] = counts[1] + #name + #value
  end
  for word in text:gmatch("%a+") do counts[2] = counts[2] + #word end
  local replaced, times = text:gsub("%d+", "<%0>")
  counts[3] = counts[3] + #replaced + times
  replaced, times = text:gsub("%w+_%d", names)
  counts[4] = counts[4] + #replaced + times
  replaced = text:gsub("(%w+) = (%d+)", function(name, value) return value .. "=" .. name end)
  counts[5] = counts[5] + #replaced
  for _, line in ipairs(lines) do
    if line:find("number 1", 1, true) then counts[6] = counts[6] + 1 end
    if line:find("^user%d+ = %d-5 ;") then counts[6] = counts[6] + 1 end
    local key, rest = line:match("^(.-)%s*;%s*(.*)$")
    counts[6] = counts[6] + #key + #rest
    if line:match("%f[%a]see%f[%A]") then counts[6] = counts[6] + 1 end
  end
end
print(string.format("%d %d %d %d %d %d", (table.unpack or unpack)(counts)))
