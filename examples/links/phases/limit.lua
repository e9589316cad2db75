-- Access: a client makes at most twenty links a minute.
local visits = ngx.shared.visits
local made, why = visits:incr("made:" .. ngx.var.remote_addr, 1, 0, 60)
if not made then
  ngx.log(ngx.ERR, "no room to count: ", why)
elseif made > 20 then
  ngx.header["Retry-After"] = 60
  ngx.status = 429
  ngx.say("at most twenty links a minute")
  return ngx.exit(429)
end
