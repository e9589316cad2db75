-- Arguments of requests as tables and as text.
local function show(t)
  local names = {}
  for name in pairs(t) do names[#names + 1] = name end
  table.sort(names)
  local out = {}
  for i, name in ipairs(names) do
    local value = t[name]
    if type(value) == "table" then
      local list = {}
      for j, v in ipairs(value) do list[j] = type(v) .. ":" .. tostring(v) end
      value = "{" .. table.concat(list, ", ") .. "}"
    else
      value = type(value) .. ":" .. tostring(value)
    end
    out[i] = name .. " -> " .. value
  end
  return table.concat(out, "; ")
end
local function sorted(text)
  local parts = {}
  for part in text:gmatch("[^&]+") do parts[#parts + 1] = part end
  table.sort(parts)
  return table.concat(parts, "&")
end
local function decode(...)
  local t, err = ngx.decode_args(...)
  return show(t), err
end

print(decode("a=bar&b=foo"))
print(decode("a=1&b&c=&a=2&a&d=x%20y+z&%3D=%26"))
print(decode("=1&&=&e"))
print(decode("a=b=c&d==e"))
print(decode(""))
print(decode("a=1&b=2&c=3", 2))
print(decode("a=1&b=2", 2))
print(decode("a=1&b=2&", 2))
print(decode("&&a=1", 2))
local many = {}
for i = 1, 101 do many[i] = ("k%03d"):format(i) end
local t, err = ngx.decode_args(table.concat(many, "&"))
print(t.k100, t.k101, err)
t, err = ngx.decode_args(table.concat(many, "&"), 0)
print(t.k100, t.k101, err)
t, err = ngx.decode_args(table.concat(many, "&"), -1)
print(t.k101, err)
t, err = ngx.decode_args(("a&"):rep(100001), 0)
print(#t.a, err)
print(select("#", ngx.decode_args("a")), select("#", require("ngx.base64").decode_base64url("")))
print(pcall(ngx.decode_args))
print(pcall(function() return ngx.decode_args("a", 1, 2) end))
print(pcall(function() return ngx.decode_args(nil) end))
print(pcall(function() return ngx.decode_args("a", "x") end))
print(decode(12))

print(ngx.encode_args{ foo = 3 }, ngx.encode_args{ ["b r"] = "hello world" }, ngx.encode_args{ foo = true })
print(ngx.encode_args{ foo = { "bar", "baz", true, false, 7.5 } })
print(ngx.encode_args{ foo = false } == "", ngx.encode_args{} == "", ngx.encode_args{ foo = {} } == "")
print(sorted(ngx.encode_args{ a = 1, b = "&", c = true, d = false, e = { 1, 2 }, ["ü"] = 10 / 2 }))
print(sorted(ngx.encode_args{ [""] = true, x = 1 }), #ngx.encode_args{ [""] = true, x = 1 })
print(pcall(ngx.encode_args))
print(pcall(function() return ngx.encode_args("a=b") end))
print(pcall(function() return ngx.encode_args({}, 1) end))
print(pcall(function() return ngx.encode_args({ "a" }) end))
print(pcall(function() return ngx.encode_args({ a = print }) end))
print(pcall(function() return ngx.encode_args({ a = ngx.null }) end))
print(pcall(function() return ngx.encode_args({ a = { {} } }) end))
print(pcall(function() return ngx.encode_args({ a = { print } }) end))

-- There and back.
local t = { a = "1", b = { "x", true, "z&=" }, ["%"] = "\0\255", c = true }
print(show(ngx.decode_args(ngx.encode_args(t))) == show(t))

-- The most that is written.
local list = {}
for i = 1, 99999 do list[i] = i end
print(#ngx.encode_args{ n = list })
list[100000] = 1
print(pcall(function() return ngx.encode_args({ n = list }) end))
print(pcall(function() return ngx.encode_args({ [("n"):rep(1024 * 1024)] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17 } }) end))
--> a -> string:bar; b -> string:foo	nil
--> = -> string:&; a -> {string:1, string:2, boolean:true}; b -> boolean:true; c -> string:; d -> string:x y z	nil
--> e -> boolean:true	nil
--> a -> string:b=c; d -> string:=e	nil
--> 	nil
--> a -> string:1; b -> string:2	truncated
--> a -> string:1; b -> string:2	nil
--> a -> string:1; b -> string:2	truncated
--> 	truncated
--> true	nil	truncated
--> true	true	nil
--> true	nil
--> 100000	truncated
--> 1	1
--> false	expecting 1 or 2 arguments but seen 0
--> false	args.lua:52: expecting 1 or 2 arguments but seen 3
--> false	args.lua:53: bad argument #1 to 'decode_args' (string expected, got nil)
--> false	args.lua:54: bad argument #2 to 'decode_args' (number expected, got string)
--> 12 -> boolean:true	nil
--> foo=3	b%20r=hello%20world	foo
--> foo=bar&foo=baz&foo&foo=7.5
--> true	true	true
--> %C3%BC=5&a=1&b=%26&c&e=1&e=2
--> x=1	4
--> false	expecting 1 argument but seen 0
--> false	args.lua:63: bad argument #1 to 'encode_args' (table expected, got string)
--> false	args.lua:64: expecting 1 argument but seen 2
--> false	args.lua:65: attempt to use a non-string key in the "args" option table
--> false	args.lua:66: attempt to use function as query arg value
--> false	args.lua:67: attempt to use userdata as query arg value
--> false	args.lua:68: attempt to use table as query arg value
--> false	args.lua:69: attempt to use function as query arg value
--> true
--> 788885
--> false	args.lua:80: more than 100000 query args
--> false	args.lua:81: string longer than 16 MiB
