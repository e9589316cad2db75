-- Control flow: `goto continue` in nested loops, break, a state machine of gotos, numeric for with steps, long if chains.
local n = tonumber((...)) or 1000

local count = 0
for i = 1, n * 2 do
  for j = 1, n do
    if (i + j) % 3 == 0 then goto continue end
    if j > i then break end
    count = count + 1
    ::continue::
  end
end

local function scan(text)
  local at, words, numbers = 1, 0, 0
  ::start::
  do
    local b = text:byte(at)
    if not b then goto finish end
    at = at + 1
    if b >= 48 and b <= 57 then goto number end
    if b >= 97 and b <= 122 then goto word end
    goto start
  end
  ::number::
  do
    local b = text:byte(at)
    if b and b >= 48 and b <= 57 then at = at + 1 goto number end
    numbers = numbers + 1
    goto start
  end
  ::word::
  do
    local b = text:byte(at)
    if b and b >= 97 and b <= 122 then at = at + 1 goto word end
    words = words + 1
    goto start
  end
  ::finish::
  return words * 1000 + numbers
end
local sum = 0
local text = ("abc 123 de45 f 6 ghi"):rep(20, " ")
for i = 1, n do sum = sum + scan(text) end

local function grade(v)
  if v < 10 then return 1 elseif v < 20 then return 2 elseif v < 30 then return 3 elseif v < 40 then return 4
  elseif v < 50 then return 5 elseif v < 60 then return 6 elseif v < 70 then return 7 else return 8 end
end
for i = n * 1000, 1, -1 do
  local low, high = i % 80, (i + 40) % 80
  if not (low < 5 and high > 40) or low == high then sum = sum + grade(low) end
  sum = sum + (low > high and 1 or 0)
end
print(string.format("%d %d", count, sum))
