-- resty.lrucache and resty.lrucache.pureffi. An item is a number, the index of its key, value and links in arrays, so that
-- an item costs no table of its own. `older` and `newer` link the items in the order of use, in a ring around item 0.
local tools = ...
local now, type, tostring, setmetatable, error = tools.now, tools.type, tools.tostring, tools.setmetatable, tools.error

-- The two modules differ in their keys: those of pureffi are strings.
local function module(text_keys)
  local cache = { _VERSION = text_keys and "0.13" or "0.14" }
  local meta = { __index = cache }

  local function reset(self)
    self.index = {}          -- key -> item
    self.keys, self.values, self.expires, self.flags = {}, {}, {}, {}
    self.older, self.newer = { [0] = 0 }, { [0] = 0 }
    self.free = {}           -- items that were deleted, the last one first
    self.items = 0           -- items there are, used or free
    self.num_items = 0
  end

  local function unlink(self, item)
    local older, newer = self.older, self.newer
    local o, n = older[item], newer[item]
    older[n], newer[o] = o, n
  end

  local function link_newest(self, item)
    local older, newer = self.older, self.newer
    local second = older[0]
    older[item], newer[item] = second, 0
    newer[second], older[0] = item, item
  end

  function cache.new(size)
    if size < 1 then return nil, "size too small" end
    local self = { max_items = size }
    reset(self)
    return setmetatable(self, meta)
  end

  function cache.count(self) return self.num_items end

  function cache.capacity(self) return self.max_items end

  function cache.get(self, key)
    if text_keys and type(key) ~= "string" then key = tostring(key) end
    local item = self.index[key]
    if not item then return nil end
    local value = self.values[item]
    if value == nil and not text_keys then return nil end
    unlink(self, item)
    link_newest(self, item)
    local expires = self.expires[item]
    if expires >= 0 and expires < now() then return nil, value, self.flags[item] end
    return value, nil, self.flags[item]
  end

  function cache.set(self, key, value, ttl, flags)
    if text_keys then
      if type(key) ~= "string" then key = tostring(key) end
    elseif key == nil or key ~= key then
      error(key == nil and "table index is nil" or "table index is NaN", 2)
    end
    local index, keys = self.index, self.keys
    local expires = ttl and now() + ttl or -1
    local item = index[key]
    if item then
      unlink(self, item)
    else
      local free = self.free
      local n = #free
      if n > 0 then
        item, free[n] = free[n], nil
        self.num_items = self.num_items + 1
      elseif self.num_items + 1 <= self.max_items then
        item = self.items + 1
        self.items = item
        self.num_items = self.num_items + 1
      else
        item = self.newer[0]
        unlink(self, item)
        index[keys[item]] = nil
      end
      index[key], keys[item] = item, key
    end
    self.values[item], self.expires[item] = value, expires
    self.flags[item] = type(flags) == "number" and flags >= 0 and flags or 0
    link_newest(self, item)
  end

  function cache.delete(self, key)
    if text_keys and type(key) ~= "string" then key = tostring(key) end
    local item = self.index[key]
    if not item then return false end
    unlink(self, item)
    self.index[key], self.keys[item], self.values[item] = nil, false, nil
    self.free[#self.free + 1] = item
    self.num_items = self.num_items - 1
    return true
  end

  function cache.get_keys(self, max, res)
    if not max or max == 0 then max = self.num_items end
    res = res or {}
    local older, keys = self.older, self.keys
    local count, item = 0, older[0]
    while item ~= 0 and count < max do
      count = count + 1
      res[count] = keys[item]
      item = older[item]
    end
    res[count + 1] = nil
    return res
  end

  function cache.flush_all(self) reset(self) end

  return cache
end

return module
