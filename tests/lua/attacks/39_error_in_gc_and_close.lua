-- Errors in finalizers and close methods, in every order, leave a script that works.
-- only: rille
-- attack: done
-- flags: --sandbox --max-memory 64MiB --max-instructions 20000000
-- timeout: 10 s
-- stress: skip, ends by its limits
for i = 1, 100 do
  pcall(function()
    local a <close> = setmetatable({}, {__close = function() error(a) end})
    setmetatable({}, {__gc = function() error {} end})
    local b <close> = setmetatable({}, {__close = function() local _ = nil + 1 end})
    error("x")
  end)
end
collectgarbage()
print("works")
--> works
