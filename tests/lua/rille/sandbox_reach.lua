-- Everything that a sandboxed script can reach: a function that is not in this list is not in the sandbox.
-- only: rille
-- flags: --sandbox
local seen, names = {}, {}
local function reach(path, v)
  local t = type(v)
  local own_table = t == "table" or t == "userdata"
  if own_table and seen[v] then
    names[#names + 1] = path .. " = " .. seen[v]
    return
  end
  if own_table then seen[v] = path end
  names[#names + 1] = path .. ": " .. t .. (t == "table" and pcall(rawset, v, {}, nil) == false and " (read-only)" or "")
  if t == "table" then
    local keys = {}
    for k in next, v do keys[#keys + 1] = k end
    table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
    for _, k in ipairs(keys) do
      if v ~= _G or k ~= "arg" then reach(path .. "." .. tostring(k), v[k]) end
    end
  end
  local meta = getmetatable(v)
  if meta ~= nil and not seen[meta] then reach(path .. "<meta>", meta) end
end
reach("_G", _G)
reach("(number)", getmetatable(1))
reach("(function)", getmetatable(print))
reach("(thread)", getmetatable(coroutine.create(print)))
reach("(nil)", getmetatable(nil))
print(table.concat(names, "\n"))
