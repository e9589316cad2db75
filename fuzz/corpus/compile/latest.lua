global<const> print, pcall
global x, y = 1, 2
global function f(a, ...t) t[1] = t.n return t.n, ..., x end
local <const> c, d <close> = 1, nil
for i = 1, 3 do print(i) end
do global * z = 5 goto done end
::done:: return f(c, 2 // 1, "\u{48}")
