-- Functions give the same whether the interpreter calls them, which has short ways for many, or pcall.
-- timeout: 60 s
local calls, different, failed = 0, 0, 0
local pack = table.pack
local function equal(a, b)
  return a == b and math.type(a) == math.type(b) or a ~= a and b ~= b
end
local function check(f, ...)
  calls = calls + 1
  local expected = pack(pcall(f, ...))
  local one = pack(pcall(function(...) local value = f(...) return value end, ...))
  local all = pack(pcall(function(...) local values = pack(f(...)) return table.unpack(values, 1, values.n) end, ...))
  local good = expected[1] == one[1] and expected[1] == all[1]
  if expected[1] then
    good = good and equal(expected[2], one[2]) and expected.n == all.n
    for i = 2, expected.n do good = good and equal(expected[i], all[i]) end
  else
    failed = failed + 1
  end
  if not good then
    different = different + 1
    if different < 10 then print(..., "expected", table.unpack(expected, 1, expected.n)) end
  end
end

local subjects = { "", "a", "abc", "key = value", "  trim me ", "a.b", "12.5e3", "f(x(y)z)", ("ab"):rep(200), "aβ中😀", "\x80\xff\0z", 12 }
local patterns = {
  "", "a", "b", ".", "^a", "%s", "%S", "^%s*(.-)%s*$", "(%w+)%s*=%s*(%w+)", "()b", "%b()", "%f[%w]%w+", "z", "[^a]", "a-b", "(", "%", "(a)%1",
  "x*", "value", ("ab"):rep(20), "(.*)b(.*)", "$", ")", "]",
}
local positions = { 1, 2, -1, 0, 4, 100, -100, "2", 1.0, 1.5 }
for round = 1, 2 do
  for _, subject in ipairs(subjects) do
    for _, pattern in ipairs(patterns) do
      check(string.find, subject, pattern)
      check(string.match, subject, pattern)
      for _, position in ipairs(positions) do
        check(string.find, subject, pattern, position)
        check(string.find, subject, pattern, position, true)
        check(string.match, subject, pattern, position)
      end
    end
  end
end
local replacements = {
  "", "x", "<%0>", "%1%1", "%2", "%", "%%", "%q", ("long"):rep(60), 12, true, { a = "A", abc = 12, key = false, value = 1.5, ab = ("b"):rep(100) }, { a = {} },
  setmetatable({}, { __index = function(_, key) return key .. key end }), function(a) return a end,
}
for round = 1, 2 do
  for _, subject in ipairs(subjects) do
    for _, pattern in ipairs(patterns) do
      for _, replacement in ipairs(replacements) do check(string.gsub, subject, pattern, replacement) end
      check(string.gsub, subject, pattern, "x", 1)
    end
  end
end
for _, subject in ipairs(subjects) do
  for _, f in ipairs { string.upper, string.lower, string.reverse, string.len, rawlen, tonumber, tostring, utf8.len, utf8.codepoint, math.type } do
    check(f, subject)
  end
  for _, i in ipairs { 0, 1, 2, 3, 4, 5, 7, 8, 10, 11, 12, -1, -4, -8, 399, 1000, math.mininteger, "1", 1.0 } do
    if math.type(i) == "float" or type(i) == "string" or i < 300 and i > -300 then check(string.rep, subject, i) end
    check(utf8.codepoint, subject, i)
    check(utf8.codepoint, subject, i, -1)
    check(utf8.len, subject, i)
    check(utf8.len, subject, 1, i)
    check(utf8.len, subject, i, i, true)
    check(utf8.offset, subject, i)
    for _, j in ipairs { 1, 2, 4, 10, 11, 12, -1 } do check(utf8.offset, subject, i, j) end
  end
end
for _, code in ipairs { 0, 65, 127, 128, 0x7FF, 0x800, 0xD800, 0xFFFF, 0x10000, 0x10FFFF, 0x110000, 0x7FFFFFFF, 0x80000000, -1, 65.0, "65", 1.5 } do
  check(utf8.char, code)
  check(utf8.char, code, 0x4E2D, code)
end
check(utf8.char)
check(utf8.char, 65, 66, 67, 68, 69, 70, 71, 72, 73)

for _, text in ipairs { "ff", "-7", "zz", " 10 ", "", "12.5", "1e1", "8", ("1"):rep(70), 10 } do
  for _, base in ipairs { 2, 8, 10, 16, 36, 1, 37, 10.0, "16" } do check(tonumber, text, base) end
end
local function rawset_anew(key, value) return rawget(rawset({}, key, value), key) end
for _, key in ipairs { 1, "key", ("key"):rep(30), 2.0, 1.5, true, 0 / 0 } do check(rawset_anew, key, 1) end
check(rawset, 1, 2, 3)
check(rawset, {}, nil, 3)
check(rawset, {}, 1)
check(rawlen, { 1, 2, 3 })
check(rawlen, setmetatable({ 1 }, { __len = function() return 7 end }))
local list = { 10, 20, name = "x" }
check(next, {})
check(next, { 5 })
check(next, list, 1)
check(next, list, 2)
check(next, list, "name")
check(next, list, "absent")
check(next, 1)
for _, a in ipairs { 7, -7, 7.5, -7.5, math.mininteger, 1 / 0, "7" } do
  check(math.atan, a)
  check(math.type, a)
  for _, b in ipairs { 3, -3, 2.5, 0, 0.0, -1, 1 / 0, "3" } do
    check(math.fmod, a, b)
    check(math.atan, a, b)
  end
end
check(math.type)
check(math.atan)
for _, format in ipairs {
  "", "b", "B", "<i2", ">i2", "<I3", ">I7", "i16", ">I16", "j", "n", "f", "<d", "s1", "s2", ">s4", "z", "c3", "c0", "!8 b i8", "!4 b Xi4 b", "x b", "!8 b d",
  "i17", "y", "!3 i4", "Xz", "i", ("b"):rep(70), "c300", ("x"):rep(300),
} do
  for _, value in ipairs { 0, 1, -1, 127, 128, 255, 256, 65535, 1 << 40, math.mininteger, 1.0, 1.5, "abc", "", "a\0b", ("long"):rep(70), "12" } do
    check(string.pack, format, value, value)
    local good, packed = pcall(string.pack, format, value, value)
    if good then check(string.unpack, format, packed) end
  end
end
print(calls > 20000, failed > 4000, different)

-- Sequences are the same, however the numbers are asked for.
local function sequence(random)
  math.randomseed(42)
  return random(), random(10), random(-5, 5), random(0), random(math.mininteger, math.maxinteger), random(3, 3)
end
print(sequence(math.random))
print(select("#", sequence(function(...) return select(2, pcall(math.random, ...)) end)))
for i, value in ipairs { sequence(math.random) } do
  assert(equal(value, (select(i, sequence(function(...) return select(2, pcall(math.random, ...)) end)))))
end
print(pcall(function() local n = math.random(0, -1) return n end))
print(pcall(function() local n = math.random(-3) return n end))
--> true	true	0
--> 0.93081217803957	2	0	-7059243630996204619	-9046270629122405825	3
--> 6
--> false	functions/called_by_pcall.lua:129: bad argument #1 to 'random' (interval is empty)
--> false	functions/called_by_pcall.lua:130: bad argument #1 to 'random' (interval is empty)
