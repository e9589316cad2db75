-- Notes in `kv`, which the app's workers share and the next process finds. One key per note, so that they list in order.
local store = {}

local function key(id) return string.format("note/%012d", id) end

function store.create(text)
  -- A number is taken only if its note is stored.
  return kv.transaction(function(tx)
    local note = { id = tx:incr("last id"), text = text, created = os.time() }
    tx:set(key(note.id), note)
    return note
  end)
end

function store.get(id) return kv.get(key(id)) end

function store.delete(id) return kv.delete(key(id)) end

function store.list()
  local notes, page, after = json.array(), nil, nil
  repeat
    page, after = kv.list("note/", { after = after })
    for _, entry in ipairs(page) do notes[#notes + 1] = entry.value end
  until not after
  return notes
end

return store
