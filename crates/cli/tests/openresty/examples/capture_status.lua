-- request: GET /capture_status
-- What a subrequest ends with is a result, not an end.
for _, how in ipairs({"exit", "error", "redirect", "status", "empty", "exec"}) do
  local res = ngx.location.capture("/capture_status_sub", {args = {how = how}})
  local shown = res.status < 300 and res.body or ""
  ngx.say(how, " ", res.status, " ", res.header.Location, " [", shown, "]")
end
--> 200
--> exit 403 nil []
--> error 500 nil []
--> redirect 302 /elsewhere []
--> status 201 nil [made]
--> empty 200 nil []
--> exec 200 nil [/exec_target a=1 nil true true
--> ]
