-- Objects, closures and lists: trees, classes, a scheduler, sorting, words, cells; the same in every version of Lua.
local function tree(depth) if depth == 0 then return {} end return {tree(depth - 1), tree(depth - 1)} end
local function count(t) if not t[1] then return 1 end return 1 + count(t[1]) + count(t[2]) end
print("tree", string.format("%d", count(tree(9))))
local Account = {} Account.__index = Account
function Account.new(balance) return setmetatable({balance = balance}, Account) end
function Account:deposit(n) self.balance = self.balance + n return self end
local Saving = setmetatable({}, {__index = Account}) Saving.__index = Saving
function Saving.new(b, rate) local s = Account.new(b) s.rate = rate return setmetatable(s, Saving) end
function Saving:interest() return self:deposit(self.balance * self.rate) end
local s = Saving.new(100, 0.5) for _ = 1, 5 do s:interest() end
print("class", string.format("%.4f", s.balance), getmetatable(s) == Saving, rawget(s, "deposit"))
local queue, log = {}, {}
local function task(name, n) queue[#queue + 1] = coroutine.create(function() for i = 1, n do log[#log + 1] = name .. i coroutine.yield() end end) end
task("a", 3) task("b", 1) task("c", 2)
while #queue > 0 do local co = table.remove(queue, 1) assert(coroutine.resume(co)) if coroutine.status(co) ~= "dead" then queue[#queue + 1] = co end end
print("tasks", table.concat(log, " "))
local seed = 42 local function random(n) seed = (seed * 3877 + 29573) % 139968 return math.floor(seed * n / 139968) + 1 end
local list = {} for i = 1, 400 do list[i] = random(1000) end
table.sort(list, function(a, b) return a > b end) local down = true for i = 2, #list do down = down and list[i - 1] >= list[i] end
table.sort(list) local up = true for i = 2, #list do up = up and list[i - 1] <= list[i] end print("sort", down, up, #list == 400)
local words = {} for w in ("the cat and the dog and the bird"):gmatch("%a+") do words[w] = (words[w] or 0) + 1 end
local names = {} for w in pairs(words) do names[#names + 1] = w end table.sort(names) for i, w in ipairs(names) do names[i] = w .. "=" .. string.format("%d", words[w]) end print("words", table.concat(names, " "))
local function counter() local n = 0 return function(by) n = n + (by or 1) return n end end
local a, b = counter(), counter() for _ = 1, 10 do a() b(2) end print("closures", a() == 11, b(0) == 20)
local fs = {} for i = 1, 3 do local k = i fs[i] = function() k = k + 1 return k end end print("fresh", fs[1]() == 2, fs[1]() == 3, fs[2]() == 3)
local w, grid = 8, {} for i = 1, w * w do grid[i] = (i == 10 or i == 18 or i == 26 or i == 45 or i == 46 or i == 53) and 1 or 0 end
for _ = 1, 10 do local nextgrid = {} for y = 0, w - 1 do for x = 0, w - 1 do local n = 0 for dy = -1, 1 do for dx = -1, 1 do if dx ~= 0 or dy ~= 0 then n = n + grid[(y + dy) % w * w + (x + dx) % w + 1] end end end local alive = grid[y * w + x + 1] == 1 nextgrid[y * w + x + 1] = (n == 3 or (alive and n == 2)) and 1 or 0 end end grid = nextgrid end
print("cells", (table.concat(grid):gsub("%.0", "")))
local V = {} V.__index = V V.__add = function(p, q) return setmetatable({p[1] + q[1], p[2] + q[2]}, V) end V.__eq = function(p, q) return p[1] == q[1] and p[2] == q[2] end V.__lt = function(p, q) return p[1] < q[1] end V.__concat = function(p, q) return "v" end V.__call = function(self, n) return self[n] end V.__unm = function(p) return setmetatable({-p[1], -p[2]}, V) end V.__tostring = function(p) return string.format("(%d,%d)", p[1], p[2]) end
local p, q = setmetatable({1, 2}, V), setmetatable({3, 4}, V) print("vectors", tostring(p + q), p == q, p < q, p .. q, p(2) == 2, tostring(-p), p + q == setmetatable({4, 6}, V))
local function sum(...) local n = select("#", ...) local total = 0 for i = 1, n do total = total + (select(i, ...)) end return total, n end print("varargs", string.format("%d %d", sum(1, 2, 3, 4)), string.format("%d %d", sum()))
print("protected", pcall(error, "plain", 0)) print(select("#", pcall(error))) print(xpcall(function() local t = nil return t.x end, function(m) return (m:gsub("^.*attempt", "attempt"):gsub(" .*", "")) end))
--> tree	1023
--> class	759.3750	true	nil
--> tasks	a1 b1 c1 a2 c2 a3
--> sort	true	true	true
--> words	and=2 bird=1 cat=1 dog=1 the=3
--> closures	true	true
--> fresh	true	true	true
--> cells	0000000001000000010000000100000000000000000011000000110000000000
--> vectors	(4,6)	false	true	v	true	(-1,-2)	true
--> varargs	10 4	0 0
--> protected	false	plain
--> 2
--> false	attempt
