-- Where an operation's line is, how long texts are cut in messages, and what ends a statement.
-- dialect: 5.1
print(pcall(function()
  return {} +
    1
end))
print(pcall(function()
  local t = {}
  return t.x.y ..
    t
end))
print(pcall(function()
  return -
    {}
end))
print(pcall(function()
  local t = {}
  return (t.x).y *
    (t.z)
end))
local long = "return return " .. ("x"):rep(30)
print(loadstring(long)) print(loadstring(long .. ("y"):rep(40))) print(pcall(loadstring("local a = nil + 1 -- " .. ("x"):rep(30))))
print(loadstring("x = = 1\nx", "@" .. ("f"):rep(71))) print(loadstring("x = = 1", "@" .. ("f"):rep(75))) print(loadstring("x = =", "=" .. ("n"):rep(90)))
print(loadstring("while true do break x = 1 end")) print(loadstring("while true do break; end") ~= nil) print(loadstring("while true do break ; ; end"))
print(loadstring("a() = 1")) print(loadstring("a(), b = 1")) print(loadstring("(a) = 1"))
print(loadstring("return 0x7ffunction")) print(loadstring("return 1..2")) print(loadstring("return 3e+x"))
print(pcall(function() return "x" < coroutine.create(function() end) end)) print(pcall(function() return {} < 1 end))
--> false	dialects/5.1/lines.lua:5: attempt to perform arithmetic on a table value
--> false	dialects/5.1/lines.lua:9: attempt to index field 'x' (a nil value)
--> false	dialects/5.1/lines.lua:14: attempt to perform arithmetic on a table value
--> false	dialects/5.1/lines.lua:18: attempt to index field 'x' (a nil value)
--> nil	[string "return return xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]:1: unexpected symbol near 'return'
--> nil	[string "return return xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxyyyyyyyyyyyyyyyyyyy..."]:1: unexpected symbol near 'return'
--> false	[string "local a = nil + 1 -- xxxxxxxxxxxxxxxxxxxxxx..."]:1: attempt to perform arithmetic on a nil value
--> nil	fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff:1: unexpected symbol near '='
--> nil	...ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff:1: unexpected symbol near '='
--> nil	nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn:1: unexpected symbol near '='
--> nil	[string "while true do break x = 1 end"]:1: 'end' expected near 'x'
--> true
--> nil	[string "while true do break ; ; end"]:1: 'end' expected near ';'
--> nil	[string "a() = 1"]:1: unexpected symbol near '='
--> nil	[string "a(), b = 1"]:1: unexpected symbol near ','
--> nil	[string "(a) = 1"]:1: syntax error near '='
--> nil	[string "return 0x7ffunction"]:1: malformed number near '0x7ffunction'
--> nil	[string "return 1..2"]:1: malformed number near '1..2'
--> nil	[string "return 3e+x"]:1: malformed number near '3e+x'
--> false	dialects/5.1/lines.lua:27: attempt to compare two string values
--> false	dialects/5.1/lines.lua:27: attempt to compare table with number
