-- Long concatenations, numbers in them, results on a border of short and long strings.
local t = {}
for i = 1, 100 do t[i] = ("c"):rep(i) .. i end
local sum = 0 for i, s in ipairs(t) do sum = sum + #s end print(sum)
for n = 38, 42 do local a = ("x"):rep(n) local b = ("x"):rep(n - 1) .. "x" print(n, a == b, rawequal(a, b), ({[a] = 1})[b]) end
print(1 .. 2 == "12", 1.5 .. 2.5, -1 .. "", 2^31 .. "|" .. 1e15 .. "|" .. 1e100)
local s = "" for i = 1, 1000 do s = s .. i end print(#s, s:sub(-6))
local a, b, c, d, e = "a", 1, "c", 2.5, "e" print(a .. b .. c .. d .. e, (a .. b) .. (c .. d), a .. (b .. c))
local big = ("y"):rep(100000) print(#(big .. big .. big), (big .. "z"):sub(-2), #(("" .. "") .. ""))
print(("k" .. 1) == "k1", ({k1 = "found"})["k" .. 1], #("\0" .. "\0"))
--> 5242
--> 38	true	true	1
--> 39	true	true	1
--> 40	true	true	1
--> 41	true	true	1
--> 42	true	true	1
--> true	1.52.5	-1	2147483648.0|1e+15|1e+100
--> 2893	991000
--> a1c2.5e	a1c2.5	a1c
--> 300000	yz	0
--> true	found	2
