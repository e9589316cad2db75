-- request: GET /access_by_subrequest?key=good
-- request: GET /access_by_subrequest?key=bad
-- request: GET /access_by_subrequest
ngx.say("welcome")
--> 200
--> welcome
--> 403
--> 500
