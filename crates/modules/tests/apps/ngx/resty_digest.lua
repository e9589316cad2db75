-- resty.md5, resty.sha1 and so on, resty.hmac, resty.string.
local to_hex = require("resty.string").to_hex
for _, name in ipairs{ "md5", "sha1", "sha224", "sha256", "sha384", "sha512" } do
  local class = require("resty." .. name)
  local object = class:new()
  print(name, class._VERSION, type(object), object:update("hello, "), object:update("world"), to_hex(object:final()))
  print(object:update("x"), object:final(), object:reset(), to_hex(object:final()))
end
print(type(require "resty.sha"), require("resty.sha")._VERSION)

local md5 = require "resty.md5"
local object = md5:new()
print(object:update("hello world", 5), to_hex(object:final()) == ngx.md5("hello"))
object:reset()
print(object:update("hello", 0), object:update(12), to_hex(object:final()) == ngx.md5("12"))
object:reset()
print(pcall(function() object:update("hello", 6) end))
print(pcall(function() object:update("hello", -1) end))
print(pcall(function() object:update() end))
print(pcall(function() object.update("hello") end))
print(pcall(function() object.update({}, "hello") end))
print(pcall(function() object.update({ _ctx = require("resty.sha1"):new()._ctx }, "hello") end))
print(pcall(function() object:update(("x"):rep(16 * 1024 * 1024 + 1)) end))
print(getmetatable(object).__index == md5)

-- In pieces, at once: the same.
local sha512, text = require "resty.sha512", ("0123456789"):rep(1000)
local a, b = sha512:new(), sha512:new()
a:update(text)
for i = 1, #text, 77 do b:update(text:sub(i, i + 76)) end
print(a:final() == b:final())

-- More objects than the app has memory for do not live at a time.
for i = 1, 200000 do md5:new() end
print(pcall(function()
  local all = {}
  for i = 1, 1000000 do all[i] = sha512:new() end
end))

local hmac = require "resty.hmac"
for _, name in ipairs{ "MD5", "SHA1", "SHA256", "SHA384", "SHA512" } do
  local object = hmac:new("a key", hmac.ALGOS[name])
  print(name, object:update("hello, "), object:final("world", true))
  print(object:update("x"), object:final(), object:reset(), to_hex(object:final("hello, world")))
end
print(hmac:new(("k"):rep(200)):final("m", true), hmac:new(""):final(nil, true), #hmac:new("k"):final("m", "true"))
object = hmac:new("k", hmac.ALGOS.SHA1)
object:update("forgotten")
object:reset()
print(object:final("m") == ngx.hmac_sha1("k", "m"))
print(pcall(function() hmac:new("k", "sha1") end))
print(pcall(function() hmac:new("k", require("resty.sha1"):new()._ctx) end))
print(pcall(function() hmac:new(nil) end))
print(pcall(function() object:final({}) end))

local str = require "resty.string"
print(str.to_hex("\0\1\254\255"), str.to_hex("") == "", str.atoi("0012"), str.atoi("-1"), str.atoi(""), str.atoi("1x"))
print(pcall(function() str.to_hex() end))
--> md5	0.17	table	true	true	e4d7f1b4ed2e42d15898f4b27b019da4
--> false	nil	true	d41d8cd98f00b204e9800998ecf8427e
--> sha1	0.17	table	true	true	b7e23ec29af22b0b4e41da31e868d57226121c84
--> false	nil	true	da39a3ee5e6b4b0d3255bfef95601890afd80709
--> sha224	0.17	table	true	true	6e1a93e32fb44081a401f3db3ef2e6e108b7bbeeb5705afdaf01fb27
--> false	nil	true	d14a028c2a3a2bc9476102bb288234c415a2b01f828ea62ac5b3e42f
--> sha256	0.17	table	true	true	09ca7e4eaa6e8ae9c7d261167129184883644d07dfba7cbfbc4c8a2e08360d5b
--> false	nil	true	e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
--> sha384	0.17	table	true	true	1fcdb6059ce05172a26bbe2a3ccc88ed5a8cd5fc53edfd9053304d429296a6da23b1cd9e5c9ed3bb34f00418a70cdb7e
--> false	nil	true	38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b
--> sha512	0.17	table	true	true	8710339dcb6814d0d9d2290ef422285c9322b7163951f9a0ca8f883d3305286f44139aa374848e4174f5aada663027e4548637b6d19894aec4fb6c46a139fbf9
--> false	nil	true	cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e
--> table	0.17
--> true	true
--> true	true	true
--> false	resty_digest.lua:17: bad argument #2 to 'update' (length out of range)
--> false	resty_digest.lua:18: bad argument #2 to 'update' (length out of range)
--> false	resty_digest.lua:19: bad argument #1 to 'update' (string expected, got nil)
--> false	resty_digest.lua:20: bad argument #1 to 'update' (table expected, got string)
--> false	resty_digest.lua:21: bad argument #1 to 'update' (an object of this module expected)
--> true
--> false	resty_digest.lua:23: bad argument #1 to 'update' (string longer than 16 MiB)
--> true
--> true
--> false	not enough memory
--> MD5	true	40defe9b47a958f4c7d731c12a1b4057
--> false	nil	true	40defe9b47a958f4c7d731c12a1b4057
--> SHA1	true	c0aa621d9b02d1e492d0c077886ba7dbff3bf40b
--> false	nil	true	c0aa621d9b02d1e492d0c077886ba7dbff3bf40b
--> SHA256	true	862ec4efad52dd000d0eaba7c9108b351d1b7700f77108fcbda6ba6ad2756900
--> false	nil	true	862ec4efad52dd000d0eaba7c9108b351d1b7700f77108fcbda6ba6ad2756900
--> SHA384	true	15d9060564be519dbaa394711e06b1d675466576c168ca8668494bfd8585cafd102a35f7a788f5078df257b45999bd2d
--> false	nil	true	15d9060564be519dbaa394711e06b1d675466576c168ca8668494bfd8585cafd102a35f7a788f5078df257b45999bd2d
--> SHA512	true	3599cfcdea8cea3ab100542018da5fc7393ea9e39645e2b4c164e7054761cc2b32e8a642e76bb43521788a4e3926b547ced6474ae74d24d2b092aca42a744e9b
--> false	nil	true	3599cfcdea8cea3ab100542018da5fc7393ea9e39645e2b4c164e7054761cc2b32e8a642e76bb43521788a4e3926b547ced6474ae74d24d2b092aca42a744e9b
--> a540332f0f34ebc0f5a4f42a3e8316d1	74e6f7298a9c2d168935f58c001bad88	16
--> true
--> false	resty_digest.lua:51: bad argument #2 to 'new' (userdata expected, got string)
--> false	resty_digest.lua:52: bad argument #2 to 'new' (the userdata is of another type)
--> false	resty_digest.lua:53: bad argument #1 to 'new' (string expected, got nil)
--> false	resty_digest.lua:54: bad argument #1 to 'final' (string expected, got table)
--> 0001feff	true	12	-1	-1	-1
--> false	resty_digest.lua:58: bad argument #1 to 'to_hex' (string expected, got nil)
