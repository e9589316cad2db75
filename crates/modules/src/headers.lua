-- The metatable of tables of header fields.
local tools = ...
local type, rawget, lower, gsub = tools.type, tools.rawget, tools.lower, tools.gsub

return {
  __name = "headers",
  __index = function(t, name)
    if type(name) ~= "string" then return nil end
    local plain = (gsub(lower(name), "_", "-"))
    if plain == name then return nil end
    return rawget(t, plain)
  end,
}
