-- Log: counts for all workers, of what was answered.
local visits = ngx.shared.visits
visits:incr("answered:" .. ngx.status, 1, 0)
if ngx.ctx.followed then visits:incr("followed", 1, 0) end
