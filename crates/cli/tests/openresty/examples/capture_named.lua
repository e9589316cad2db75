-- request: GET /capture_named
-- What has a name only cannot be captured.
local res = ngx.location.capture("@named_target")
ngx.say(res.status)
--> 200
--> 404
