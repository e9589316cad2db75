-- GET /to/CODE: off to the URL.
local redis = require "lib.redis"

local code = ngx.var[1]
local url, why = redis.call("GET", "link:" .. code)
if not url then
  ngx.log(ngx.ERR, why)
  return ngx.exit(502)
end
if url == ngx.null then
  ngx.status = 404
  return ngx.say("no such link")
end
ngx.ctx.followed = true
return ngx.redirect(url)
