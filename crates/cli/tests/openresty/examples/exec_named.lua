-- request: GET /exec_named?a=1
-- A named location is reached by ngx.exec alone; the request keeps its path and its arguments.
ngx.exec("@named_target", "b=2")
--> 200
--> /exec_named a=1 true content
