-- Pages of kv.list.
for _, entry in ipairs((kv.list(""))) do kv.delete(entry.key) end

local function keys(list)
  local out = {}
  for i, entry in ipairs(list) do out[i] = entry.key .. "=" .. tostring(entry.value) end
  return table.concat(out, " ")
end

for i, key in ipairs { "p/b", "p/a", "p/c", "q", "p", "o" } do kv.set(key, i) end
local list, next = kv.list("p/")
print(keys(list), next)
list, next = kv.list("p/", { limit = 2 })
print(keys(list), next)
list, next = kv.list("p/", { limit = 2, after = next })
print(keys(list), next)
print(keys(kv.list("p/", { after = "p/bb" })))
print(keys(kv.list("p/", { after = "a" })))
print(keys(kv.list("p/", { after = "z" })) == "")
print(keys(kv.list("nothing")) == "", select("#", kv.list("nothing")))
print(keys(kv.list("")))
print(keys(kv.list()))
print(keys((kv.list("", { limit = 0 }))))

kv.set("p/b", 1, 0.01)
sleep(0.02)
print(keys(kv.list("p/")))

for from = 0, 2000, 500 do
  assert(kv.transaction(function(tx)
    for i = from + 1, from + 500 do tx:set(("many/%04d"):format(i), i) end
  end))
end
local pages, seen, after = {}, 0, nil
repeat
  local page
  page, after = kv.list("many/", { after = after })
  pages[#pages + 1] = #page
  for _, entry in ipairs(page) do
    seen = seen + 1
    assert(entry.value == seen)
  end
until not after
print(table.concat(pages, " "), seen)
print(kv.list(("k"):rep(1025)))
--> p/a=2 p/b=1 p/c=3	nil
--> p/a=2 p/b=1	p/b
--> p/c=3	nil
--> p/c=3
--> p/a=2 p/b=1 p/c=3
--> true
--> true	2
--> o=6 p=5 p/a=2 p/b=1 p/c=3 q=4
--> o=6 p=5 p/a=2 p/b=1 p/c=3 q=4
--> o=6
--> p/a=2 p/c=3
--> 1000 1000 500	2500
--> nil	key too long
