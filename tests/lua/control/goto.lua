-- Goto: forward, backward, out of blocks, continue, and the rules about labels.
do
  local i = 1
  ::top::
  io.write(i, " ")
  i = i + 1
  if i <= 5 then goto top end
  print()
end
for i = 1, 10 do
  if i % 2 == 0 then goto continue end
  io.write(i, " ")
  ::continue::
end
print()
for i = 1, 3 do
  for j = 1, 3 do
    if i * j == 4 then goto out end
    io.write(i * j, " ")
  end
end
::out::
print("out")
-- A backward goto makes a new local each time round.
do
  local fs, n = {}, 0
  ::again::
  local x = n
  fs[#fs + 1] = function() x = x + 1 return x end
  n = n + 1
  if n < 3 then goto again end
  print(fs[1](), fs[1](), fs[2](), fs[3]())
end
-- Labels of the same name in different functions and nested blocks.
local function f(n)
  ::again::
  if n > 0 then n = n - 1 goto again end
  do goto again2 ::again2:: end
  return (function() goto again do end ::again:: return "inner" end)()
end
print(f(3))
-- A label at the end of a block is past its locals.
do
  goto last
  local skipped
  ::last::
end
do
  if true then goto finish end
  local x = 1
  print(x)
  ::finish:: ; ;
end
while true do
  goto leave
end
::leave::
print("done")
local function bad(source) print(select(2, load(source, "=src"))) end
bad "goto missing"
bad "do ::inner:: end goto inner"
bad "goto f; local x = 1; ::f:: print(x)"
bad "::x:: do ::x:: end"
bad "repeat if x then goto cont end; local xuxu = 10; ::cont:: until xuxu < x"
bad "break"
--> 1 2 3 4 5 
--> 1 3 5 7 9 
--> 1 2 3 2 out
--> 1	2	2	3
--> inner
--> done
--> src:1: no visible label 'missing' for <goto> at line 1
--> src:1: no visible label 'inner' for <goto> at line 1
--> src:1: <goto f> at line 1 jumps into the scope of local 'x'
--> src:1: label 'x' already defined on line 1
--> src:1: <goto cont> at line 1 jumps into the scope of local 'xuxu'
--> src:1: break outside loop at line 1
