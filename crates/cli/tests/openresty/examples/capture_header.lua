-- show: X-Mine
-- request: GET /capture_header
-- Headers of a subrequest are its own; the request's are copied to it.
ngx.header["X-Mine"] = "parent"
ngx.req.set_header("X-Given", "from parent")
local res = ngx.location.capture("/capture_header_sub")
ngx.say(res.header["X-Mine"], " ", res.header["Content-Type"], " ", type(res.header["Set-Cookie"]), " ", res.body)
--> 200
--> X-Mine: parent
--> child text/child table from parent
