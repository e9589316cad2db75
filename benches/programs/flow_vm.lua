-- A small interpreter written in Lua: an assembler, then dispatch by a chain of ifs and by a table of functions.
local n = tonumber((...)) or 80000

local function assemble(source)
  local code, labels = {}, {}
  for name, a, b in source:gmatch("([%w:]+)[ ]*(%-?%w*)[ ]*(%-?%w*)\n") do
    if name:sub(-1) == ":" then
      labels[name:sub(1, -2)] = #code + 1
    else
      code[#code + 1] = { op = name, a = a, b = b }
    end
  end
  for _, i in ipairs(code) do
    i.a = labels[i.a] or tonumber(i.a) or i.a
    i.b = labels[i.b] or tonumber(i.b) or i.b
  end
  return code
end

local program = assemble([[
set i 0
set sum 0
set even 0
loop:
add i 1
move t i
mod t 2
jnz t odd
add even 1
odd:
adds sum i
mod sum 10007
push sum
push i
swap
pop u
pop w
less i limit
jnz flag loop
halt
]])

local function by_ifs(code, registers)
  local pc, steps, stack, top = 1, 0, {}, 0
  while true do
    local i = code[pc]
    local op = i.op
    pc = pc + 1
    steps = steps + 1
    if op == "set" then registers[i.a] = i.b
    elseif op == "move" then registers[i.a] = registers[i.b]
    elseif op == "add" then registers[i.a] = registers[i.a] + i.b
    elseif op == "adds" then registers[i.a] = registers[i.a] + registers[i.b]
    elseif op == "mod" then registers[i.a] = registers[i.a] % i.b
    elseif op == "jnz" then if registers[i.a] ~= 0 then pc = i.b end
    elseif op == "push" then top = top + 1 stack[top] = registers[i.a]
    elseif op == "pop" then registers[i.a] = stack[top] top = top - 1
    elseif op == "swap" then stack[top], stack[top - 1] = stack[top - 1], stack[top]
    elseif op == "less" then registers.flag = registers[i.a] < registers[i.b] and 1 or 0
    else return steps end
  end
end

local handlers = {
  set = function(m, i) m.r[i.a] = i.b end,
  move = function(m, i) m.r[i.a] = m.r[i.b] end,
  add = function(m, i) m.r[i.a] = m.r[i.a] + i.b end,
  adds = function(m, i) m.r[i.a] = m.r[i.a] + m.r[i.b] end,
  mod = function(m, i) m.r[i.a] = m.r[i.a] % i.b end,
  jnz = function(m, i) if m.r[i.a] ~= 0 then m.pc = i.b end end,
  push = function(m, i) m.top = m.top + 1 m.stack[m.top] = m.r[i.a] end,
  pop = function(m, i) m.r[i.a] = m.stack[m.top] m.top = m.top - 1 end,
  swap = function(m) local s, t = m.stack, m.top s[t], s[t - 1] = s[t - 1], s[t] end,
  less = function(m, i) m.r.flag = m.r[i.a] < m.r[i.b] and 1 or 0 end,
}
local function by_table(code, registers)
  local machine, steps = { r = registers, pc = 1, stack = {}, top = 0 }, 0
  while true do
    local i = code[machine.pc]
    machine.pc = machine.pc + 1
    steps = steps + 1
    local handler = handlers[i.op]
    if not handler then return steps end
    handler(machine, i)
  end
end

local a, b = { limit = n }, { limit = n }
local steps = by_ifs(program, a) + by_table(program, b)
print(string.format("%d %d %d %d %d", steps, a.sum, a.even, b.sum, b.u - b.w))
