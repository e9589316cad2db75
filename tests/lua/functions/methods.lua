-- Methods, self, chained calls, and calls without parentheses.
local Account = {}
Account.__index = Account
function Account.new(balance) return setmetatable({balance = balance}, Account) end
function Account:deposit(n) self.balance = self.balance + n return self end
function Account:get() return self.balance end
print(Account.new(10):deposit(5):deposit(1):get())
local t = {inner = {name = "x"}}
function t.inner:hello(greeting) return greeting .. " " .. self.name end
function t.inner.plain(a) return a end
print(t.inner:hello"hi", t.inner:hello[[hey]], t.inner.plain{1}[1])
print(("abc"):upper(), ("%d"):format(5), #("x"):rep(10))
local s = "hello"
print(s:sub(2, 3):upper():rep(2), (s:find("l")))
print(t["inner"]["hello"](t.inner, "called by dots"))
local function f(x) return function(y) return function(z) return x + y + z end end end
print(f(1)(2)(3))
local obj = {v = 1}
function obj:self_is_local() local self = {v = 2} return self.v end
print(obj:self_is_local(), obj.v)
do
  local evaluations = 0
  local function get() evaluations = evaluations + 1 return obj end
  get():self_is_local()
  print(evaluations)
end
local m = setmetatable({}, {__index = function(_, name) return function(self, ...) return name, ... end end})
print(m:anything(1, 2), m.other(m, 3))
--> 16
--> hi x	hey x	1
--> ABC	5	10
--> ELEL	3
--> called by dots x
--> 6
--> 2	1
--> 1
--> anything	other	3
