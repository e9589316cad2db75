-- Output is concatenated without separators; say ends it with a line feed. Arrays are flattened.
-- request: GET /say
ngx.print("eggs", 12, " ", true, " ", nil, " ", ngx.null, "\n")
ngx.say({"nested ", {"tea ", {7, " "}}, "end"})
ngx.say()
local ok, err = pcall(ngx.say, {size = 3})
ngx.say(ok, " ", err)
ok, err = pcall(ngx.say, {"a", print})
ngx.say(ok, " ", err)
ngx.say(ngx.print(""))
--> 200
--> eggs12 true nil null
--> nested tea 7 end
-->
--> false bad argument #1 to '?' (non-array table found)
--> false bad argument #1 to '?' (bad data type function found)
--> 1
