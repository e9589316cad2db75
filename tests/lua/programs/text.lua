-- Word counts, wrapping, Levenshtein distances, run lengths, Caesar and base64: string handling end to end.
local text = [[The moon has channels cut into its surface. A channel is a rille; a rille is a channel.
Some are straight, some wind like rivers: nobody poured the water.]]
local counts, words = {}, {}
for w in text:lower():gmatch "%a+" do
  if not counts[w] then words[#words + 1] = w end
  counts[w] = (counts[w] or 0) + 1
end
table.sort(words, function(a, b) if counts[a] ~= counts[b] then return counts[a] > counts[b] end return a < b end)
for i = 1, 5 do io.write(words[i], "=", counts[words[i]], " ") end print(#words)
local function wrap(s, width)
  local lines, line = {}, ""
  for w in s:gmatch "%S+" do
    if #line + #w + 1 > width and line ~= "" then lines[#lines + 1] = line line = w
    else line = line == "" and w or line .. " " .. w end
  end
  lines[#lines + 1] = line
  return lines
end
for _, l in ipairs(wrap(text, 30)) do print(("|%-30s|"):format(l)) end
local function distance(a, b)
  local previous = {}
  for j = 0, #b do previous[j] = j end
  for i = 1, #a do
    local current = {[0] = i}
    for j = 1, #b do
      local change = a:byte(i) == b:byte(j) and 0 or 1
      current[j] = math.min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + change)
    end
    previous = current
  end
  return previous[#b]
end
print(distance("kitten", "sitting"), distance("", "abc"), distance("same", "same"), distance("channel", "rille"))
local function runs(s) return (s:gsub("((.)%2*)", function(run, c) return #run .. c end)) end
local function unruns(s) return (s:gsub("(%d+)(%D)", function(n, c) return c:rep(tonumber(n)) end)) end
print(runs "aaabccdddd", unruns(runs "aaabccdddd"))
local function caesar(s, k)
  return (s:gsub("%a", function(c)
    local base = c:match "%l" and 97 or 65
    return string.char((c:byte() - base + k) % 26 + base)
  end))
end
print(caesar("Hello, World", 3), caesar(caesar("Hello, World", 3), -3))
local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local function base64(s)
  local padding = (3 - #s % 3) % 3
  local out = (s .. ("\0"):rep(padding)):gsub("(.)(.)(.)", function(a, b, c)
    local n = a:byte() << 16 | b:byte() << 8 | c:byte()
    local r = ""
    for shift = 18, 0, -6 do local i = (n >> shift & 63) + 1 r = r .. alphabet:sub(i, i) end
    return r
  end)
  return out:sub(1, #out - padding) .. ("="):rep(padding)
end
local function unbase64(s)
  local values = {}
  for i = 1, 64 do values[alphabet:byte(i)] = i - 1 end
  local bits, n, out = 0, 0, {}
  for c in s:gmatch "[^=]" do
    bits, n = bits << 6 | values[c:byte()], n + 6
    if n >= 8 then n = n - 8 out[#out + 1] = string.char(bits >> n & 255) end
  end
  return table.concat(out)
end
for _, s in ipairs {"", "f", "fo", "foo", "foobar", "\0\255\128"} do print(base64(s), unbase64(base64(s)) == s) end
--> a=4 channel=2 is=2 rille=2 some=2 21
--> |The moon has channels cut into|
--> |its surface. A channel is a   |
--> |rille; a rille is a channel.  |
--> |Some are straight, some wind  |
--> |like rivers: nobody poured the|
--> |water.                        |
--> 3	3	0	6
--> aaabccdddd	aaabccdddd
--> Khoor, Zruog	Hello, World
--> 	true
--> Zg==	true
--> Zm8=	true
--> Zm9v	true
--> Zm9vYmFy	true
--> AP+A	true
