local results = ngx.shared.results
results:incr("filters_requests", 1, 0)
results:set("filters_log", ngx.get_phase() .. " " .. ngx.status .. " " .. ngx.var.status)
