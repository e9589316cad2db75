-- A memory error is an ordinary error where it happens: it can be caught, and the script goes on.
-- only: rille
-- flags: --max-memory 32MiB
-- rss: 64 MiB
-- stress: skip, fills the memory
for round = 1, 3 do
  local ok, message = pcall(function()
    local t = {}
    for i = 1, 1e9 do t[i] = {i, tostring(i)} end
  end)
  print(ok, message)
end
print(pcall(string.rep, "x", 1 << 28))
print(#("x"):rep(1 << 20))
--> false	not enough memory
--> false	not enough memory
--> false	not enough memory
--> false	not enough memory
--> 1048576
