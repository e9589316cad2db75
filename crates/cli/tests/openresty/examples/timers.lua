-- request: GET /timers
local function handler(premature, name, count)
  ngx.shared.results:set(name, tostring(premature) .. " " .. ngx.get_phase() .. " " .. count)
end
ngx.say(ngx.timer.at(0, handler, "timer_at", 3))
local runs = 0
ngx.say(ngx.timer.every(0.01, function(premature)
  if premature then return end
  runs = runs + 1
  ngx.shared.results:set("timer_runs", runs)
end))
ngx.say(ngx.timer.pending_count() >= 2, " ", ngx.timer.running_count() >= 0)
ngx.sleep(0.2)
ngx.say(ngx.shared.results:get("timer_at"), " ", ngx.shared.results:get("timer_runs") > 3)
ngx.say(pcall(ngx.timer.at, 0))
ngx.say(pcall(ngx.timer.every, 0, handler))
--> 200
--> 1
--> 1
--> true true
--> false timer 3 true
--> falseexpecting at least 2 arguments but got 1
--> falsedelay cannot be zero
