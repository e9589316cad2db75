-- The time, and dates of HTTP.
local time, now = ngx.time(), ngx.now()
print(time == math.floor(time), now >= time, now - time < 2, math.abs(os.time() - time) <= 1)
print(math.abs(now * 1000 - math.floor(now * 1000 + 0.5)) < 0.001, ngx.update_time())
print(ngx.today():match("^%d%d%d%d%-%d%d%-%d%d$") ~= nil, ngx.localtime():sub(1, 10) == ngx.today())
print(#ngx.utctime(), ngx.utctime():match("^%d+%-%d+%-%d+ %d%d:%d%d:%d%d$") ~= nil)
local before, between, after = os.date("!%Y-%m-%d %H:%M:%S"), ngx.utctime(), os.date("!%Y-%m-%d %H:%M:%S")
print(before <= between and between <= after)
print(ngx.http_time(1290079655), ngx.http_time(0), ngx.http_time(-5), ngx.http_time(1e300))
print(ngx.http_time(1290079655.9), ngx.http_time(0 / 0))
print(ngx.cookie_time(1290079655), ngx.cookie_time(2145916799), ngx.cookie_time(2145916800))
print(ngx.parse_http_time("Thu, 18 Nov 2010 11:27:35 GMT"))
print(ngx.parse_http_time("Thursday, 18-Nov-10 11:27:35 GMT"), ngx.parse_http_time("Thu Nov 18 11:27:35 2010"))
print(ngx.parse_http_time("Thu Nov  8 11:27:35 2010"), ngx.parse_http_time("Sun, 06-Nov-70 00:00:00 GMT"))
print(ngx.parse_http_time("hello"), ngx.parse_http_time(""), ngx.parse_http_time("Thu, 31 Nov 2010 11:27:35 GMT"))
print(pcall(ngx.http_time, "5"))
print(pcall(ngx.cookie_time))
print(pcall(ngx.parse_http_time, 5))
--> true	true	true	true
--> true
--> true	true
--> 19	true
--> true
--> Thu, 18 Nov 2010 11:27:35 GMT	Thu, 01 Jan 1970 00:00:00 GMT	Thu, 01 Jan 1970 00:00:00 GMT	Fri, 31 Dec 9999 23:59:59 GMT
--> Thu, 18 Nov 2010 11:27:35 GMT	Thu, 01 Jan 1970 00:00:00 GMT
--> Thu, 18-Nov-10 11:27:35 GMT	Thu, 31-Dec-37 23:59:59 GMT	Fri, 01-Jan-2038 00:00:00 GMT
--> 1290079655
--> 1290079655	1290079655
--> 1289215655	26697600
--> nil	nil	nil
--> false	number argument only
--> false	number argument only
--> false	string argument only
