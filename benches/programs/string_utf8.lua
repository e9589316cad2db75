-- needs: 5.3
-- The utf8 library: char, codepoint, codes, len, offset and charpattern over text of one to four bytes a character.
local n = tonumber((...)) or 200

local parts = {}
for i = 1, 3000 do
  local kind = i % 4
  local code = kind == 0 and 0x41 + i % 26 or kind == 1 and 0x3b1 + i % 24 or kind == 2 and 0x4e00 + i or 0x1f600 + i % 60
  parts[i] = utf8.char(code)
end
local text = table.concat(parts)

local sum = 0
for round = 1, n do
  for _, code in utf8.codes(text) do sum = sum + code end
  sum = sum + utf8.len(text) + utf8.len(text, utf8.offset(text, 100))
  for i = 1, 3000, 100 do
    sum = sum + utf8.codepoint(text, utf8.offset(text, i))
  end
  for char in text:gmatch(utf8.charpattern) do sum = sum + #char end
  local back = {}
  for position, code in utf8.codes(text) do back[#back + 1] = utf8.char(code + position % 2) end
  sum = sum + #table.concat(back)
end
print(sum, #text)
