local a, b, c = 1, 2, 3
return a + b - c * a / b // c % a ^ b .. c << a >> b & c | a ~ b, a == b ~= c, a < b, a <= b, a > b, a >= b,
 a and b or c, not not a, - - a, 2 ^ -3 ^ 2, "a" .. "b" .. 1 .. 2.5