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
--> _G: table
--> _G._G = _G
--> _G._VERSION: string
--> _G._VERSION<meta>: table (read-only)
--> _G._VERSION<meta>.__add: function
--> _G._VERSION<meta>.__div: function
--> _G._VERSION<meta>.__idiv: function
--> _G._VERSION<meta>.__index: table (read-only)
--> _G._VERSION<meta>.__index.byte: function
--> _G._VERSION<meta>.__index.char: function
--> _G._VERSION<meta>.__index.find: function
--> _G._VERSION<meta>.__index.format: function
--> _G._VERSION<meta>.__index.gmatch: function
--> _G._VERSION<meta>.__index.gsub: function
--> _G._VERSION<meta>.__index.len: function
--> _G._VERSION<meta>.__index.lower: function
--> _G._VERSION<meta>.__index.match: function
--> _G._VERSION<meta>.__index.pack: function
--> _G._VERSION<meta>.__index.packsize: function
--> _G._VERSION<meta>.__index.rep: function
--> _G._VERSION<meta>.__index.reverse: function
--> _G._VERSION<meta>.__index.sub: function
--> _G._VERSION<meta>.__index.unpack: function
--> _G._VERSION<meta>.__index.upper: function
--> _G._VERSION<meta>.__mod: function
--> _G._VERSION<meta>.__mul: function
--> _G._VERSION<meta>.__pow: function
--> _G._VERSION<meta>.__sub: function
--> _G._VERSION<meta>.__unm: function
--> _G.assert: function
--> _G.collectgarbage: function
--> _G.coroutine: table (read-only)
--> _G.coroutine.close: function
--> _G.coroutine.create: function
--> _G.coroutine.isyieldable: function
--> _G.coroutine.resume: function
--> _G.coroutine.running: function
--> _G.coroutine.status: function
--> _G.coroutine.wrap: function
--> _G.coroutine.yield: function
--> _G.debug: table (read-only)
--> _G.debug.getinfo: function
--> _G.debug.traceback: function
--> _G.error: function
--> _G.getmetatable: function
--> _G.io: table (read-only)
--> _G.io.stderr: userdata
--> _G.io.stderr<meta>: table (read-only)
--> _G.io.stderr<meta>.__close: function
--> _G.io.stderr<meta>.__gc: function
--> _G.io.stderr<meta>.__index: table (read-only)
--> _G.io.stderr<meta>.__index.close: function
--> _G.io.stderr<meta>.__index.flush: function
--> _G.io.stderr<meta>.__index.setvbuf: function
--> _G.io.stderr<meta>.__index.write: function
--> _G.io.stderr<meta>.__name: string
--> _G.io.stderr<meta>.__tostring: function
--> _G.io.stdout: userdata
--> _G.io.type: function
--> _G.io.write: function
--> _G.ipairs: function
--> _G.load: function
--> _G.math: table (read-only)
--> _G.math.abs: function
--> _G.math.acos: function
--> _G.math.asin: function
--> _G.math.atan: function
--> _G.math.atan2: function
--> _G.math.ceil: function
--> _G.math.cos: function
--> _G.math.cosh: function
--> _G.math.deg: function
--> _G.math.exp: function
--> _G.math.floor: function
--> _G.math.fmod: function
--> _G.math.frexp: function
--> _G.math.huge: number
--> _G.math.ldexp: function
--> _G.math.log: function
--> _G.math.log10: function
--> _G.math.max: function
--> _G.math.maxinteger: number
--> _G.math.min: function
--> _G.math.mininteger: number
--> _G.math.modf: function
--> _G.math.pi: number
--> _G.math.pow: function
--> _G.math.rad: function
--> _G.math.random: function
--> _G.math.randomseed: function
--> _G.math.sin: function
--> _G.math.sinh: function
--> _G.math.sqrt: function
--> _G.math.tan: function
--> _G.math.tanh: function
--> _G.math.tointeger: function
--> _G.math.type: function
--> _G.math.ult: function
--> _G.next: function
--> _G.os: table (read-only)
--> _G.os.clock: function
--> _G.os.date: function
--> _G.os.difftime: function
--> _G.os.getenv: function
--> _G.os.setlocale: function
--> _G.os.time: function
--> _G.package: table
--> _G.package.config: string
--> _G.package.cpath: string
--> _G.package.loaded: table
--> _G.package.loaded._G = _G
--> _G.package.loaded.coroutine = _G.coroutine
--> _G.package.loaded.debug = _G.debug
--> _G.package.loaded.io = _G.io
--> _G.package.loaded.math = _G.math
--> _G.package.loaded.os = _G.os
--> _G.package.loaded.package = _G.package
--> _G.package.loaded.string = _G._VERSION<meta>.__index
--> _G.package.loaded.table: table (read-only)
--> _G.package.loaded.table.concat: function
--> _G.package.loaded.table.insert: function
--> _G.package.loaded.table.move: function
--> _G.package.loaded.table.pack: function
--> _G.package.loaded.table.remove: function
--> _G.package.loaded.table.sort: function
--> _G.package.loaded.table.unpack: function
--> _G.package.loaded.utf8: table (read-only)
--> _G.package.loaded.utf8.char: function
--> _G.package.loaded.utf8.charpattern: string
--> _G.package.loaded.utf8.codepoint: function
--> _G.package.loaded.utf8.codes: function
--> _G.package.loaded.utf8.len: function
--> _G.package.loaded.utf8.offset: function
--> _G.package.path: string
--> _G.package.preload: table
--> _G.package.searchers: table
--> _G.package.searchers.1: function
--> _G.package.searchers.2: function
--> _G.package.searchpath: function
--> _G.pairs: function
--> _G.pcall: function
--> _G.print: function
--> _G.rawequal: function
--> _G.rawget: function
--> _G.rawlen: function
--> _G.rawset: function
--> _G.require: function
--> _G.select: function
--> _G.setmetatable: function
--> _G.string = _G._VERSION<meta>.__index
--> _G.table = _G.package.loaded.table
--> _G.tonumber: function
--> _G.tostring: function
--> _G.type: function
--> _G.utf8 = _G.package.loaded.utf8
--> _G.warn: function
--> _G.xpcall: function
--> (number): nil
--> (function): nil
--> (thread): nil
--> (nil): nil
