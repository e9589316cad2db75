-- Building long strings from parts: table.concat with and without separator, string.rep, reverse, upper, lower.
local n = tonumber((...)) or 200

local words = { "alpha", "beta", "gamma", "delta", "epsilon", "zeta" }
local total, check = 0, 0
for round = 1, n do
  local parts = {}
  for i = 1, 5000 do parts[i] = words[i % 6 + 1] end
  local plain = table.concat(parts)
  local listed = table.concat(parts, ", ")
  local some = table.concat(parts, ";", 100, 200)
  local row = string.rep("=-", 400, "")
  local block = string.rep(row .. "\n", 20)
  local shouted = string.upper(listed)
  local back = shouted:reverse():lower()
  total = total + #plain + #listed + #some + #block + #back
  check = (check * 31 + back:byte(round % #back + 1)) % 65521
  -- Numbers among the parts.
  for i = 1, 3000 do parts[i] = i end
  total = total + #table.concat(parts, " ", 1, 3000)
end
print(string.format("%d %d", total, check))
