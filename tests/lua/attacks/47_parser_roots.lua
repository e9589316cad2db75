-- Strings that only the parser knows survive a collection at every allocation.
-- only: rille
-- attack: done
-- flags: --sandbox --max-memory 64MiB --max-instructions 20000000
-- timeout: 10 s
local pieces = {}
for i = 1, 40 do
  pieces[#pieces + 1] = ("local name_%d_long_enough_to_be_rare = 'text %d \\u{48}\\x49\\z   end %s'\n"):format(i, i, ("y"):rep(i * 3))
end
pieces[#pieces + 1] = "return {" .. ("name_1_long_enough_to_be_rare .. [==[long\n" .. ("z"):rep(60) .. "]==], "):rep(5) .. "field_name_of_the_table = 1.5e3, ['key with spaces'] = 0x10}, goto_label"
local i = 0
local function reader()
  i = i + 1
  collectgarbage()
  local garbage = {} for k = 1, 20 do garbage[k] = "garbage " .. k .. i end
  return pieces[i]
end
local f = assert(load(reader, "=" .. ("name "):rep(30)))
collectgarbage()
local t = f()
print(#t, #t[1], t.field_name_of_the_table, t["key with spaces"])
print(load(function() i = i + 1 collectgarbage() return i < 60 and (i % 2 == 0 and "x = '" .. i or " unfinished ") or nil end))
for n = 1, 30 do
  local ok, message = load("local a = " .. ("("):rep(n) .. "'unfinished " .. n)
  assert(not ok and message:find("unfinished string"))
end
print(load("goto nowhere_that_exists_in_this_chunk_for_sure"))
print(load("local x <constant_attribute_that_is_unknown> = 1"))
--> 5	81	1500.0	16
--> nil	(load):1: syntax error near 'x'
--> nil	[string "goto nowhere_that_exists_in_this_chunk_for_su..."]:1: no visible label 'nowhere_that_exists_in_this_chunk_for_sure' for <goto> at line 1
--> nil	[string "local x <constant_attribute_that_is_unknown> ..."]:1: unknown attribute 'constant_attribute_that_is_unknown'
