-- request: GET /capture_multi
-- Several at once; the answers come in the order of the list, and their number is up to the caller.
local one, two, three = ngx.location.capture_multi({
  {"/capture_target", {args = "n=1"}},
  {"/capture_target", {args = "n=2", method = ngx.HTTP_POST, body = "b"}},
  {"/capture_missing"},
})
ngx.print(one.body, two.body)
ngx.say(three.status)
local list = {}
for i = 1, 4 do list[i] = {"/capture_target?i=" .. i} end
local all = {ngx.location.capture_multi(list)}
for i, res in ipairs(all) do ngx.print(i, " ", res.status, " ", res.body) end
--> 200
--> GET n=1 nil true true
--> POST n=2 b true true
--> 404
--> 1 200 GET i=1 nil true true
--> 2 200 GET i=2 nil true true
--> 3 200 GET i=3 nil true true
--> 4 200 GET i=4 nil true true
