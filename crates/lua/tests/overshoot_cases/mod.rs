//! What a native (or an instruction) can be made to work long on, and how the longest stretch that it does not let itself
//! be interrupted in is found: the script runs in slices of one unit of fuel, so that it stops at every point where it
//! can, and the longest slice is that stretch.
//!
//! **Invariant:** a case names the work that its input asks for; a run that is charged much less is a failure, however
//! fast it was.

use rille_lua::{Lua, LuaOptions, Outcome, Profile, Result};
use std::time::{Duration, Instant};

/// The memory limit of the VM that a case runs in: `[limits] memory` of an app, unless its manifest says otherwise.
pub const MEMORY_LIMIT: usize = 64 << 20;

/// The longest stretch, in fuel, that is not a gap: about a millisecond at the rate the benchmark shows.
pub const MAX_STRETCH_FUEL: u64 = 200_000;

/// Something that can be made to work long.
pub struct Case {
    pub name: &'static str,
    /// Makes the input; not measured.
    pub setup: &'static str,
    /// The work.
    pub body: &'static str,
    /// About how many bytes or slots the body has to look at.
    pub work: u64,
    /// Why the stretch may be longer than the bound; none for almost all.
    pub gap: Option<&'static str>,
}

const fn case(name: &'static str, setup: &'static str, body: &'static str, work: u64) -> Case {
    Case {
        name,
        setup,
        body,
        work,
        gap: None,
    }
}

const fn gap(
    name: &'static str,
    setup: &'static str,
    body: &'static str,
    work: u64,
    why: &'static str,
) -> Case {
    Case {
        name,
        setup,
        body,
        work,
        gap: Some(why),
    }
}

const MIB: u64 = 1 << 20;
const GROW: &str = "a text whose length is not known doubles its room, and may have to move";
const VALUES: &str = "the values of one call or constructor (at most a million) move in one go";
const COMPARE: &str = "two texts are compared, and a text is hashed, in one go";
const COPY: &str = "a text is copied in one go";
const COMPILE: &str = "compilation is not interrupted";
const RETURN: &str = "a return is no safe point";
const EMPTY: &str = "next passes over empty slots in one go";

/// Every native that works on large input, and the instructions that do.
pub const CASES: &[Case] = &[
    // Strings made.
    case("string.rep", "", "local s = ('abc'):rep(8 << 20)", 24 * MIB),
    case(
        "string.rep of a byte",
        "",
        "local s = ('x'):rep(24 << 20)",
        24 * MIB,
    ),
    case(
        "string.rep with separator",
        "",
        "local s = ('x'):rep(8 << 20, ', ')",
        24 * MIB,
    ),
    case(
        "string.upper",
        "s = ('x'):rep(20 << 20)",
        "local t = s:upper()",
        20 * MIB,
    ),
    case(
        "string.lower",
        "s = ('X'):rep(20 << 20)",
        "local t = s:lower()",
        20 * MIB,
    ),
    case(
        "string.reverse",
        "s = ('x'):rep(20 << 20)",
        "local t = s:reverse()",
        20 * MIB,
    ),
    case(
        "string.sub",
        "s = ('x'):rep(20 << 20)",
        "local t = s:sub(2)",
        20 * MIB,
    ),
    case(
        "..",
        "s = ('x'):rep(12 << 20)",
        "local t = s .. s",
        24 * MIB,
    ),
    case(
        ".. of many",
        "s = ('x'):rep(1 << 20)",
        "local t = s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s",
        12 * MIB,
    ),
    gap(
        "table.concat of long",
        "t = {} local s = ('x'):rep(1 << 20) for i = 1, 20 do t[i] = s end",
        "local s = table.concat(t)",
        20 * MIB,
        GROW,
    ),
    gap(
        "table.concat of many",
        "t = {} for i = 1, 1000000 do t[i] = i end",
        "local s = table.concat(t, ',')",
        MIB,
        GROW,
    ),
    gap(
        "string.char",
        "t = {} for i = 1, 200000 do t[i] = 65 end",
        "local s = string.char(table.unpack(t))",
        200_000,
        VALUES,
    ),
    gap(
        "utf8.char",
        "t = {} for i = 1, 200000 do t[i] = 0x20AC end",
        "local s = utf8.char(table.unpack(t))",
        200_000,
        VALUES,
    ),
    gap(
        "string.format %s",
        "s = ('x'):rep(10 << 20)",
        "local t = string.format('%s%s', s, s)",
        20 * MIB,
        GROW,
    ),
    gap(
        "string.format %q",
        "s = ('\\n'):rep(5 << 20)",
        "local t = string.format('%q', s)",
        5 * MIB,
        GROW,
    ),
    gap(
        "string.format of a long format",
        "s = ('x'):rep(20 << 20)",
        "local t = string.format(s)",
        20 * MIB,
        GROW,
    ),
    case(
        "string.format %99.99f",
        "f = ('%99.99f'):rep(1000) t = {} for i = 1, 1000 do t[i] = 1e300 end",
        "local s = f:format(table.unpack(t))",
        400_000,
    ),
    case(
        "string.pack s",
        "s = ('x'):rep(20 << 20)",
        "local t = string.pack('s4', s)",
        20 * MIB,
    ),
    case(
        "string.pack c",
        "",
        "local t = string.pack('c20000000', 'x')",
        20_000_000,
    ),
    case(
        "string.pack many",
        "f = ('x'):rep(4 << 20)",
        "local t = string.pack(f)",
        4 * MIB,
    ),
    case(
        "string.packsize",
        "f = ('b'):rep(4 << 20)",
        "local n = string.packsize(f)",
        4 * MIB,
    ),
    gap(
        "string.gsub by a string",
        "s = ('x'):rep(4 << 20)",
        "local t = s:gsub('x', 'yy')",
        4 * MIB,
        GROW,
    ),
    case(
        "string.gsub that finds nothing",
        "s = ('x'):rep(20 << 20)",
        "local t = s:gsub('y', 'z')",
        20 * MIB,
    ),
    gap(
        "string.gsub by a long string",
        "s = ('x'):rep(20) r = ('y'):rep(1 << 20)",
        "local t = s:gsub('x', r)",
        20 * MIB,
        GROW,
    ),
    gap(
        "string.gsub by the whole",
        "s = ('x'):rep(10 << 20)",
        "local t = s:gsub('^.*$', '%0%0')",
        20 * MIB,
        GROW,
    ),
    gap(
        "string.gsub by a table",
        "s = ('x '):rep(1 << 20)",
        "local t = s:gsub('%a', {x = 'long replacement'})",
        2 * MIB,
        GROW,
    ),
    case(
        "string.gsub of a rest",
        "s = ('x'):rep(20 << 20)",
        "local t = s:gsub('x', 'y', 1)",
        20 * MIB,
    ),
    // Strings looked at.
    case(
        "string.find plain",
        "s = ('x'):rep(24 << 20)",
        "local t = s:find('xy', 1, true)",
        24 * MIB,
    ),
    gap(
        "string.find plain, long needle",
        "s = ('x'):rep(12 << 20) n = ('x'):rep(6 << 20) .. 'y'",
        "local t = s:find(n, 1, true)",
        12 * MIB,
        COMPARE,
    ),
    case(
        "string.find quadratic",
        "s = ('a'):rep(3000)",
        "local t = s:find('.-b')",
        4_000_000,
    ),
    case(
        "string.find of a class",
        "s = ('x'):rep(24 << 20)",
        "local t = s:find('%d')",
        24 * MIB,
    ),
    case(
        "string.match that takes all",
        "s = ('x'):rep(20 << 20)",
        "local t = s:match('.*')",
        20 * MIB,
    ),
    gap(
        "string.match of captures",
        "s = ('x'):rep(10 << 20)",
        "local t = s:match('((.*))')",
        10 * MIB,
        COPY,
    ),
    case(
        "string.match %b",
        "s = ('('):rep(20 << 20)",
        "local t = s:match('^%b()')",
        20 * MIB,
    ),
    case(
        "string.match back reference",
        "s = ('x'):rep(8 << 20)",
        "local t = s:match('^(x*)%1$')",
        8 * MIB,
    ),
    case(
        "string.match long pattern",
        "p = ('x?'):rep(1 << 17)",
        "local t = ('y'):match(p)",
        1 << 17,
    ),
    case(
        "string.gmatch",
        "s = ('x '):rep(1 << 19)",
        "local n = 0 for w in s:gmatch('%a+') do n = n + 1 end",
        MIB,
    ),
    case(
        "string.byte",
        "s = ('x'):rep(200000)",
        "local n = select('#', s:byte(1, -1))",
        200_000,
    ),
    case(
        "string.unpack many",
        "s = ('x'):rep(200000) f = ('b'):rep(200000)",
        "local n = select('#', string.unpack(f, s))",
        200_000,
    ),
    gap(
        "string.unpack z",
        "s = ('x'):rep(20 << 20) .. '\\0'",
        "local t = string.unpack('z', s)",
        20 * MIB,
        COPY,
    ),
    gap(
        "string.unpack z without end",
        "s = ('x'):rep(24 << 20)",
        "pcall(string.unpack, 'z', s)",
        24 * MIB,
        COPY,
    ),
    gap(
        "string.unpack s",
        "s = string.pack('s4', ('x'):rep(20 << 20))",
        "local t = string.unpack('s4', s)",
        20 * MIB,
        COPY,
    ),
    case(
        "utf8.len",
        "s = ('x'):rep(20 << 20)",
        "local n = utf8.len(s)",
        20 * MIB,
    ),
    case(
        "utf8.offset",
        "s = ('x'):rep(20 << 20)",
        "local n = utf8.offset(s, 15 << 20)",
        15 * MIB,
    ),
    case(
        "utf8.offset of a start",
        "s = 'x' .. ('\\x80'):rep(20 << 20)",
        "local n = utf8.offset(s, 0, -1)",
        20 * MIB,
    ),
    case(
        "utf8.codepoint",
        "s = ('x'):rep(200000)",
        "local n = select('#', utf8.codepoint(s, 1, -1))",
        200_000,
    ),
    case(
        "utf8.codes",
        "s = 'x' .. ('\\x80'):rep(20 << 20)",
        "pcall(function() for p in utf8.codes(s) do end end)",
        0,
    ),
    case(
        "tonumber of spaces",
        "s = (' '):rep(24 << 20)",
        "local n = tonumber(s)",
        0,
    ),
    case(
        "tonumber of digits",
        "s = ('1'):rep(24 << 20)",
        "local n = tonumber(s)",
        0,
    ),
    case(
        "tonumber of hexadecimal digits",
        "s = '0x' .. ('f'):rep(24 << 20)",
        "local n = tonumber(s)",
        0,
    ),
    case(
        "tonumber in a base",
        "s = ('1'):rep(24 << 20)",
        "local n = tonumber(s, 7)",
        0,
    ),
    case(
        "arithmetic on a long numeral",
        "s = (' '):rep(24 << 20)",
        "pcall(function() return s + 1 end)",
        0,
    ),
    case(
        "an argument that is a long numeral",
        "s = (' '):rep(24 << 20)",
        "pcall(math.floor, s)",
        0,
    ),
    case(
        "an integer argument that is a long numeral",
        "s = (' '):rep(24 << 20)",
        "pcall(string.rep, 'x', s)",
        0,
    ),
    case(
        "a loop's limit that is a long numeral",
        "s = (' '):rep(24 << 20)",
        "pcall(function() for i = 1, s do end end)",
        0,
    ),
    case(
        "bitwise on a long numeral",
        "s = (' '):rep(24 << 20)",
        "pcall(function() return s | 1 end)",
        0,
    ),
    gap(
        "==",
        "a = ('x'):rep(12 << 20) b = ('x'):rep(12 << 20)",
        "local t = a == b",
        12 * MIB,
        COMPARE,
    ),
    gap(
        "rawequal",
        "a = ('x'):rep(12 << 20) b = ('x'):rep(12 << 20)",
        "local t = rawequal(a, b)",
        12 * MIB,
        COMPARE,
    ),
    gap(
        "<",
        "a = ('x'):rep(12 << 20) b = ('x'):rep(12 << 20)",
        "local t = a < b",
        12 * MIB,
        COMPARE,
    ),
    gap(
        "a long key",
        "a = ('x'):rep(12 << 20) b = ('x'):rep(12 << 20) t = {[a] = 1}",
        "local v = t[b]",
        12 * MIB,
        COMPARE,
    ),
    gap(
        "a long key stored",
        "a = ('x'):rep(12 << 20) b = ('x'):rep(12 << 20) t = {[a] = 1}",
        "t[b] = 2",
        12 * MIB,
        COMPARE,
    ),
    gap(
        "a long key by rawget",
        "a = ('x'):rep(12 << 20) b = ('x'):rep(12 << 20) t = {[a] = 1}",
        "local v = rawget(t, b)",
        12 * MIB,
        COMPARE,
    ),
    // Errors and messages.
    gap(
        "error with a long message",
        "s = ('x'):rep(12 << 20)",
        "pcall(error, s, 1)",
        0,
        COPY,
    ),
    gap(
        "error at a level",
        "s = ('x'):rep(12 << 20)",
        "pcall(function() error(s) end)",
        12 * MIB,
        COPY,
    ),
    gap(
        "a wrapped coroutine's long error",
        "s = ('x'):rep(12 << 20)",
        "pcall(coroutine.wrap(function() error(s, 0) end))",
        12 * MIB,
        COPY,
    ),
    case(
        "an invalid option that is long",
        "s = ('x'):rep(12 << 20)",
        "pcall(collectgarbage, s)",
        0,
    ),
    case(
        "a long name in an index error",
        "s = ('x'):rep(12 << 20)",
        "pcall(function() local t = nil return t[s] end)",
        0,
    ),
    gap(
        "debug.traceback with a long message",
        "s = ('x'):rep(12 << 20)",
        "local t = debug.traceback(s)",
        12 * MIB,
        COPY,
    ),
    gap(
        "debug.traceback of a deep stack",
        "",
        "local function f(n) if n == 0 then return #debug.traceback() end return (f(n - 1)) end f(150000)",
        150_000,
        RETURN,
    ),
    case("warn", "s = ('x'):rep(12 << 20)", "warn(s)", 0),
    // Loading.
    gap(
        "load of a long text",
        "s = ('x = 1 '):rep(100000)",
        "local f = load(s)",
        600_000,
        COMPILE,
    ),
    gap(
        "load of a long comment",
        "s = '--[[' .. (' '):rep(20 << 20) .. ']]'",
        "local f = load(s)",
        20 * MIB,
        COMPILE,
    ),
    gap(
        "load of a long string",
        "s = 'return \"' .. ('x'):rep(10 << 20) .. '\"'",
        "local f = load(s)",
        10 * MIB,
        COMPILE,
    ),
    gap(
        "load of a long name",
        "s = ('x'):rep(10 << 20)",
        "local f = load(s)",
        10 * MIB,
        COMPILE,
    ),
    gap(
        "load with a reader",
        "s = ('x = 1 '):rep(10000) n = 0",
        "local f = load(function() n = n + 1 return n < 10 and s or nil end)",
        500_000,
        COMPILE,
    ),
    case(
        "load of a binary chunk",
        "s = '\\27Lua' .. ('x'):rep(20 << 20)",
        "local f = load(s)",
        0,
    ),
    case(
        "require of a long name",
        "s = ('x.'):rep(100000)",
        "pcall(require, s)",
        200_000,
    ),
    case(
        "package.searchpath",
        "s = ('?;'):rep(100)",
        "local f = package.searchpath(('x'):rep(1000), s)",
        100_000,
    ),
    gap(
        "os.date",
        "s = ('%c'):rep(1 << 20)",
        "local d = os.date(s)",
        2 * MIB,
        GROW,
    ),
    gap(
        "os.date of text",
        "s = ('x'):rep(20 << 20)",
        "local d = os.date(s)",
        20 * MIB,
        GROW,
    ),
    case(
        "os.getenv",
        "s = ('x'):rep(20 << 20)",
        "local d = os.getenv(s)",
        0,
    ),
    // Tables.
    case(
        "table.insert in front",
        "t = {} for i = 1, 1000000 do t[i] = i end",
        "table.insert(t, 1, 0)",
        1_000_000,
    ),
    case(
        "table.remove in front",
        "t = {} for i = 1, 1000000 do t[i] = i end",
        "table.remove(t, 1)",
        1_000_000,
    ),
    case(
        "table.move",
        "t = {} for i = 1, 1000000 do t[i] = i end",
        "table.move(t, 1, 1000000, 2)",
        1_000_000,
    ),
    gap(
        "table.unpack",
        "t = {} for i = 1, 900000 do t[i] = i end",
        "local n = select('#', table.unpack(t))",
        900_000,
        VALUES,
    ),
    case(
        "table.unpack with __index",
        "t = setmetatable({}, {__index = function() return 1 end})",
        "local n = select('#', table.unpack(t, 1, 100000))",
        100_000,
    ),
    gap(
        "table.pack",
        "t = {} for i = 1, 900000 do t[i] = i end",
        "local n = table.pack(table.unpack(t))",
        900_000,
        VALUES,
    ),
    gap(
        "a constructor of many",
        "t = {} for i = 1, 900000 do t[i] = i end",
        "local n = {table.unpack(t)}",
        900_000,
        VALUES,
    ),
    case(
        "table.sort of numbers",
        "t = {} for i = 1, 500000 do t[i] = i * 7919 % 500009 end",
        "table.sort(t)",
        500_000,
    ),
    case(
        "table.sort of strings",
        "t = {} for i = 1, 200000 do t[i] = 's' .. i * 7919 % 200003 end",
        "table.sort(t)",
        200_000,
    ),
    case(
        "table.sort of long strings",
        "t = {} local s = ('x'):rep(1 << 20) for i = 1, 20 do t[i] = s .. i * 7 % 23 end",
        "table.sort(t)",
        60 * MIB,
    ),
    case(
        "table.sort with a comparator",
        "t = {} for i = 1, 20000 do t[i] = i * 7919 % 20011 end",
        "table.sort(t, function(a, b) return a > b end)",
        20_000,
    ),
    gap(
        "next on an emptied table",
        "t = {} for i = 1, 1 << 19 do t['k' .. i] = 1 end for k in pairs(t) do t[k] = nil end",
        "local k = next(t)",
        1 << 19,
        EMPTY,
    ),
    gap(
        "next on an emptied array",
        "t = {} for i = 1, 1 << 20 do t[i] = 1 end for i = 1, 1 << 20 do t[i] = nil end",
        "local k = next(t)",
        1 << 20,
        EMPTY,
    ),
    case(
        "pairs over all",
        "t = {} for i = 1, 1 << 19 do t['k' .. i] = 1 end",
        "for k in pairs(t) do end",
        1 << 19,
    ),
    case(
        "# of a table with holes",
        "t = {} for i = 1, 1 << 20 do t[i] = 1 end for i = 1, 1 << 20, 2 do t[i] = nil end",
        "local n = #t",
        0,
    ),
    case(
        "inserts that grow an array",
        "t = {} for i = 1, 1 << 20 do t[i] = 1 end",
        "for i = 1, 1 << 17 do t[#t + 1] = 1 end",
        1 << 20,
    ),
    case(
        "inserts that grow a hash part",
        "t = {} for i = 1, 1 << 19 do t[i * 1.5 + 0.25] = 1 end",
        "for i = 1, 1 << 17 do t[-i] = 1 end",
        1 << 19,
    ),
    // Calls.
    gap(
        "select('#', ...)",
        "t = {} for i = 1, 900000 do t[i] = i end",
        "local n = select('#', table.unpack(t))",
        900_000,
        VALUES,
    ),
    gap(
        "varargs passed on",
        "t = {} for i = 1, 200000 do t[i] = i end",
        "local function f(n, ...) if n == 0 then return select('#', ...) end return f(n - 1, ...) end f(100, table.unpack(t))",
        20_000_000,
        VALUES,
    ),
    case(
        "results passed up",
        "t = {} for i = 1, 100000 do t[i] = i end",
        "local function f(n) if n == 0 then return table.unpack(t) end return f(n - 1), f(n - 1) end f(5)",
        100_000,
    ),
    gap(
        "coroutine.resume with many",
        "t = {} for i = 1, 900000 do t[i] = i end",
        "coroutine.resume(coroutine.create(function() end), table.unpack(t))",
        900_000,
        VALUES,
    ),
    gap(
        "coroutine.wrap with many",
        "t = {} for i = 1, 900000 do t[i] = i end",
        "coroutine.wrap(function() end)(table.unpack(t))",
        900_000,
        VALUES,
    ),
    case(
        "coroutine.close with many variables",
        "m = setmetatable({}, {__close = function() end}) local function f(n) if n == 0 then coroutine.yield() return end local x <close> = m return (f(n - 1)) end co = coroutine.create(f) coroutine.resume(co, 100000)",
        "coroutine.close(co)",
        100_000,
    ),
    case(
        "an error that closes many variables",
        "m = setmetatable({}, {__close = function() end})",
        "local function f(n) if n == 0 then error('x') end local x <close> = m return (f(n - 1)) end pcall(f, 100000)",
        100_000,
    ),
    gap(
        "a deep recursion",
        "",
        "local function f(n) if n > 0 then return 1 + f(n - 1) end return 0 end f(190000)",
        190_000,
        RETURN,
    ),
    case(
        "an error through many frames",
        "",
        "local function f(n) if n == 0 then error('x') end return 1 + f(n - 1) end pcall(f, 190000)",
        190_000,
    ),
    gap(
        "math.max of many",
        "t = {} for i = 1, 900000 do t[i] = i end",
        "local n = math.max(table.unpack(t))",
        900_000,
        VALUES,
    ),
    case(
        "closing many captured variables",
        "",
        "local all = {} for i = 1, 100000 do local x = i all[i] = function() x = x + 1 return x end end",
        100_000,
    ),
    // The collector.
    case(
        "collectgarbage of many objects",
        "t = {} for i = 1, 400000 do t[i] = {} end",
        "collectgarbage()",
        400_000,
    ),
    case(
        "collectgarbage('step', large)",
        "t = {} for i = 1, 400000 do t[i] = {} end",
        "collectgarbage('step', 1 << 20)",
        400_000,
    ),
    case(
        "steps of the collector",
        "t = {} for i = 1, 400000 do t[i] = {} end",
        "for i = 1, 400000 do local x = {} end",
        400_000,
    ),
    case(
        "the end of marking with a large weak table",
        "t = setmetatable({}, {__mode = 'k'}) keys = {} for i = 1, 200000 do local k = {} keys[i] = k t[k] = i end",
        "for i = 1, 600000 do local x = {} end",
        400_000,
    ),
    case(
        "the end of marking with many finalizers",
        "m = {__gc = function() end} t = {} for i = 1, 300000 do t[i] = setmetatable({}, m) end",
        "for i = 1, 600000 do local x = {} end",
        300_000,
    ),
    gap(
        "the end of marking with a large stack",
        "",
        "local function f(n) if n == 0 then for i = 1, 600000 do local x = {} end return 0 end return 1 + f(n - 1) end f(150000)",
        450_000,
        RETURN,
    ),
];

/// What a case came to.
pub struct Measured {
    pub total_fuel: u64,
    pub longest_fuel: u64,
    /// What the longest stretch, by its fuel, took.
    pub longest_time: Duration,
    pub total_time: Duration,
}

/// Runs a case in slices of so much fuel.
pub fn measure(case: &Case, slice: u64) -> Result<Measured> {
    let lua = Lua::with_options(LuaOptions {
        profile: Profile::Sandbox,
        memory_limit: MEMORY_LIMIT,
        ..LuaOptions::default()
    })?;
    lua.load(case.setup).set_name("=setup").exec()?;
    lua.gc_collect()?;
    let thread = lua.create_thread(lua.load(case.body).set_name("=body").into_function()?)?;
    let mut measured = Measured {
        total_fuel: 0,
        longest_fuel: 0,
        longest_time: Duration::ZERO,
        total_time: Duration::ZERO,
    };
    let mut first = true;
    loop {
        let before = lua.fuel_used();
        let start = Instant::now();
        let outcome = if std::mem::take(&mut first) {
            thread.resume_with_fuel((), slice)
        } else {
            thread.continue_with_fuel(slice)
        };
        let time = start.elapsed();
        let fuel = lua.fuel_used() - before;
        measured.total_fuel += fuel;
        measured.total_time += time;
        if fuel > measured.longest_fuel {
            (measured.longest_fuel, measured.longest_time) = (fuel, time);
        }
        match outcome {
            Outcome::Done(_) => return Ok(measured),
            Outcome::Preempted => {}
            Outcome::Error(e) => return Err(e),
            other => panic!("{}: {other:?}", case.name),
        }
    }
}
