-- request: GET /clock
ngx.say(ngx.cookie_time(1547838320), " | ", ngx.http_time(1290079655), " | ", ngx.parse_http_time("Thu, 18 Nov 2010 11:27:35 GMT"))
ngx.say(ngx.parse_http_time("nonsense"))
ngx.say(ngx.today():match("^%d%d%d%d%-%d%d%-%d%d$") ~= nil, " ", ngx.localtime():match("^%d+%-%d%d%-%d%d %d%d:%d%d:%d%d$") ~= nil,
  " ", ngx.utctime():match("^%d+%-%d%d%-%d%d %d%d:%d%d:%d%d$") ~= nil)
local before = ngx.now()
ngx.sleep(0.02)
ngx.update_time()
local passed = ngx.now() - before
ngx.say(passed >= 0.019, " ", passed < 2, " ", ngx.time() == math.floor(ngx.now()), " ", math.abs(ngx.time() - os.time()) <= 1)
--> 200
--> Fri, 18-Jan-19 19:05:20 GMT | Thu, 18 Nov 2010 11:27:35 GMT | 1290079655
--> nil
--> true true true
--> true true true true
