-- `..` in loops: short and growing operands, numbers among them, chains of several operands.
local n = tonumber((...)) or 60000

local function short()
  local total = 0
  for i = 1, n * 10 do
    local s = "key" .. i % 100 .. ":" .. i % 7
    total = total + #s
  end
  return total
end

local function growing()
  local total = 0
  for round = 1, n / 1000 do
    local s = ""
    for i = 1, 2000 do s = s .. "ab" end
    total = total + #s
  end
  return total
end

local function framed()
  local total = 0
  for i = 1, n * 2 do
    local line = "<" .. "tag" .. " id='" .. i .. "' class='" .. (i % 3 == 0 and "odd" or "even") .. "'>" .. "text" .. "</tag>"
    total = total + #line
  end
  return total
end

print(string.format("%d %d %d", short(), growing(), framed()))
