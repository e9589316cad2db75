-- Nesting without end in the source.
-- only: rille
-- attack: E
-- flags: --sandbox --max-memory 64MiB --max-instructions 20000000
-- timeout: 10 s
-- stress: skip, ends by its limits
for _, open in ipairs {"(", "{", "[", "a.", "not ", "- ", "f(", "function() ", "if x then ", "x = {", "a[", "do ", "while x do ", "::l", "for i = 1, ", "for i = 1, 2 do ", "repeat ", "local function f() ", "function a.b() ",
    "return function() ", "f{"} do
  local f, m = load(open:rep(1e5) .. "1")
  assert(f == nil and type(m) == "string")
end
print((load("return " .. ("a ^ "):rep(1e5) .. "1")))
print((load("return " .. ("1 .. "):rep(1e5) .. "1")))
print(type(load("local x = 1 " .. ("x = x + 1 "):rep(1e4))))
--> nil
--> nil
--> function
