-- request: GET /worker_pids
local pids = ngx.worker.pids()
ngx.say(type(pids), " ", #pids >= 1, " ", pids[1] == ngx.worker.pid())
--> 200
--> table true true
