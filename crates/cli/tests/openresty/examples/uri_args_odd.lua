-- request: GET /uri_args_odd?=1&=&a==b&b=%&c=%4&d=%zz&e=a+b&f&&g
-- request: GET /uri_args_odd?a[]=1&a[]=2&A=3
-- What is badly encoded stays as it is; what has no name is left out.
local args = ngx.req.get_uri_args()
local keys = {}
for key in pairs(args) do keys[#keys + 1] = key end
table.sort(keys)
for _, key in ipairs(keys) do
  local value = args[key]
  ngx.say("[", key, "] = [", type(value) == "table" and table.concat(value, "|") or tostring(value), "]")
end
ngx.say(ngx.var.arg_a, " ", ngx.var.arg_e, " ", ngx.var.arg_g)
--> 200
--> [a] = [=b]
--> [b] = [%]
--> [c] = [%4]
--> [d] = [%zz]
--> [e] = [a b]
--> [f] = [true]
--> [g] = [true]
--> =b a+b nil
--> 200
--> [A] = [3]
--> [a[]] = [1|2]
--> 3 nil nil
