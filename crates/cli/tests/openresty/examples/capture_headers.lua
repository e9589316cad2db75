-- nginx: the packaged module is older than this option
-- header: X-Test: inherited
-- request: GET /capture_headers
-- A subrequest has the request's headers, or those it is given.
local function sub(headers)
  return ngx.location.capture("/capture_headers_sub", {headers = headers}).body
end
ngx.say(sub(), " | ", sub({["X-Test"] = "given"}), " | ", sub({X_Other = 5}), " | ", sub({["X-Test"] = {"a", "b"}, ["Content-Length"] = "99"}))
--> 200
--> inherited nil nil | given nil nil | inherited nil nil | a+b nil nil
