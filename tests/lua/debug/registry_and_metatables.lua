-- The registry, uservalues of what is no userdata, and metatables of any value.
print(type(debug.getregistry()), debug.getmetatable("").__index == string, debug.getuservalue(5), pcall(debug.setuservalue, {}, 1))
print(debug.setmetatable({}, nil) ~= nil, pcall(debug.setmetatable, {}, 5))
--> table	true	nil	false	bad argument #1 to 'debug.setuservalue' (userdata expected, got table)
--> true	false	bad argument #2 to 'debug.setmetatable' (nil or table expected, got number)
