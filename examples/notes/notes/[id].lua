local store = require "lib.store"

local id = math.tointeger(tonumber(request.params.id))
if not id then return 400, { error = "a note's id is a number" } end
local missing = { error = "there is no note " .. id }

return {
  get = function()
    local note = store.get(id)
    if not note then return 404, missing end
    return 200, note
  end,

  delete = function()
    if not store.delete(id) then return 404, missing end
    return 204
  end,
}
