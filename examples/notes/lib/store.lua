-- Notes in `kv`, which the app's workers share. One key per note, so that they list in order.
local store = {}

local function key(id) return string.format("note/%012d", id) end

function store.create(text)
  local note = { id = kv.incr("last id"), text = text, created = os.time() }
  local ok, err = kv.set(key(note.id), json.encode(note))
  if not ok then return nil, err end
  return note
end

function store.get(id)
  local text = kv.get(key(id))
  return text and json.decode(text)
end

function store.delete(id) return kv.delete(key(id)) end

function store.list()
  local notes = json.array()
  for _, entry in ipairs(kv.list("note/")) do
    notes[#notes + 1] = json.decode(entry.value)
  end
  return notes
end

return store
