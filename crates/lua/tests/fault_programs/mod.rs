//! Programs that are stopped, or refused memory, at every point of their run: between them they use every feature whose
//! state lives across a stop.
//!
//! **Invariant:** what a program does ends in the global `result`, so that a run without fault can be told from one with.

/// Name and text.
pub const PROGRAMS: &[(&str, &str)] = &[
    ("closures, varargs, tables", "
        local function make(...)
            local all, n = {...}, select('#', ...)
            return function(x) n = n + (x or 0) all[#all + 1] = n return n, all end
        end
        local f = make(1, 2, 3)
        for i = 1, 20 do f(i) end
        local n, all = f()
        local copy = {table.unpack(all)}
        for k, v in pairs(copy) do copy[k] = tostring(v) .. k end
        result = table.concat(copy, ',')"),
    ("protected calls and closing", "
        local log = {}
        local function guard(name)
            return setmetatable({}, {__close = function(_, e) log[#log + 1] = name .. tostring(e ~= nil) end})
        end
        for i = 1, 4 do
            local ok = pcall(function()
                local a <close> = guard('a')
                local b <close> = guard('b')
                if i % 2 == 0 then error({i}) end
            end)
            local ok2 = xpcall(function() local x = nil + i end, function(m) return debug.traceback(m) end)
            log[#log + 1] = tostring(ok) .. tostring(ok2)
        end
        result = table.concat(log)"),
    ("coroutines in coroutines", "
        local function walk(n)
            return coroutine.wrap(function()
                if n > 0 then for v in walk(n - 1) do coroutine.yield(v + n) end end
                coroutine.yield(n)
            end)
        end
        local sum = 0
        for v in walk(6) do sum = sum + v end
        local co = coroutine.create(function()
            local x <close> = setmetatable({}, {__close = function() sum = sum + 1 end})
            coroutine.yield()
        end)
        coroutine.resume(co)
        coroutine.close(co)
        result = sum"),
    ("library callbacks", "
        local t = {}
        for i = 1, 30 do t[i] = (i * 7919) % 31 end
        table.sort(t, function(a, b) return a < b end)
        local s = string.gsub(table.concat(t, ' '), '%d+', function(d) return d + 1 end)
        s = s .. string.gsub('hello world', 'o', {o = '0'})
        local parts = {}
        for w in string.gmatch(s, '%S+') do parts[#parts + 1] = string.format('%5s|%q', w, w) end
        local f = load(function() local p = parts[1] parts[1] = nil return p and 'return 1' or nil end)
        result = s .. tostring(f and f())"),
    ("metamethods and finalizers", "
        local collected = 0
        local mt = {}
        mt.__index = function(t, k) return k .. '?' end
        mt.__newindex = function(t, k, v) rawset(t, k, v .. '!') end
        mt.__add = function(a, b) return setmetatable({n = (rawget(a, 'n') or 0) + 1}, mt) end
        mt.__concat = function(a, b) return 'joined' end
        mt.__eq = function() return true end
        mt.__lt = function() return false end
        mt.__call = function(_, ...) return select('#', ...) end
        mt.__gc = function() collected = collected + 1 end
        local a = setmetatable({}, mt)
        for i = 1, 20 do a = a + i a['k' .. i] = 'v' end
        collectgarbage()
        local weak = setmetatable({}, {__mode = 'k'})
        for i = 1, 20 do weak[{}] = i end
        collectgarbage('step')
        result = a.x .. (a .. 1) .. tostring(a == setmetatable({}, mt)) .. a(1, 2, 3)"),
    ("strings and loading", "
        local s = ''
        for i = 1, 40 do s = s .. i .. ',' end
        local f = assert(load('local a, b = ... local function g(x) return a + x end return g(b), {a, b, s}'))
        local n, t = f(1, 2)
        local ok, m = load('x = = 1')
        result = #s + n + #t + #m + #s:rep(10) + #s:upper():reverse() + #string.pack('s4', s)"),
    ("every arithmetic and comparison event", "
        local names = {'add', 'sub', 'mul', 'div', 'mod', 'pow', 'unm', 'idiv', 'band', 'bor', 'bxor', 'shl', 'shr', 'bnot',
            'concat', 'len', 'eq', 'lt', 'le', 'call', 'index'}
        local mt = {}
        for _, name in ipairs(names) do
            mt['__' .. name] = function(...) local t = {...} return name .. #t end
        end
        local a, b = setmetatable({}, mt), setmetatable({}, mt)
        result = table.concat({a + b, a - 1, 2 * a, a / b, a % b, a ^ b, -a, a // b, a & b, a | 1, 1 ~ a, a << b, a >> b, ~a,
            a .. b, #a, tostring(a == b), tostring(a < b), tostring(a <= b), tostring(a > 1), a(1, 2), a.x, a[1]}, ' ')"),
    ("close variables in every way out", "
        local log = {}
        local function c(name)
            return setmetatable({}, {__close = function(_, e)
                log[#log + 1] = name
                if name == 'bad' then error('from ' .. name, 0) end
            end})
        end
        local function f(way)
            local a <close> = c('a')
            for i = 1, 2 do
                local b <close> = c('b' .. i)
                if way == 'break' then break end
                if way == 'return' then return c end
                if way == 'goto' then goto out end
                if way == 'error' then error('e', 0) end
                if way == 'bad' then local d <close> = c('bad') end
            end
            ::out::
            return 1, 2
        end
        for _, way in ipairs {'none', 'break', 'return', 'goto', 'error', 'bad'} do log[#log + 1] = select('#', pcall(f, way)) end
        for k in (function() return nil end), nil, nil, c('for') do end
        result = table.concat(log, ' ')"),
    ("finalizers that do things", "
        local log = {}
        local mt = {}
        mt.__gc = function(o) log[#log + 1] = o.n if o.n == 3 then setmetatable({n = 30}, mt) end if o.n == 5 then error('bad') end end
        for i = 1, 6 do setmetatable({n = i}, mt) end
        collectgarbage() collectgarbage()
        local kept = setmetatable({}, {__gc = function(o) kept_alive = o end})
        kept = nil
        collectgarbage() collectgarbage()
        result = table.concat(log, ' ') .. type(kept_alive)
        kept_alive = nil"),
    ("formatting", "
        local o = setmetatable({}, {__tostring = function() return 'object' end, __name = 'Thing'})
        local parts = {}
        for i = 1, 6 do
            parts[i] = string.format('%5d|%-8s|%q|%s|%g|%x|%c|%%|%i|%10.3f|%a', i, o, 'q\\n' .. i, o, i / 3, i, 65 + i, i, i, i)
        end
        local ok, m = pcall(string.format, '%d', 'x')
        local ok2, m2 = pcall(string.format, '%s')
        result = table.concat(parts) .. m .. m2"),
    ("goto and loops", "
        local n, log = 0, {}
        ::again::
        n = n + 1
        for i = 10, 1, -3 do
            local captured = i
            log[#log + 1] = function() captured = captured + 1 return captured end
            if i < 5 then goto continue end
            n = n + i
            ::continue::
        end
        if n < 100 then goto again end
        local i = 0
        repeat local done = i >= 5 i = i + 1 until done
        while true do i = i + 1 if i > 10 then break end end
        for x = 1.0, 2.0, 0.25 do n = n + x end
        for k, v in next, log do n = n + v() end
        result = n"),
    ("varargs and many results", "
        local function pass(...) return ... end
        local function count(...) return select('#', ...), ... end
        local t = table.pack(pass(1, nil, 3, nil))
        local all = {count(pass(table.unpack(t, 1, t.n)))}
        local function sum(...) local s = 0 for i = 1, select('#', ...) do s = s + ((select(i, ...)) or 0) end return s end
        local many = {} for i = 1, 60 do many[i] = i end
        result = all[1] + sum(table.unpack(many)) + #{pass(table.unpack(many))} + (count(table.unpack(many)))"),
    ("table functions over proxies", "
        local function proxy(real)
            return setmetatable({}, {__index = function(_, k) return real[k] end, __newindex = function(_, k, v) real[k] = v end,
                __len = function() return #real end, __pairs = function() return next, real, nil end})
        end
        local p = proxy {5, 3, 9, 1}
        table.insert(p, 7) table.insert(p, 2, 4)
        table.remove(p, 1) table.sort(p) table.move(p, 1, 3, 3)
        local s = table.concat(p, ',') .. select('#', table.unpack(p))
        for k, v in pairs(p) do s = s .. k .. v end
        for i, v in ipairs(p) do s = s .. i .. v end
        result = s .. table.concat(table.move({1, 2, 3}, 1, 3, 2), '-')"),
    ("utf8 and pack", "
        local s = utf8.char(72, 228, 8364, 0x1F600, 65)
        local n = utf8.len(s)
        for p, c in utf8.codes(s) do n = n + p + c end
        local a, b, c, d = utf8.codepoint(s, 1, -1)
        n = n + a + b + c + d + utf8.offset(s, 3) + utf8.offset(s, -1)
        local packed = string.pack('<i4 >d z s2 B', 77, 1.5, 'zero', 'counted', 255)
        local u = {string.unpack('<i4 >d z s2 B', packed)}
        result = n .. u[1] .. u[2] .. u[3] .. u[4] .. u[5] .. string.packsize('i4i8!8d')"),
    ("error objects and handlers", "
        local function deep(n) if n == 0 then error(setmetatable({}, {__tostring = function() return 'object' end})) end return deep(n - 1) + 1 end
        local log = {}
        for i = 1, 5 do
            local ok, e = xpcall(deep, function(e) return tostring(e) .. i end, i)
            log[#log + 1] = e
            -- Once: a handler that fails is called again and again.
            log[#log + 1] = i == 1 and select(2, xpcall(function() error('a', 2) end, function(m) error(m) end)) or ''
            log[#log + 1] = tostring(select(2, pcall(error)))
            log[#log + 1] = select(2, pcall(function() local t = nil t.x = 1 end))
            log[#log + 1] = select(2, pcall(function() return #nil end))
            log[#log + 1] = select(2, pcall(function() return {} < {} end))
            log[#log + 1] = select(2, pcall(string.rep))
        end
        result = #table.concat(log, '\\n', 1, 6)"),
    ("modules from preload", "
        package.preload.fault_a = function(name, where) local b = require('fault_b') return {n = b.n + 1, name = name} end
        package.preload.fault_b = function() coroutine.isyieldable() return {n = 1} end
        package.preload.fault_c = function() error('no') end
        local a = require('fault_a')
        local ok, m = pcall(require, 'fault_c')
        local ok2, m2 = pcall(require, 'fault_missing')
        result = a.n .. a.name .. tostring(ok) .. tostring(ok2)
        for _, n in ipairs {'fault_a', 'fault_b', 'fault_c'} do package.loaded[n] = nil package.preload[n] = nil end"),
    ("collector control", "
        local weak = setmetatable({}, {__mode = 'v'})
        local keys = setmetatable({}, {__mode = 'k'})
        for i = 1, 30 do
            weak[i] = {i} local k = {} keys[k] = {k}
            if i % 10 == 0 then collectgarbage('step', 0) end
        end
        collectgarbage('incremental', 150, 200)
        collectgarbage() collectgarbage('step', 10000)
        local n = 0
        for _ in pairs(weak) do n = n + 1 end
        for _ in pairs(keys) do n = n + 1 end
        result = n .. type(collectgarbage('count')) .. tostring(collectgarbage('isrunning'))"),
    ("yields everywhere", "
        local log = {}
        local function y(x) log[#log + 1] = coroutine.yield(x) return x end
        local co = coroutine.wrap(function()
            local t = {3, 1, 2}
            table.sort(t, function(a, b) y('sort') return a < b end)
            local s = ('abc'):gsub('.', function(c) y('gsub') return c:upper() end)
            local m = setmetatable({}, {__index = function(_, k) y('index') return k end, __lt = function() y('lt') return true end,
                __concat = function(a, b) y('concat') return 'c' end, __close = function() y('close') end,
                __tostring = function() y('tostring') return 'm' end})
            do local x <close> = m end
            local ok, e = pcall(function() y('pcall') error(m.key, 0) end)
            local f = load(function() return (y('reader') and #log % 3 > 0) and ' ' or nil end)
            return s .. e .. tostring(m < m) .. (m .. m) .. tostring(m) .. t[1]
        end)
        local r, n = nil, 0
        repeat r = co(n) n = n + 1 until #r > 8
        result = r .. n"),
    ("coroutines that die and are closed", "
        local log = {}
        local function guard(n) return setmetatable({}, {__close = function(_, e) log[#log + 1] = n .. type(e) end}) end
        for i = 1, 4 do
            local co = coroutine.create(function(a)
                local g <close> = guard('g' .. i)
                local inner = coroutine.wrap(function() local h <close> = guard('h') coroutine.yield(1) error({}) end)
                inner()
                coroutine.yield(a)
                if i == 3 then inner() end
                local k <close> = guard('k')
                error('end')
            end)
            log[#log + 1] = select('#', coroutine.resume(co, i))
            if i > 1 then log[#log + 1] = tostring((coroutine.resume(co))) end
            log[#log + 1] = coroutine.status(co) .. tostring(coroutine.close(co)) .. coroutine.status(co)
        end
        result = table.concat(log, ' ')"),
    ("deep recursion", "
        local function depth(n) if n == 0 then return 0 end return 1 + depth(n - 1) end
        local function tail(n, ...) if n == 0 then return select('#', ...) end return tail(n - 1, n, ...) end
        local t = setmetatable({}, {__index = function(t, k) if k == 0 then return 0 end return 1 + t[k - 1] end})
        local function nest(n) if n == 0 then return 0 end return select(2, pcall(nest, n - 1)) + 1 end
        result = depth(60) + tail(30) + t[30] + nest(20)"),
    ("growing and shrinking tables", "
        local t = {}
        for i = 1, 70 do t[i] = i t['k' .. i] = i end
        for i = 1, 70, 2 do t[i] = nil t['k' .. i] = nil end
        for i = 200, 210 do t[i] = {i} end
        t[1.5] = 'f' t[true] = 'b' t[print] = 'n'
        local n = 0
        for k, v in pairs(t) do n = n + 1 t[k] = nil end
        local u = {1, 2, nil, 4, [10] = 10, x = 1, table.unpack({5, 6, 7})}
        result = n .. tostring(next(t)) .. #u .. u.x .. rawlen(u)"),
    ("patterns", "
        local s = ('key = value; '):rep(8) .. 'x(y(z))'
        local out = {}
        for k, v in s:gmatch('(%w+)%s*=%s*(%w+)') do out[#out + 1] = k .. v end
        out[#out + 1] = s:match('%b()') out[#out + 1] = s:find('(x)()') out[#out + 1] = s:match('%f[%a]%a+')
        out[#out + 1] = s:gsub('%s+', ' '):gsub('(%w+) = (%w+)', '%2=%1')
        out[#out + 1] = tostring(select(2, pcall(string.match, s, '(')))
        out[#out + 1] = ('a'):rep(20):match(('a?'):rep(8) .. ('a'):rep(20))
        result = #table.concat(out)"),
    ("texts from loaded code", "
        local env = setmetatable({}, {__index = _G})
        local f = assert(load('x = 1 y = {} for i = 1, 10 do y[i] = function() return i + x end end return y', '=c', 't', env))
        local y = f()
        local s = 0
        for i, g in ipairs(y) do s = s + g() end
        local dumped = string.dump(function(a) return a .. '!' end)
        local g = assert(load(dumped, 'd', 'b'))
        result = s .. env.x .. g('a') .. type(load(dumped, 'd', 't')) .. os.date('!%Y-%m-%d %H', 86400)
            .. tostring(tonumber('0x10') + tonumber('  12  ') + tonumber('zz', 36))"),
    ("captured variables", "
        local fs = {}
        for i = 1, 8 do
            local a, b = i, i * 2
            fs[#fs + 1] = function(x) a = a + (x or 0) return a + b end
            fs[#fs + 1] = function() b = b + 1 return b end
            if i % 3 == 0 then local c = coroutine.wrap(function() a = a + 1 coroutine.yield(a) a = a + 1 end) c() c() end
        end
        local n = 0
        for i, f in ipairs(fs) do n = n + f(i) end
        local function counter() local c = 0 return function() c = c + 1 return c end, function() return c end end
        local inc, get = counter()
        inc() inc()
        result = n + get()"),
    ("hooks", "
        local lines, calls, counts = 0, 0, 0
        local function hook(event)
            if event == 'line' then lines = lines + 1 elseif event == 'count' then counts = counts + 1 else calls = calls + 1 end
        end
        local function work(n, ...) if n == 0 then return ... end return work(n - 1, n, ...) end
        debug.sethook(hook, 'crl', 30)
        work(2)
        pcall(error, {})
        table.sort({2, 1}, function(a, b) return a < b end)
        local co = coroutine.wrap(function() debug.sethook(hook, 'l') coroutine.yield(1) end)
        co() co()
        debug.sethook()
        result = lines .. ' ' .. calls .. ' ' .. counts"),
];
