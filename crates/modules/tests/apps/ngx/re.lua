-- ngx.re: expectations from lua-nginx-module's documentation and lua-resty-core's sources; patterns themselves are compared with PCRE
-- in src/ngx/re/corpus.txt. Differs: where the position in raised errors points, and empty matches in UTF-8 go on by a character.
local match, find, gmatch, sub, gsub = ngx.re.match, ngx.re.find, ngx.re.gmatch, ngx.re.sub, ngx.re.gsub
local function show(m, err)
  if not m then return print(m, err) end
  local keys = {}
  for k in pairs(m) do keys[#keys + 1] = k end
  table.sort(keys, function(a, b) return (type(a) .. a) < (type(b) .. b) end)
  for i, k in ipairs(keys) do
    local v = m[k]
    if type(v) == "table" then v = "{" .. table.concat(v, ",") .. "}" end
    keys[i] = k .. "=" .. tostring(v)
  end
  print(table.concat(keys, " "))
end

-- match: the documentation's examples.
show(match("hello, 1234", "[0-9]+"))
show(match("hello, 1234", "([0-9])[0-9]+"))
show(match("hello, 1234", "([0-9])(?<remaining>[0-9]+)"))
show(match("hello, world", "(world)|(hello)|(?<named>howdy)"))
show(match("hello, world", "(?<named>\\w+), (?<named>\\w+)", "D"))
show(match("hello, world", "HEL LO", "ix"))
show(match("hello, 美好生活", "HELLO, (.{2})", "iu"))
local ctx = {}
show(match("1234, hello", "[0-9]+", "", ctx)) print(ctx.pos)
ctx = {pos = 2}
show(match("1234, hello", "[0-9]+", "", ctx)) print(ctx.pos)
show(match("1234, hello", "[a-c]+", "", ctx)) print(ctx.pos)
print(select("#", match("a", "b")))

-- A lexer.
ctx = {pos = 1}
local text, tokens = "foo = 42 + bar", {}
while true do
  local m = match(text, [[\s*(?:(\d+)|(\w+)|([=+]))]], "ajo", ctx)
  if not m then break end
  tokens[#tokens + 1] = m[1] and "n" .. m[1] or m[2] and "w" .. m[2] or m[3]
end
print(table.concat(tokens, " "), ctx.pos)

-- ctx.pos out of the subject, and odd ones.
for _, pos in ipairs({-5, 0, 1, 4, 5, 2.9}) do
  local m, err = match("abc", "\\w?", "", {pos = pos})
  print(pos, m and m[0], err)
end
print(pcall(match, "abc", "b", "", {pos = "x"}))

-- The caller's table for the result.
local res = {}
print(match("hello, world", "(h)", "jo", nil, res) == res)
show(res)

-- What is no string becomes one.
show(match(1234, "2(3)"))
show(match("a5b", 5))
show(match(nil, "n(i)l"))
show(match("true", "t", nil))
print(pcall(match, "a"))
print(pcall(match, "a", {}))
print(pcall(match, "a", "a", {}))
print(pcall(match, "a", "a", "oH"))
print(pcall(find, "a", "a", "oH"))
print(pcall(gmatch, "a", "a", "oH"))
print(pcall(sub, "a", "a", "a", "oH"))
print(pcall(gsub, "a", "a", function() end, "oH"))
print(pcall(gsub, "a", nil, "x"))

-- Errors.
print(match("hello", "(abc"))
print(match("hello", "[abc"))
print(match("hello", "a**b"))
print(find("hello", "(abc", "jo"))
print(gmatch("hello", "(abc"))
print(sub("hello", "(abc", ""))
print(gsub("hello", "(abc", ""))
print(gsub("hello", "(abc", function() end))
print(match("hello", "(?R)"))
print(match("\255", ".", "u"))
print(match("x\255", ".", "U")[0])
print(match("é", ".", "u", {pos = 2}))
print(match("hello", "\195", "u"))
print(match("ab", "(a)\\1", "d"))

-- The longest match.
print(match("foobar", "foo|foobar", "d")[0], match("foobar", "foo|foobar")[0])
show(match("foobar", "(foo|foobar)", "d"))

-- Bytes.
print(match("a\0b", "a\\x00b")[0] == "a\0b", match("a\0b", "a\0b")[0] == "a\0b")
print(#match("\xff\xfe", "..")[0], match("É", "é", "i"), match("É", "é", "iu")[0])

-- find
local s = "hello, 1234"
print(find(s, "([0-9]+)", "jo"))
print(find(s, "([0-9])([0-9]+)", "jo", nil, 2))
print(find(s, "([0-9])([0-9]+)", "jo", nil, 3))
print(find(s, "([0-9])([0-9]+)", "jo", nil, -1))
print(find(s, "(x)?([0-9])", "jo", nil, 1))
print(find(s, "nope"))
print(select("#", find(s, "nope")), select("#", find(s, "(x)?h", "", nil, 1)))
ctx = {pos = 9}
print(find(s, "\\d", "jo", ctx)) print(ctx.pos)
print(find("", "")) print(find("abc", "$"))

-- gmatch
local it = gmatch("hello, world!", "([a-z]+)", "i")
print(it()[1], it()[1], it(), it())
for m in gmatch("a1b22", "([a-z])(\\d+)") do io = nil print(m[0], m[1], m[2]) end
local seen = {}
for m in gmatch("a,,b", "\\w*") do seen[#seen + 1] = "[" .. m[0] .. "]" end
print(table.concat(seen))
seen = {}
for m in gmatch("é,é", "x*", "u") do seen[#seen + 1] = "[" .. m[0] .. "]" end
print(table.concat(seen))
print(gmatch("x", "a")())

-- sub and gsub
print(sub("hello, 1234", "([0-9])[0-9]", "[$0][$1]"))
print(sub("hello, 1234", "[0-9]", "${0}00"))
print(sub("hello, 1234", "[0-9]", "$$"))
print(sub("hello, 1234", "( [0-9] ) [0-9]", function(m) return "[" .. m[0] .. "][" .. m[1] .. "]" end, "x"))
print(gsub("hello, world", "([a-z])[a-z]+", "[$0,$1]", "i"))
print(gsub("hello, world", "([a-z])[a-z]+", function(m) return "[" .. m[0] .. "," .. m[1] .. "]" end, "i"))
print(gsub("hello", "x", "y"))
print(gsub("hello", "x*", "-"))
print(gsub("hello", "x*", function() return "-" end))
print(gsub("abc", "b*", "-"))
print(gsub("日本", "", "-", "u"))
print(gsub("aXbX", "X", 7))
print(gsub("abc", "b", function() return "$0" end))
print(gsub("abc", "b", function() return nil end), (gsub("abc", "b", function() return false end)))
print(gsub("abc", "(x)?b", "<$1$2>"))
for _, template in ipairs({"$", "a$", "$name", "${name}", "${1", "${}", "$-"}) do print(gsub("a", "a", template)) end
print(pcall(gsub, "abc", "b", function() error("mine", 0) end))
print(gsub("aaa", "(?<=a)a", "b"))
print(gsub("a\nb\n", "^", "> ", "m"))

-- A replacement function may wait, and use ngx.re itself.
print(gsub("abc", "\\w", function(m)
  ngx.sleep(0.001)
  coroutine.wrap(function() ngx.sleep(0) end)()
  return (gsub(m[0], ".", "<$0>"))
end))

-- ngx.re, the module.
local re = require "ngx.re"
local function list(t, err) print(t and "[" .. table.concat(t, "|") .. "]", err) end
list(re.split("a,b,c,d", ","))
list(re.split("a,b,c,d", "(,)"))
list(re.split("a,b,c,d", ",", nil, nil, 3))
list(re.split("a,b,c,d", ",", nil, {pos = 3}))
list(re.split("a,b,,c,,", ","))
list(re.split("a,b,,c,,", ",", nil, nil, 10))
list(re.split(",a,b", ","))
list(re.split("abcd", ""))
list(re.split("abcd", "", nil, nil, 3))
list(re.split("", ","))
list(re.split("abc", "x"))
res = {1, 2, 3, 4, 5}
print(re.split("a1b22c", "\\d+", "jo", nil, nil, res) == res, res[1], res[2], res[3], res[4], res[5])
list(re.split("a1b22c", "(\\d)+"))
list(re.split("abc", "(?=b)"))
list(re.split("a", "("))
print(pcall(re.split, "a", "a", nil, nil, nil, 5))
print(re.opt("jit_stack_size", 65536))
print(pcall(re.opt, "other"))
--> 0=1234
--> 0=1234 1=1
--> 0=1234 1=1 2=234 remaining=234
--> 0=hello 1=false 2=hello 3=false named=false
--> 0=hello, world 1=hello 2=world named={hello,world}
--> 0=hello
--> 0=hello, 美好 1=美好
--> 0=1234
--> 5
--> 0=234
--> 5
--> nil	nil
--> 5
--> 1
--> wfoo = n42 + wbar	15
--> -5	a	nil
--> 0	a	nil
--> 1	a	nil
--> 4		nil
--> 5	nil	pcre_exec() failed: -24
--> 2.9	b	nil
--> false	[rille]:23: attempt to compare string with number
--> true
--> 0=h 1=h
--> 0=23 1=3
--> 0=5
--> 0=nil 1=i
--> 0=t
--> false	bad argument #2 to 'match' (string expected, got no value)
--> false	bad argument #2 to 'match' (string expected, got table)
--> false	bad argument #3 to 'match' (string expected, got table)
--> false	unknown flag "H" (flags "oH")
--> false	unknown flag "H" (flags "oH")
--> false	unknown flag "H" (flags "oH")
--> false	unknown flag "H" (flags "oH")
--> false	unknown flag "H" (flags "oH")
--> false	bad argument #2 to 'gsub' (string expected, got no value)
--> nil	pcre_compile() failed: missing ) in "(abc"
--> nil	pcre_compile() failed: missing terminating ] for character class in "[abc"
--> nil	pcre_compile() failed: nothing to repeat in "a**b" at "*b"
--> nil	nil	pcre_compile() failed: missing ) in "(abc"
--> nil	pcre_compile() failed: missing ) in "(abc"
--> nil	nil	pcre_compile() failed: missing ) in "(abc"
--> nil	nil	pcre_compile() failed: missing ) in "(abc"
--> nil	nil	pcre_compile() failed: missing ) in "(abc"
--> nil	pcre_compile() failed: recursion and subroutine calls are not supported in "(?R)" at ")"
--> nil	pcre_exec() failed: -10
--> x
--> nil	pcre_exec() failed: -11
--> nil	pcre_compile() failed: invalid UTF-8 string in \"\xc3\" at \"\xc3\"
--> nil	pcre_exec() failed: -16
--> foobar	foo
--> 0=foobar
--> true	true
--> 2	nil	É
--> 8	11
--> 9	11
--> nil	nil	nth out of bound
--> 8	11
--> nil	nil
--> nil
--> 1	2
--> 9	9
--> 10
--> 1	0
--> 4	3
--> hello	world	nil	nil
--> a1	a	1
--> b22	b	22
--> [a][][][b][]
--> [][][][]
--> nil
--> hello, [12][1]34	1
--> hello, 100234	1
--> hello, $234	1
--> hello, [12][1]34	1
--> [hello,h], [world,w]	2
--> [hello,h], [world,w]	2
--> hello	0
--> -h-e-l-l-o-	6
--> -h-e-l-l-o-	6
--> -a--c-	4
--> -日-本-	3
--> a7b7	2
--> a$0c	1
--> anilc	afalsec
--> a<>c	1
--> nil	nil	failed to compile the replacement template
--> nil	nil	failed to compile the replacement template
--> nil	nil	failed to compile the replacement template
--> nil	nil	failed to compile the replacement template
--> nil	nil	failed to compile the replacement template
--> nil	nil	failed to compile the replacement template
--> nil	nil	failed to compile the replacement template
--> false	mine
--> abb	2
--> > a\n> b\n	2
--> <a><b><c>	3
--> [a|b|c|d]	nil
--> [a|,|b|,|c|,|d]	nil
--> [a|b|c,d]	nil
--> [b|c|d]	nil
--> [a|b||c]	nil
--> [a|b||c||]	nil
--> [|a|b]	nil
--> [a|b|c|d]	nil
--> [a|b|cd]	nil
--> []	nil
--> [abc]	nil
--> true	a	b	c	nil	5
--> [a|1|b|2|c]	nil
--> [a|bc]	nil
--> nil	pcre_compile() failed: missing ) in "("
--> false	res is not a table
--> 
--> false	unrecognized option name
