-- string.format gives the same whether the interpreter calls it, which has a short way for that, or pcall.
local formats = {}
for _, flags in ipairs { "", "-", "0", "+", " ", "#", "-#0", "------" } do
  for _, size in ipairs { "", "1", "7", "20", ".", ".0", ".3", "9.2", "99.1", ".15", ".18", "5.99" } do
    for letter in ("dixXoucaeEfgGsq"):gmatch "." do
      formats[#formats + 1] = "<%" .. flags .. size .. letter .. ">%%"
    end
  end
end
local values = {
  0, -0.0, 1, -1, 65, 255, 3.0, 0.5, 2.5, -7.25, 1 / 3, 2 / 3, 99999.95, 999999.5, 1e14, 1e15, 2 ^ 53, 2 ^ 63, 1e100, 5e-324,
  math.maxinteger, math.mininteger, 1 / 0, -1 / 0, "", "text", "12", "a\0b", "quoted \"\\\n\r\0019\1", ("long "):rep(30), ("x"):rep(600),
  true, false, setmetatable({}, { __tostring = function() return "an object" end }),
}
local same, errors, different = 0, 0, 0
for _, format in ipairs(formats) do
  for _, value in ipairs(values) do
    local good, expected = pcall(string.format, format, value)
    local also, got = pcall(function()
      local text = string.format(format, value)
      return text
    end)
    if not good and not also then
      errors = errors + 1
    elseif good == also and expected == got then
      same = same + 1
    else
      different = different + 1
      if different < 10 then print(format, value, expected, got) end
    end
  end
end
print(same + errors == #formats * #values, same > 10000, errors > 10000, different)
-- The result, or a literal, is longer than there is room for.
local long = ("x"):rep(500)
print(#string.format(long .. "%d%s", 12, long), #string.format("%s%%%s", long, long), #string.format("%s%99d%-99d", long, 1, 2))
print(string.format("%s %s %s %5s|%-7s|", nil, true, false, nil, true), string.format("%s %10s", 1.5, -2.0))
print(pcall(function() local text = string.format("%d", 1.5) return text end))
print(pcall(function() local text = string.format("%d %d", 1) return text end))
print(pcall(function() local text = string.format("%d %y", 1, 2) return text end))
print(string.format("%d", "12"), string.format("%.2f", "0.125"), string.format("%5.1s|", "abc"), string.format("100%%"), string.format(""))
--> true	true	true	0
--> 1002	1001	698
--> nil true false   nil|true   |	1.5       -2.0
--> false	string/format_called_by_pcall.lua:38: bad argument #2 to 'format' (number has no integer representation)
--> false	string/format_called_by_pcall.lua:39: bad argument #3 to 'format' (no value)
--> false	string/format_called_by_pcall.lua:40: invalid conversion '%y' to 'format'
--> 12	0.12	    a|	100%	
