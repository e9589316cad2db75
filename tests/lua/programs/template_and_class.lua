-- A template engine, a class library with mixins, an event emitter, an LRU cache and memoization, together.
local function class(parent)
  local c = {}
  c.__index = c
  if parent then
    for k, v in pairs(parent) do if k:sub(1, 2) == "__" and k ~= "__index" then c[k] = v end end
  end
  return setmetatable(c, {__index = parent, __call = function(cls, ...)
    local o = setmetatable({}, cls)
    if cls.init then cls.init(o, ...) end
    return o
  end})
end
local Emitter = class()
function Emitter:init() self.handlers = {} end
function Emitter:on(name, f) local h = self.handlers[name] or {} self.handlers[name] = h h[#h + 1] = f return self end
function Emitter:emit(name, ...) for _, f in ipairs(self.handlers[name] or {}) do f(self, ...) end end
Emitter.__tostring = function(e) local n = 0 for _ in pairs(e.handlers) do n = n + 1 end return "emitter of " .. n end
local Cache = class(Emitter)
function Cache:init(size) Emitter.init(self) self.size, self.count, self.map = size, 0, {} self.head = {} self.head.next, self.head.prev = self.head, self.head end
local function unlink(n) n.prev.next, n.next.prev = n.next, n.prev end
function Cache:front(n) n.next, n.prev = self.head.next, self.head n.next.prev, n.prev.next = n, n end
function Cache:get(k) local n = self.map[k] if not n then self:emit("miss", k) return nil end unlink(n) self:front(n) return n.value end
function Cache:put(k, v)
  local n = self.map[k]
  if n then unlink(n) else n = {key = k} self.count = self.count + 1 self.map[k] = n end
  n.value = v
  self:front(n)
  if self.count > self.size then
    local last = self.head.prev
    unlink(last) self.map[last.key] = nil self.count = self.count - 1
    self:emit("evict", last.key, last.value)
  end
end
local log = {}
local cache = Cache(3)
cache:on("evict", function(_, k, v) log[#log + 1] = "evict " .. k .. "=" .. v end):on("miss", function(_, k) log[#log + 1] = "miss " .. k end)
for i, k in ipairs {"a", "b", "c"} do cache:put(k, i) end
cache:get "a" cache:put("d", 4) cache:get "b" cache:put("e", 5) cache:put("a", 10) cache:get "a"
print(table.concat(log, ", "), cache:get "a", tostring(cache))
local function template(source)
  local code = {"local env, out = ... local _ENV <const> = env "}
  local at = 1
  while true do
    local s, e, kind, body = source:find("{([%%{])%s*(.-)%s*[%%}]}", at)
    code[#code + 1] = ("out[#out + 1] = %q "):format(source:sub(at, (s or 0) - 1))
    if not s then break end
    code[#code + 1] = kind == "{" and ("out[#out + 1] = tostring(%s) "):format(body) or body .. " "
    at = e + 1
  end
  local f = assert(load(table.concat(code), "=template"))
  return function(env) local out = {} f(setmetatable(env, {__index = _G}), out) return table.concat(out) end
end
local page = template [[<ul>{% for i, item in ipairs(items) do %}<li class="{{ i % 2 == 0 and "even" or "odd" }}">{{ item.name:upper() }}: {{ item.price * 2 }}</li>{% end %}</ul>{% if #items == 0 then %}none{% end %}]]
print(page {items = {{name = "tea", price = 3}, {name = "milk", price = 1.25}, {name = "jam", price = 7}}}) print(page {items = {}})
print(select(2, pcall(template "{{ missing.field }}", {})))
local function memoize(f) local memo = setmetatable({}, {__mode = "k"}) return function(n) local v = memo[n] if v == nil then v = f(n) memo[n] = v end return v end end
local fib fib = memoize(function(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end)
print(fib(80))
--> evict b=2, miss b, evict c=3	10	emitter of 2
--> <ul><li class="odd">TEA: 6</li><li class="even">MILK: 2.5</li><li class="odd">JAM: 14</li></ul>
--> <ul></ul>none
--> template:1: attempt to index a nil value (global 'missing')
--> 23416728348467685
