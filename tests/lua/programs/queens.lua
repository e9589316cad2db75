-- The eight queens, counted by backtracking, and the first solution drawn.
local function queens(n)
  local columns, up, down, placed = {}, {}, {}, {}
  local solutions, first = 0, nil
  local function place(row)
    if row > n then
      solutions = solutions + 1
      first = first or table.concat(placed, " ")
      return
    end
    for c = 1, n do
      if not (columns[c] or up[row + c] or down[row - c]) then
        columns[c], up[row + c], down[row - c], placed[row] = true, true, true, c
        place(row + 1)
        columns[c], up[row + c], down[row - c] = nil, nil, nil
      end
    end
  end
  place(1)
  return solutions, first
end
for n = 4, 8 do print(n, queens(n)) end
--> 4	2	2 4 1 3
--> 5	10	1 3 5 2 4
--> 6	4	2 4 6 1 3 5
--> 7	40	1 3 5 7 2 4 6
--> 8	92	1 5 8 6 3 7 2 4
