-- Every construct that could go on after a kill, in one another.
-- only: rille
-- expect: exit 70
-- attack: K
-- flags: --sandbox --max-memory 64MiB --max-instructions 20000000
-- timeout: 20 s
-- stress: skip, ends by its limits
local function on() while true do end end
local meta = {__gc = on, __close = on, __index = on, __newindex = on, __call = on, __tostring = on, __len = on, __eq = on,
  __lt = on, __le = on, __concat = on, __add = on, __pairs = on, __name = on, __mode = "k"}
local function layer(n)
  local x <close> = setmetatable({}, meta)
  setmetatable({}, meta)
  if n == 0 then on() end
  local co = coroutine.create(function()
    local y <close> = setmetatable({}, meta)
    xpcall(function()
      table.sort({3, 2, 1}, function()
        return ("x"):gsub("x", function()
          load(function() layer(n - 1) end)
        end)
      end)
    end, on)
  end)
  coroutine.resume(co)
  coroutine.close(co)
  return layer(n)
end
while true do pcall(layer, 10) end
