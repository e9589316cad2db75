-- ngx.thread. A thread's function runs protected, so that its error value, whatever it is, gets to whoever waits for it.
local tools = ...
local spawn, wait, report, halt = tools.spawn, tools.wait, tools.report, tools.halt
local xpcall, type, error, pack, unpack = tools.xpcall, tools.type, tools.error, tools.pack, tools.unpack

local function handler(message)
  report(message)
  return message
end

local function run(f, n, arguments)
  return xpcall(function() return f(unpack(arguments, 1, n)) end, handler)
end

return {
  spawn = function(f, ...)
    if type(f) ~= "function" then
      error("bad argument #1 to 'spawn' (function expected, got " .. (f == nil and "no value" or type(f)) .. ")", 2)
    end
    local arguments = pack(...)
    local thread, has_exited = spawn(run, f, arguments.n, arguments)
    if has_exited then halt() end
    return thread
  end,
  wait = wait,
  kill = tools.kill,
}
