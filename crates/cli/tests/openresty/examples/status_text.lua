-- show-body: all
-- request: GET /status_text
ngx.status = "201.7"
ngx.say(ngx.status, " ", require("ngx") == ngx)
--> 201
--> 201 true
