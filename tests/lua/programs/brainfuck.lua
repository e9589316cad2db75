-- A Brainfuck compiler that emits Lua and runs it.
local function compile(source)
  local out, depth = {"local out, t, p = {}, {}, 0\n"}, 0
  for op, rest in source:gsub("[^%+%-<>%.,%[%]]", ""):gmatch "(.)" do
    if op == "+" then out[#out + 1] = "t[p] = ((t[p] or 0) + 1) & 255\n"
    elseif op == "-" then out[#out + 1] = "t[p] = ((t[p] or 0) - 1) & 255\n"
    elseif op == ">" then out[#out + 1] = "p = p + 1\n"
    elseif op == "<" then out[#out + 1] = "p = p - 1\n"
    elseif op == "." then out[#out + 1] = "out[#out + 1] = string.char(t[p] or 0)\n"
    elseif op == "[" then depth = depth + 1 out[#out + 1] = "while (t[p] or 0) ~= 0 do\n"
    elseif op == "]" then depth = depth - 1 out[#out + 1] = "end\n" end
  end
  assert(depth == 0, "unbalanced")
  out[#out + 1] = "return table.concat(out)"
  return assert(load(table.concat(out), "=bf"))
end
print((compile "++++++++[>++++[>++>+++>+++>+<<<<-]>+>+>->>+[<]<-]>>.>---.+++++++..+++.>>.<-.<.+++.------.--------.>>+."()))
local squares = compile "++++[>+++++<-]>[<+++++>-]+<+[>[>+>+<<-]++>>[<<+>>-]>>>[-]++>[-]+>>>+[[-]++++++>>>]<<<[[<++++++++<++>>-]+<.<[>----<-]<]<<[>>>>>[>>>[-]+++++++++<[>-<-]+++++++++>[-[<->-]+[<<<]]<[>+<-]>]<<-]<<-]"
print(select(2, squares():gsub("\n", "")), squares():sub(1, 12):gsub("\n", " "))
print(pcall(compile, "[[]"))
--> Hello World!
--> 101	0 1 4 9 16 2	5
--> false	programs/brainfuck.lua:13: unbalanced
