-- The ffi module loads, takes declarations, and refuses the rest with one message.
-- dialect: 5.1
-- only: rille
local ok, ffi = pcall(require, "ffi") print(ok, type(ffi)) ffi.cdef [[ typedef struct { int x; } point; int printf(const char *fmt, ...); ]]
local point, C = ffi.typeof("point"), ffi.C local P = ffi.metatype("point", {__index = {}}) print(tostring(point), type(C), ffi.istype(point, {}), ffi.abi("le"), ffi.abi("gc64"), type(ffi.os), type(ffi.arch))
print(pcall(ffi.new, "int[?]", 10)) print(pcall(ffi.load, "z")) print(pcall(function() return ffi.C.printf end)) print(pcall(function() return C.x end)) print(pcall(point, 1)) print(pcall(P)) for _, name in ipairs{"cast", "sizeof", "offsetof", "alignof", "copy", "fill", "string", "gc", "errno", "addressof"} do assert(not pcall(ffi[name], 1)) end
print(pcall(ffi.cdef)) print(pcall(function() C.x = 1 end)) print(getmetatable(C), require "ffi" == ffi)
-- The way libraries choose: a fast one, and one for everybody.
local function concat(list) local fast, buffer = pcall(ffi.new, "char[?]", 10) if fast then return "ffi" end return table.concat(list) end print(concat{"pure", " Lua"})
--> true	table
--> ctype<?>	table	false	true	false	string	string
--> false	'ffi.new' is not available: this Lua has no C data and no C functions
--> false	'ffi.load' is not available: this Lua has no C data and no C functions
--> false	dialects/5.1/ffi_stub.lua:6: missing declaration for symbol 'printf': this Lua has no C data and no C functions
--> false	dialects/5.1/ffi_stub.lua:6: missing declaration for symbol 'x': this Lua has no C data and no C functions
--> false	'ffi.new' is not available: this Lua has no C data and no C functions
--> false	'ffi.new' is not available: this Lua has no C data and no C functions
--> false	bad argument #1 to '?' (string expected, got no value)
--> false	dialects/5.1/ffi_stub.lua:7: missing declaration for symbol 'x': this Lua has no C data and no C functions
--> ffi	true
--> pure Lua
