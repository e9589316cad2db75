-- Which operations keep integers, and which give floats.
local function show(...)
  local out = {}
  for i, x in ipairs {...} do out[i] = ("%s:%s"):format(x, math.type(x)) end
  print(table.concat(out, " "))
end
show(1 + 2, 1 + 2.0, 1.0 + 2.0, 3 - 1, 3 - 1.0, 2 * 3, 2 * 3.0)
show(4 / 2, 7 / 2, 2 ^ 3, 2.0 ^ 0.5)
show(7 // 2, 7.0 // 2, 7 % 2, 7.0 % 2, -7 // 2, -7 % 3, 7 // -2.0, 7 % -3.0)
show(-3, -3.0, -(0), -(0.0))
show(10 // 3 * 3 + 10 % 3)
show(1e15, 1e16, 1e100, 123456.0, 0.1, 1/3, 100000000000000)
show(2^53, 2^53 + 1, 2^63, -2^63)
show(3 | 0, 3.0 | 0, "10" + 0, "10.0" + 0, "0x10" + 0, "1e1" + 0, 10 .. "1" + 1)
show(math.maxinteger + 0.0, math.mininteger + 0.0)
print(1 == 1.0, math.type(1) == math.type(1.0), 0 == -0.0, "1" == 1)
local t = {[1] = "int"}
t[1.0] = "float key becomes integer"
print(t[1], #t, next(t), math.type(next(t)))
t = {[2^53] = "big"}
print(t[2^53 | 0], math.type((next(t))))
--> 3:integer 3.0:float 3.0:float 2:integer 2.0:float 6:integer 6.0:float
--> 2.0:float 3.5:float 8.0:float 1.4142135623731:float
--> 3:integer 3.0:float 1:integer 1.0:float -4:integer 2:integer -4.0:float -2.0:float
--> -3:integer -3.0:float 0:integer -0.0:float
--> 10:integer
--> 1e+15:float 1e+16:float 1e+100:float 123456.0:float 0.1:float 0.33333333333333:float 100000000000000:integer
--> 9.007199254741e+15:float 9.007199254741e+15:float 9.2233720368548e+18:float -9.2233720368548e+18:float
--> 3:integer 3:integer 10:integer 10.0:float 16:integer 10.0:float 102:nil
--> 9.2233720368548e+18:float -9.2233720368548e+18:float
--> true	false	true	false
--> float key becomes integer	1	1	integer
--> big	integer
