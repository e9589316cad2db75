-- No address is shown: not by tostring, %p, print, messages or tracebacks, and what stands for one is another in each VM.
-- only: rille
-- flags: --sandbox
local shown = {}
local function see(text)
  for hex in tostring(text):gmatch("0x(%x+)") do shown[#shown + 1] = tonumber(hex, 16) end
end
local objects = {{}, print, function() end, coroutine.create(print), io.stdout, setmetatable({}, {__name = "Thing"}), "text", ("x"):rep(100)}
for i, o in ipairs(objects) do
  if type(o) ~= "string" then see(tostring(o)) end
  see(string.format("%p", o))
  see(string.format("%s", o))
  see(select(2, pcall(error, o)))
  see(select(2, pcall(function() return o < {} end)))
  see(select(2, pcall(function() return o.x.y.z end)))
  see(select(2, pcall(string.rep, o)))
  see(select(2, pcall(setmetatable, 1, o)))
  see(debug.traceback(type(o) == "string" and o or "m"))
end
for k, v in pairs(debug.getinfo(1, "nSluf")) do see(v) end
print(#shown > 10)
-- Objects made one after the other lie close together; what stands for them does not. Nor does it look like an address.
local close, like = 0, 0
for i = 1, 200 do
  local a, b = {}, {}
  local x, y = tonumber(string.format("%p", a)), tonumber(string.format("%p", b))
  if x >> 32 == y >> 32 then close = close + 1 end
  if x >> 48 == 0 then like = like + 1 end
  assert(string.format("%p", a) == string.format("%p", a))
end
print(close < 5, like < 5)
--> true
--> true	true
