-- request: GET /uri_args?foo=bar&bar=baz&bar=blah
-- request: GET /uri_args?foo&bar
-- request: GET /uri_args?foo=&bar=
-- request: GET /uri_args?a%20b=1%61+2
-- request: GET /uri_args
local args, err = ngx.req.get_uri_args()
local keys = {}
for key in pairs(args) do keys[#keys + 1] = key end
table.sort(keys)
for _, key in ipairs(keys) do
  local value = args[key]
  if type(value) == "table" then
    ngx.say(key, ": ", table.concat(value, ", "))
  else
    ngx.say(key, ": ", value, " ", type(value))
  end
end
local few, why = ngx.req.get_uri_args(1)
local count = 0
for _ in pairs(few) do count = count + 1 end
ngx.say(count, " ", why, " ", err)
--> 200
--> bar: baz, blah
--> foo: bar string
--> 1 truncated nil
--> 200
--> bar: true boolean
--> foo: true boolean
--> 1 truncated nil
--> 200
--> bar:  string
--> foo:  string
--> 1 truncated nil
--> 200
--> a b: 1a 2 string
--> 1 nil nil
--> 200
--> 0 nil nil
