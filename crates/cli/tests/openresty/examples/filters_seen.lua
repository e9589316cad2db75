-- request: GET /filters_seen
-- after: filters
ngx.say(ngx.shared.results:get("filters_requests"), " ", ngx.shared.results:get("filters_log"))
--> 200
--> 1 log 200 200
