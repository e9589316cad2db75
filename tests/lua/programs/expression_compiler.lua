-- A tokenizer, a Pratt parser and a code generator whose output runs through load.
local function tokenize(s)
  local out = {}
  for number, name, op in s:gmatch "%s*(%d*%.?%d*)(%a*)([%+%-%*/%^%(%),]?)" do
    if number ~= "" then out[#out + 1] = {"num", tonumber(number)} end
    if name ~= "" then out[#out + 1] = {"name", name} end
    if op ~= "" then out[#out + 1] = {op} end
  end
  return out
end
local binding = {["+"] = 1, ["-"] = 1, ["*"] = 2, ["/"] = 2, ["^"] = 4}
local function parse(tokens)
  local at = 1
  local expression
  local function primary()
    local t = tokens[at] or error("unexpected end", 0)
    at = at + 1
    if t[1] == "num" then return {op = "num", t[2]} end
    if t[1] == "-" then return {op = "neg", expression(3)} end
    if t[1] == "(" then local e = expression(0) at = at + 1 return e end
    if t[1] == "name" then
      if tokens[at] and tokens[at][1] == "(" then
        local args = {op = "call", name = t[2]}
        repeat at = at + 1 args[#args + 1] = expression(0) until tokens[at][1] ~= ","
        at = at + 1
        return args
      end
      return {op = "var", name = t[2]}
    end
    error("unexpected " .. t[1], 0)
  end
  function expression(min)
    local left = primary()
    while tokens[at] and binding[tokens[at][1]] and binding[tokens[at][1]] > min do
      local op = tokens[at][1]
      at = at + 1
      left = {op = op, left, expression(op == "^" and binding[op] - 1 or binding[op])}
    end
    return left
  end
  return expression(0)
end
local function generate(n)
  if n.op == "num" then return ("%.14g"):format(n[1]) end
  if n.op == "var" then return "env." .. n.name end
  if n.op == "neg" then return "(-" .. generate(n[1]) .. ")" end
  if n.op == "call" then
    local args = {}
    for i, a in ipairs(n) do args[i] = generate(a) end
    return ("math.%s(%s)"):format(n.name, table.concat(args, ", "))
  end
  return ("(%s %s %s)"):format(generate(n[1]), n.op, generate(n[2]))
end
local function compile(s)
  local code = generate(parse(tokenize(s)))
  return assert(load("local env = ... return " .. code, "=expression", "t", {math = math})), code
end
for _, s in ipairs {"1 + 2 * 3", "(1 + 2) * 3", "2 ^ 3 ^ 2", "-2 ^ 2", "10 - 4 - 3", "max(1, min(x, 5)) * 2", "x * x / 2 - y", "sqrt(x ^ 2 + y ^ 2)"} do
  local f, code = compile(s)
  print(s, code, f {x = 3, y = 4})
end
print(pcall(compile, "1 +")) print(pcall(compile, "* 2"))
--> 1 + 2 * 3	(1 + (2 * 3))	7
--> (1 + 2) * 3	((1 + 2) * 3)	9
--> 2 ^ 3 ^ 2	(2 ^ (3 ^ 2))	512.0
--> -2 ^ 2	(-(2 ^ 2))	-4.0
--> 10 - 4 - 3	((10 - 4) - 3)	3
--> max(1, min(x, 5)) * 2	(math.max(1, math.min(env.x, 5)) * 2)	6
--> x * x / 2 - y	(((env.x * env.x) / 2) - env.y)	0.5
--> sqrt(x ^ 2 + y ^ 2)	math.sqrt(((env.x ^ 2) + (env.y ^ 2)))	5.0
--> false	unexpected end
--> false	unexpected *
