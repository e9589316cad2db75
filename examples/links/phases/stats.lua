-- GET /stats
local visits = ngx.shared.visits
for _, status in ipairs { 201, 302, 400, 404, 429, 502 } do
  ngx.say(status, " ", visits:get("answered:" .. status) or 0)
end
ngx.say("followed ", visits:get("followed") or 0)
