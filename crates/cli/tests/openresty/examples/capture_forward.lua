-- request: POST /capture_forward
-- body: twelve bytes
-- A body is passed on to a subrequest that is a POST or a PUT, or when it is asked for.
ngx.req.read_body()
ngx.print(ngx.location.capture("/capture_target", {method = ngx.HTTP_POST}).body)
ngx.print(ngx.location.capture("/capture_target", {method = ngx.HTTP_GET}).body)
ngx.print(ngx.location.capture("/capture_target", {always_forward_body = true}).body)
--> 200
--> POST nil twelve bytes true true
--> GET nil nil true true
--> GET nil twelve bytes true true
