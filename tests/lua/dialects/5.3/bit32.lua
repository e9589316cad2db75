-- Arguments of bit32 in 5.3 are integers, and all their bits count; loops with a step of zero.
-- dialect: 5.3
print(pcall(bit32.band, 1.5, 3))
print(bit32.band(9007199254740993, 3), bit32.bnot(2^31), bit32.bxor(-9007199254741000, 0), bit32.band("3", 7.0))
print(pcall(bit32.lshift, 1, 1e100))
print(pcall(bit32.extract, 1.5, 1))
for _, loop in ipairs{{math.maxinteger, 1e308}, {math.maxinteger, math.maxinteger}, {5, 1}, {1, 5}, {1, 1.5}, {1, 0.5}, {1, -1e308},
    {math.mininteger, -1e308}, {1, 0/0}, {7, 1e308}} do
  local n, last = 0, nil
  for i = loop[1], loop[2], 0 do n, last = n + 1, i if n > 3 then break end end
  print(n, last)
end
--> false	bad argument #1 to 'bit32.band' (number has no integer representation)
--> 1	2147483647	4294967288	3
--> false	bad argument #2 to 'bit32.lshift' (number has no integer representation)
--> false	bad argument #1 to 'bit32.extract' (number has no integer representation)
--> 4	9223372036854775807
--> 4	9223372036854775807
--> 4	5
--> 0	nil
--> 4	1
--> 4	1
--> 4	0
--> 4	0
--> 4	0
--> 0	nil
