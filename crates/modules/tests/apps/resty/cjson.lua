-- cjson and cjson.safe. The lines are those of lua-cjson 2.1.0 under lua5.1, up to where settings begin that OpenResty's has added; it also
-- writes NaN and Infinity in full, and names what it was called by.
local cjson = require "cjson"
local safe = require "cjson.safe"
local function try(f, ...) return select(2, pcall(f, ...)) end

-- Values as text.
print(cjson.encode({ 1, 2.5, true, false, "x", cjson.null, ngx.null }))
print(cjson.encode({ a = 1 }), cjson.encode({}), cjson.encode({ {} }), cjson.encode(cjson.null), cjson.encode(nil))
print(cjson.encode('a"b\\c/d\b\f\n\r\t\1\127\195\169\255' .. "\0") == [["a\"b\\c\/d\b\f\n\r\t\u0001\u007f]] .. "\195\169\255" .. [[\u0000"]])
print(cjson.encode({ 1, nil, 3 }), cjson.encode({ [3] = "c" }), cjson.encode({ 1, 2, x = 3 }) == '{"1":1,"2":2,"x":3}')
print(cjson.encode(1e15), cjson.encode({ [-1e15] = 1 }), cjson.encode(1e15 / 7), cjson.encode(10 / 2), cjson.encode(1e100), cjson.encode(-0.0), cjson.encode(0.1))
print(try(cjson.encode, print))
print(try(cjson.encode, { f = print }))
print(try(cjson.encode, { [true] = 1 }))
print(try(cjson.encode, { [1] = 1, [100] = 2 }))
print(try(cjson.encode, 0 / 0))
print(try(cjson.encode))
print(try(cjson.encode, 1, 2))
print(cjson.encode({ [1] = 1, [10] = 2 }))
local t = {} t[1] = t
print(try(cjson.encode, t))
print((pcall(function() cjson.encode(print) end)), try(function() cjson.encode(print) end))

-- Text as values.
local v = cjson.decode('{"a": [1, 2, {"b": null}], "c": "\\u00e9\\ud83d\\ude00\\/\\n", "d": true, "e": -1.5e2}')
print(v.a[1], v.a[2], v.a[3].b == cjson.null, v.a[3].b == ngx.null, v.c, v.d, v.e)
print(cjson.decode(" [ ] ")[1], cjson.decode("12"), cjson.decode('"x"'), cjson.decode("false"), tostring(cjson.decode("null")))
for _, text in ipairs({ "[1,", "[1 2]", '{"a" 1}', '{"a":1,}', "{1:2}", "[1]]", "", "tru", '"abc', '"\\x"', '"\\ud800"', "[1,]", "nul", "\0\0", "-", "[" }) do
  print(text, try(cjson.decode, text))
end
print(#cjson.decode("[0x1F, NaN, -inf, Infinity, 01, .5]" == "" and "[]" or "[0x1F, NaN, -inf, Infinity, 01]"))
print(try(cjson.decode, ("["):rep(1001)))
print(#cjson.encode(cjson.decode(("["):rep(1000) .. ("]"):rep(1000))))
print(try(cjson.decode), try(cjson.decode, {}))
print(cjson.decode(5))

-- The safe ones.
print(safe.encode(print))
print(safe.decode("{"))
print(safe.decode('{"a":1}').a, safe.encode({ 1 }))
print(safe._NAME, cjson._NAME)

-- Settings; a module of its own has its own.
local own = cjson.new()
print(own.encode_max_depth(2), own.encode_max_depth(), cjson.encode_max_depth())
print(try(own.encode, { { {} } }))
print(own.decode_max_depth(1), try(own.decode, "[[]]"))
print(own.encode_invalid_numbers(), own.encode_invalid_numbers(true), own.encode({ 1 / 0, -1 / 0, 0 / 0 }))
print(own.encode_invalid_numbers("null"), own.encode({ 1 / 0 }), own.encode_invalid_numbers("off"))
print(own.decode_invalid_numbers(false), try(own.decode, "[0x1]"), try(own.decode, "[01]"), try(own.decode, "[nan]"))
print(own.encode_number_precision(3), own.encode({ 1 / 3, 123456 }))
print(own.encode_sparse_array(), own.encode_sparse_array(true, 1, 3))
print(own.encode({ [1] = 1, [5] = 2 }) == '{"1":1,"5":2}' or own.encode({ [1] = 1, [5] = 2 }) == '{"5":2,"1":1}')
print(own.encode_keep_buffer(), own.encode_keep_buffer(false))
print(own.encode_empty_table_as_object(false), own.encode({}), own.encode_escape_forward_slash(false), own.encode("a/b"))
print(try(own.encode_max_depth, 0))
print(try(own.encode_number_precision, 18))
print(try(own.encode_max_depth, 1, 2))
print(try(own.encode_invalid_numbers, "perhaps"))
print(own.encode_skip_unsupported_value_types(true), own.encode_max_depth(10), own.encode({ print, 1, print, { 2, print } }), own.encode({ a = print }))
print(own.encode_indent("  "))
print(own.encode({ 1, { a = true }, {} }), try(own.encode_indent, (" "):rep(65)))
print(own.decode_allow_comment(true), own.decode("/* x */ [1, // y\n 2 /**/]")[2], try(own.decode, "[1 /* x"))

-- Arrays.
print(cjson.encode(cjson.empty_array), cjson.encode(setmetatable({}, cjson.array_mt)), cjson.encode(setmetatable({ 1, x = 2 }, cjson.array_mt)))
print(cjson.encode(setmetatable({}, cjson.empty_array_mt)), cjson.encode(setmetatable({ a = 1 }, cjson.empty_array_mt)))
own.decode_array_with_array_mt(true)
print(getmetatable(own.decode("[]")) == own.array_mt, getmetatable(own.decode("{}")), getmetatable(cjson.decode("[]")))

-- Many values are converted in steps.
local many = {}
for i = 1, 5000 do many[i] = { i, name = "n" .. i } end
local text = cjson.encode(many)
local back = cjson.decode(text)
print(#text == #cjson.encode(back), back[5000].name, back[4321]["1"])
-- What cannot be written is left out wherever a step ends.
own = cjson.new()
own.encode_skip_unsupported_value_types(true)
local holes = {}
for i = 1, 2999 do holes[i] = i % 3 == 0 and i or print end
local left = cjson.decode(own.encode(holes))
print(#left, left[1], left[999], own.encode({ holes, { print } }):sub(-9))
print((try(cjson.encode, ("x"):rep(17 * 1024 * 1024))))
--> [1,2.5,true,false,"x",null,null]
--> {"a":1}	{}	[{}]	null	null
--> true
--> [1,null,3]	[null,null,"c"]	true
--> 1e+15	{"-1e+15":1}	1.4285714285714e+14	5	1e+100	-0	0.1
--> Cannot serialise function: type not supported
--> Cannot serialise function: type not supported
--> Cannot serialise boolean: table key must be a number or string
--> Cannot serialise table: excessively sparse array
--> Cannot serialise number: must not be NaN or Infinity
--> bad argument #1 to 'encode' (expected 1 argument)
--> bad argument #1 to 'encode' (expected 1 argument)
--> [1,null,null,null,null,null,null,null,null,2]
--> Cannot serialise, excessive nesting (1001)
--> false	cjson.lua:23: Cannot serialise function: type not supported
--> 1	2	true	true	\xc3\xa9\xf0\x9f\x98\x80/\n	true	-150
--> nil	12	x	false	userdata: NULL
--> [1,	Expected value but found T_END at character 4
--> [1 2]	Expected comma or array end but found T_NUMBER at character 4
--> {"a" 1}	Expected colon but found T_NUMBER at character 6
--> {"a":1,}	Expected object key string but found T_OBJ_END at character 8
--> {1:2}	Expected object key string but found T_NUMBER at character 2
--> [1]]	Expected the end but found T_ARR_END at character 4
--> 	Expected value but found T_END at character 1
--> tru	Expected value but found invalid token at character 1
--> "abc	Expected value but found unexpected end of string at character 5
--> "\x"	Expected value but found invalid escape code at character 2
--> "\ud800"	Expected value but found invalid unicode escape code at character 2
--> [1,]	Expected value but found T_ARR_END at character 4
--> nul	Expected value but found invalid token at character 1
--> \x00\x00	JSON parser does not support UTF-16 or UTF-32
--> -	Expected value but found invalid number at character 1
--> [	Expected value but found T_END at character 2
--> 5
--> Found too many nested data structures (1001) at character 1001
--> 2000
--> bad argument #1 to 'decode' (expected 1 argument)	bad argument #1 to 'decode' (string expected, got table)
--> 5
--> nil	Cannot serialise function: type not supported
--> nil	Expected object key string but found T_END at character 2
--> 1	[1]
--> cjson	cjson
--> 2	2	1000
--> Cannot serialise, excessive nesting (3)
--> 1	Found too many nested data structures (2) at character 2
--> false	true	[Infinity,-Infinity,NaN]
--> null	[null]	false
--> false	Expected value but found invalid number at character 2	Expected value but found invalid number at character 2	Expected value but found invalid token at character 2
--> 3	[0.333,1.23e+05]
--> false	true	1	3
--> true
--> true	false
--> false	[]	false	"a/b"
--> bad argument #1 to '?' (expected integer between 1 and 100000)
--> bad argument #1 to '?' (expected integer between 1 and 17)
--> bad argument #2 to '?' (found too many arguments)
--> bad argument #1 to '?' (invalid option 'perhaps')
--> true	10	[1,[2]]	{}
-->   
--> [\n  1,\n  {\n    \"a\": true\n  },\n  []\n]	bad argument #1 to '?' (an indentation of at most 64 bytes expected)
--> true	2	Expected comma or array end but found unclosed comment at character 4
--> []	[]	[1]
--> []	{"a":1}
--> true	nil	nil
--> true	n5000	4321
--> 999	3	2997	2997],[]]
--> [cjson]:3: string longer than 16 MiB
