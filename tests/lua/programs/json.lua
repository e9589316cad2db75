-- A JSON encoder and a recursive-descent decoder, there and back.
local escapes = {['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r"}
local function encode(v)
  local kind = type(v)
  if kind == "string" then
    return '"' .. v:gsub('[%c"\\]', function(c) return escapes[c] or ("\\u%04x"):format(c:byte()) end) .. '"'
  elseif kind == "table" then
    local out = {}
    if #v > 0 or next(v) == nil then
      for i, item in ipairs(v) do out[i] = encode(item) end
      return "[" .. table.concat(out, ",") .. "]"
    end
    local keys = {}
    for k in pairs(v) do keys[#keys + 1] = k end
    table.sort(keys)
    for i, k in ipairs(keys) do out[i] = encode(k) .. ":" .. encode(v[k]) end
    return "{" .. table.concat(out, ",") .. "}"
  end
  return tostring(v)
end
local function decode(text)
  local at = 1
  local value
  local function fail(what) error(("%s at %d"):format(what, at), 0) end
  local function skip() at = text:find("%S", at) or #text + 1 end
  local function expect(s)
    if text:sub(at, at + #s - 1) ~= s then fail("expected " .. s) end
    at = at + #s
  end
  local function str()
    expect '"'
    local parts = {}
    while true do
      local plain, stop = text:match('^([^"\\]*)(["\\])', at)
      if not plain then fail "unfinished string" end
      parts[#parts + 1] = plain
      at = at + #plain + 1
      if stop == '"' then return table.concat(parts) end
      local c = text:sub(at, at)
      if c == "u" then
        parts[#parts + 1] = utf8.char(tonumber(text:sub(at + 1, at + 4), 16))
        at = at + 5
      else
        parts[#parts + 1] = ({n = "\n", t = "\t", r = "\r"})[c] or c
        at = at + 1
      end
    end
  end
  local function sequence(open, close, item)
    expect(open) skip()
    local out = {}
    if text:sub(at, at) == close then at = at + 1 return out end
    repeat
      item(out) skip()
      local c = text:sub(at, at)
      at = at + 1
      if c ~= "," and c ~= close then at = at - 1 fail("expected , or " .. close) end
    until c == close
    return out
  end
  function value()
    skip()
    local c = text:sub(at, at)
    if c == "{" then return sequence("{", "}", function(o) skip() local k = str() skip() expect ":" o[k] = value() end)
    elseif c == "[" then return sequence("[", "]", function(o) o[#o + 1] = value() end)
    elseif c == '"' then return str()
    elseif c == "t" then expect "true" return true
    elseif c == "f" then expect "false" return false
    elseif c == "n" then expect "null" return nil end
    local n = text:match("^-?%d+%.?%d*[eE]?[+-]?%d*", at) or fail "unexpected character"
    at = at + #n
    return tonumber(n)
  end
  local v = value()
  skip()
  if at <= #text then fail "trailing text" end
  return v
end
local text = ' {"name" : "Rille \\u263e", "n": [1, 2.5, -3e2, true, false], "nested": {"empty": [], "q": "a\\"b\\\\c\\n"}} '
local v = decode(text)
print(encode(v)) print(v.name, #v.n, v.n[3], v.nested.q)
print(encode(decode(encode(v))) == encode(v))
for _, bad in ipairs {"[1,", "{\"a\" 1}", '"open', "tru", "[1] x", "{1:2}"} do print(pcall(decode, bad)) end
local deep = ("["):rep(150) .. ("]"):rep(150)
print(encode(decode(deep)) == deep)
local list = {}
for i = 1, 500 do list[i] = {id = i, name = "item " .. i, tags = {"a", "b"}} end
print(#encode(list), decode(encode(list))[500].name)
--> {"n":[1,2.5,-300.0,true,false],"name":"Rille ☾","nested":{"empty":[],"q":"a\"b\\c\n"}}
--> Rille ☾	5	-300.0	a"b\c
-->
--> true
--> false	unexpected character at 4
--> false	expected : at 6
--> false	unfinished string at 2
--> false	expected true at 1
--> false	trailing text at 5
--> false	expected " at 2
--> true
--> 22785	item 500
