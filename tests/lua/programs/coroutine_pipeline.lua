-- A lexer as a coroutine feeds a parser as a coroutine feeds an evaluator; backtracking search and sieve by generators.
local function lexer(s) return coroutine.wrap(function() for t in s:gmatch "%S+" do coroutine.yield(tonumber(t) or t) end end) end
local function evaluate(tokens)
  local stack = {}
  local ops = {["+"] = function(a, b) return a + b end, ["-"] = function(a, b) return a - b end, ["*"] = function(a, b) return a * b end, ["/"] = function(a, b) return a / b end}
  for t in tokens do
    if ops[t] then
      local b, a = table.remove(stack), table.remove(stack)
      if not a then error("stack underflow", 0) end
      stack[#stack + 1] = ops[t](a, b)
    else stack[#stack + 1] = t end
  end
  return table.unpack(stack)
end
print(evaluate(lexer "3 4 + 2 * 7 /")) print(evaluate(lexer "1 2 3")) print(pcall(evaluate, lexer "1 +"))
local function gen(n) return coroutine.wrap(function() for i = 2, n do coroutine.yield(i) end end) end
local function filter(p, g) return coroutine.wrap(function() for n in g do if n % p ~= 0 then coroutine.yield(n) end end end) end
local x, primes = gen(200), {}
while true do local n = x() if not n then break end primes[#primes + 1] = n x = filter(n, x) end
print(#primes, primes[#primes])
local function choose(choices, n)
  local function pick(prefix, k)
    if k == 0 then coroutine.yield(prefix) return end
    for _, c in ipairs(choices) do pick(prefix .. c, k - 1) end
  end
  return coroutine.wrap(function() pick("", n) end)
end
local n, last = 0, nil
for s in choose({"a", "b", "c"}, 5) do n, last = n + 1, s end
print(n, last)
local function merge(a, b)
  return coroutine.wrap(function()
    local x, y = a(), b()
    while x and y do if x < y then coroutine.yield(x) x = a() else coroutine.yield(y) y = b() end end
    while x do coroutine.yield(x) x = a() end
    while y do coroutine.yield(y) y = b() end
  end)
end
local function list(...) local t = {...} local i = 0 return function() i = i + 1 return t[i] end end
local out = {} for v in merge(merge(list(1, 4, 7), list(2, 5, 8)), list(3, 6, 9)) do out[#out + 1] = v end print(table.concat(out, " "))
--> 2.0
--> 1	2	3
--> false	stack underflow
--> 46	199
--> 243	ccccc
--> 1 2 3 4 5 6 7 8 9
