-- POST /links with a URL as the body: the short link.
local redis = require "lib.redis"

ngx.req.read_body()
local url = ngx.req.get_body_data()
if not url or #url > 2000 or not ngx.re.find(url, [[\Ahttps?://[^\s"<>]+\z]], "jo") then
  ngx.status = 400
  return ngx.say("send the URL as the body: http:// or https://, at most 2000 characters")
end

-- The same URL has the same code; a code that is another URL's is lengthened.
local digest = ngx.encode_base64(ngx.sha1_bin(url)):gsub("[+/=]", "")
for length = 6, #digest do
  local code = digest:sub(1, length)
  local stored, why = redis.call("SET", "link:" .. code, url, "NX")
  if not stored then
    ngx.log(ngx.ERR, why)
    return ngx.exit(502)
  end
  if stored ~= ngx.null or redis.call("GET", "link:" .. code) == url then
    ngx.status = 201
    ngx.header["Location"] = "/to/" .. code
    return ngx.say("/to/", code)
  end
end
ngx.exit(500)
