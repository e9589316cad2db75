-- Long brackets: levels, the skipped first newline, and no escapes inside.
print([[a
b]])
print([[
first newline dropped]])
print([[

one kept]])
print([==[ ]] ]=] ]==])
print([[\n\x41 \z]])
print(#[[]], #[==[]==], #[[
]])
print([=[
x]]y]=])
local t = {[ [[key]] ]= 1}
print(t.key)
--[[ a comment
over lines ]] print("after comment")
--[==[
]] still a comment
]==]
---[[ a line comment, in spite of its look
print("line comment")
--]]
--> a
--> b
--> first newline dropped
-->
--> one kept
-->  ]] ]=] 
--> \n\x41 \z
--> 0	0	0
--> x]]y
--> 1
--> after comment
--> line comment
