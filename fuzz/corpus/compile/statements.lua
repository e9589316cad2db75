local a <const>, b <close> = 1, nil
for i = 1, 10, 2 do if i == a then goto done elseif i > 5 then break else a2 = i end end ::done::
for k, v in pairs({x = 1; [2] = 3, "y"}) do repeat local z = k until z == k end
while false do local function f(...) return ..., select("#", ...) end f{} f"s" f(1):g() end
do local t = {} function t.a.b:c(x) self.x = x return t.a(x) end end
return (...), not a, -b, #"x", ~5