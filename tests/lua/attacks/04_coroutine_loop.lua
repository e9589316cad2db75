-- Endless loops in ever new coroutines share one budget.
-- only: rille
-- expect: exit 70
-- attack: K
-- flags: --sandbox --max-memory 64MiB --max-instructions 20000000
-- timeout: 20 s
-- stress: skip, ends by its limits
while true do coroutine.resume(coroutine.create(function() while true do end end)) end
