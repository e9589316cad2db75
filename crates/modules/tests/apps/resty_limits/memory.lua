-- What the host holds for a script counts as the script's memory: keys, derivations, texts of JSON in the making.
local pkey = require "resty.openssl.pkey"
local pem = require("lib.keys").rsa
local function fill(make)
  local kept = {}
  local ok, err = pcall(function()
    for i = 1, 2000 do kept[i] = assert(make(i)) end
  end)
  local count = #kept
  kept = nil
  return ok, err, count
end
local ok, err, count = fill(function() return pkey.new(pem) end)
print(ok, err, count > 50 and count < 600)
collectgarbage()
local deep = {}
for i = 1, 50000 do deep[i] = "some text of an element" end
local cjson = require "cjson"
ok, err = fill(function() return cjson.encode(deep) end)
print(ok, err)
--> false	not enough memory	true
--> false	not enough memory
