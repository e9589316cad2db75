local store = require "lib.store"

return {
  get = function() return store.list() end,

  post = function(request)
    local note, err = request.json()
    if not note then return 400, { error = err } end
    if type(note) ~= "table" or type(note.text) ~= "string" or note.text == "" then
      return 422, { error = "a note needs a text" }
    end
    local created, full = store.create(note.text)
    if not created then return 507, { error = full } end
    return 201, created, { Location = "/notes/" .. created.id }
  end,
}
