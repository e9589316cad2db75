-- Texts by byte: byte, char, sub, a rotating cipher, palindromes, run lengths.
local n = tonumber((...)) or 150

local text = string.rep("The quick brown fox jumps over the lazy dog. ", 60)

local function rotate(s, by)
  local out = {}
  for i = 1, #s do
    local b = s:byte(i)
    if b >= 97 and b <= 122 then b = (b - 97 + by) % 26 + 97 end
    out[i] = string.char(b)
  end
  return table.concat(out)
end

local function vowels(s)
  local count = 0
  for i = 1, #s do
    local c = s:sub(i, i)
    if c == "a" or c == "e" or c == "i" or c == "o" or c == "u" then count = count + 1 end
  end
  return count
end

local function is_palindrome(s)
  local i, j = 1, #s
  while i < j do
    if s:byte(i) ~= s:byte(j) then return false end
    i, j = i + 1, j - 1
  end
  return true
end

local function run_lengths(s)
  local runs, i = 0, 1
  while i <= #s do
    local c, j = s:sub(i, i), i
    while s:sub(j, j) == c do j = j + 1 end
    runs, i = runs + 1, j
  end
  return runs
end

local mirrored = text .. text:reverse()
local check = 0
for round = 1, n do
  local turned = rotate(text, round % 26)
  check = check + vowels(turned) + run_lengths(turned)
  if is_palindrome(mirrored) then check = check + 1 end
  for i = 1, #text - 8, 8 do
    local a, b, c, d = turned:byte(i, i + 3)
    check = check + a - b + c - d + #string.char(a, b, c, d, a, b)
  end
end
print(string.format("%d", check))
