-- How results are adjusted in each context.
local function none() end
local function one() return 1 end
local function three() return 1, 2, 3 end
print(none()) print((none())) print(none(), none()) print(one(), none(), three())
print(three(), three()) print((three()))
print(#{none()}, #{three(), three()})
local a, b, c, d = three()
print(a, b, c, d)
a, b = none(), 5
print(a, b)
print(three() + three(), -three(), #tostring(three()), three() .. "")
if three() then print("first result counts") end
if none() then print("never") else print("none is false") end
print(select("#", none()), select("#", (none())), select("#", none(), none()))
local t = {three(), x = three(), three()}
print(#t, t.x)
print(pcall(none)) print(pcall(three))
print((function(...) return ... end)(three()))
print(pcall(type, none()))
print(tostring((none())), pcall(tostring, none()))
local function tail() return three() end
print(tail()) print((tail()))
print(math.max(three()), string.char(65, three() + 65))
print(coroutine.wrap(three)())
return three()
-->
--> nil
--> nil
--> 1	nil	1	2	3
--> 1	1	2	3
--> 1
--> 0	4
--> 1	2	3	nil
--> nil	5
--> 2	-1	1	1
--> first result counts
--> none is false
--> 0	1	1
--> 4	1
--> true
--> true	1	2	3
--> 1	2	3
--> false	bad argument #1 to 'type' (value expected)
--> nil	false	bad argument #1 to 'tostring' (value expected)
--> 1	2	3
--> 1
--> 3	AB
--> 1	2	3
