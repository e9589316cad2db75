-- A subrequest: its status, headers and body, its method, arguments and body.
-- request: GET /capture?outer=1
local res = ngx.location.capture("/capture_target?a=1", {args = {b = 3}})
ngx.say(res.status, " ", res.truncated, " ", res.header["X-Target"], " ", type(res.header.content_type))
ngx.print(res.body)
res = ngx.location.capture("/capture_target", {args = "x=%20y"})
ngx.print(res.body)
res = ngx.location.capture("/capture_target", {args = {c = ":"}})
ngx.print(res.body)
res = ngx.location.capture("/capture_target", {method = ngx.HTTP_PUT, body = "hello, world"})
ngx.print(res.body)
res = ngx.location.capture("/capture_target", {method = ngx.HTTP_HEAD})
ngx.say("head: [", res.body, "] ", res.status)
res = ngx.location.capture("/capture_missing")
ngx.say(res.status)
local ok, err = pcall(ngx.location.capture, "/capture_target", {method = "GET"})
ngx.say(ok, " ", (err:gsub("^.-:%d+: ", "")))
--> 200
--> 200 false yes nil
--> GET a=1&b=3 nil true true
--> GET x=%20y nil true true
--> GET c=%3A nil true true
--> PUT nil hello, world true true
--> head: [] 200
--> 404
--> false Bad http request method
