-- A dictionary coder in the manner of LZ78: substrings as table keys, growing prefixes, and back again.
local n = tonumber((...)) or 22

local function compress(text)
  local dictionary, size = {}, 256
  for i = 0, 255 do dictionary[string.char(i)] = i end
  local codes, prefix = {}, ""
  for i = 1, #text do
    local c = text:sub(i, i)
    local longer = prefix .. c
    if dictionary[longer] then
      prefix = longer
    else
      codes[#codes + 1] = dictionary[prefix]
      dictionary[longer] = size
      size = size + 1
      prefix = c
    end
  end
  codes[#codes + 1] = dictionary[prefix]
  return codes
end

local function expand(codes)
  local dictionary, size = {}, 256
  for i = 0, 255 do dictionary[i] = string.char(i) end
  local previous = dictionary[codes[1]]
  local out = { previous }
  for i = 2, #codes do
    local code = codes[i]
    local entry = dictionary[code] or previous .. previous:sub(1, 1)
    out[#out + 1] = entry
    dictionary[size] = previous .. entry:sub(1, 1)
    size = size + 1
    previous = entry
  end
  return table.concat(out)
end

local seed = 42
local function random(limit)
  seed = seed * 16807 % 2147483647
  return seed % limit + 1
end
local words = { "host", "guest", "table", "string", "thread", "nil", "value", "loop" }
local parts = {}
for i = 1, 9000 do parts[i] = words[random(#words)] end
local text = table.concat(parts, " ")

local total = 0
for round = 1, n do
  local codes = compress(text)
  total = total + #codes
  assert(expand(codes) == text)
end
print(string.format("%d %d", #text, total))
