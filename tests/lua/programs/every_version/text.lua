-- Text: building, searching, replacing, a JSON writer and reader, an interpreter of its own; the same in every version of Lua.
local parts = {} for i = 1, 200 do parts[#parts + 1] = string.format("%d:%s:%5.2f", i, "item" .. string.format("%d", i), i / 3) end
local text = table.concat(parts, ",") local n = 0 for _ in text:gmatch("%d+:item") do n = n + 1 end print("items", string.format("%d %d", n, #text))
print("find", text:find("item10", 1, true) ~= nil, text:match("^(%d+):(%a+)"), (text:gsub("item", "x", 3)):sub(1, 30)) print("upper", ("Mixed Case"):upper(), ("Mixed Case"):lower(), ("abc"):rep(3), ("abc"):reverse(), ("%d"):len() == 2)
local escapes = {['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n"}
local function encode(v)
  if type(v) == "string" then return '"' .. v:gsub('[%c"\\]', function(c) return escapes[c] or string.format("\\u%04x", c:byte()) end) .. '"' end
  if type(v) == "number" then return (string.format("%.14g", v)) end
  if type(v) ~= "table" then return tostring(v) end
  local out = {}
  if #v > 0 then for i, x in ipairs(v) do out[i] = encode(x) end return "[" .. table.concat(out, ",") .. "]" end
  local keys = {} for k in pairs(v) do keys[#keys + 1] = k end table.sort(keys)
  for i, k in ipairs(keys) do out[i] = encode(k) .. ":" .. encode(v[k]) end
  return "{" .. table.concat(out, ",") .. "}"
end
local decode
local function skip(s, i) return s:find("%S", i) or #s + 1 end
function decode(s, i)
  i = skip(s, i or 1) local c = s:sub(i, i)
  if c == "{" or c == "[" then
    local out, close = {}, c == "{" and "}" or "]" i = skip(s, i + 1)
    while s:sub(i, i) ~= close do
      local k if close == "}" then k, i = decode(s, i) i = skip(s, i) + 1 end
      local v v, i = decode(s, i) out[k or #out + 1] = v i = skip(s, i) if s:sub(i, i) == "," then i = skip(s, i + 1) end
    end
    return out, i + 1
  elseif c == '"' then
    local j = i + 1 while s:sub(j, j) ~= '"' do j = j + (s:sub(j, j) == "\\" and 2 or 1) end
    return (s:sub(i + 1, j - 1):gsub("\\(.)", {n = "\n", ['"'] = '"', ["\\"] = "\\"})), j + 1
  end
  local word = s:match("^[%w%.%-%+]+", i) return word == "true" or (word ~= "false" and tonumber(word)), i + #word
end
local value = {name = 'quo"te\n', list = {1, 2.5, -3, {}}, deep = {a = {b = {c = true}}}, no = false} value.list[4] = nil
local once = encode(value) print("json", once, encode(decode(once)) == once)
local function compile(source)
  local out, depth = {"local out, t, p = {}, {}, 0\n"}, 0
  for op in source:gmatch(".") do
    if op == "+" then out[#out + 1] = "t[p] = ((t[p] or 0) + 1) % 256\n" elseif op == "-" then out[#out + 1] = "t[p] = ((t[p] or 0) - 1) % 256\n"
    elseif op == ">" then out[#out + 1] = "p = p + 1\n" elseif op == "<" then out[#out + 1] = "p = p - 1\n" elseif op == "." then out[#out + 1] = "out[#out + 1] = string.char(t[p] or 0)\n"
    elseif op == "[" then out[#out + 1] = "while (t[p] or 0) ~= 0 do\n" elseif op == "]" then out[#out + 1] = "end\n" end
  end
  out[#out + 1] = "return table.concat(out)" return (loadstring or load)(table.concat(out))
end
print("made", compile("++++++++[>++++[>++>+++>+++>+<<<<-]>+>+>->>+[<]<-]>>.>---.+++++++..+++.")())
local function calc(s)
  local at = 1
  local expr
  local function atom() at = skip(s, at) if s:sub(at, at) == "(" then at = at + 1 local v = expr() at = skip(s, at) + 1 return v end local num = s:match("^[%d%.]+", at) at = at + #num return tonumber(num) end
  local function term() local v = atom() while true do at = skip(s, at) local o = s:sub(at, at) if o == "*" then at = at + 1 v = v * atom() elseif o == "/" then at = at + 1 v = v / atom() else return v end end end
  function expr() local v = term() while true do at = skip(s, at) local o = s:sub(at, at) if o == "+" then at = at + 1 v = v + term() elseif o == "-" then at = at + 1 v = v - term() else return v end end end
  return expr()
end
print("calc", string.format("%g %g %g", calc("1 + 2 * 3"), calc("(1 + 2) * 3 - 4 / 8"), calc("2*(3+(4-1))*0.5")))
print("bytes", ("a\0b"):len() == 3, #"\0\0", ("\255"):byte() == 255, string.char(72, 105), ("x"):byte(5), ("%5s|%-5s|%05d|%x"):format("ab", "cd", 42, 255)) print("split", (("a,b,,c"):gsub("([^,]*),?", "[%1]", 4)))
--> items	200 3383
--> find	true	1	1:x1: 0.33,2:x2: 0.67,3:x3: 1.
--> upper	MIXED CASE	mixed case	abcabcabc	cba	true
--> json	{"deep":{"a":{"b":{"c":true}}},"list":[1,2.5,-3],"name":"quo\"te\n","no":false}	true
--> made	Hello
--> calc	7 8.5 6
--> bytes	true	2	true	Hi	nil	   ab|cd   |00042|ff
--> split	[a][b][][c]
