-- Names of modules that lead out of the app, or end early, find nothing.
-- only: rille
-- attack: E
-- flags: --sandbox --max-memory 64MiB --max-instructions 20000000
-- timeout: 10 s
for _, name in ipairs {
  "../../b/secret", "..", "/etc/passwd", "a\0b", "", ".", "lib.simple", "lib/simple", ("a."):rep(100), ("../"):rep(50) .. "etc/passwd",
} do
  local ok, message = pcall(require, name)
  assert(not ok and message:find("not found:", 1, true), message)
end
package.path = "/etc/?;?"
print((pcall(require, "passwd")))
package.cpath = "/lib/?.so"
print((pcall(require, "libc")))
print(package.searchpath("passwd", "/etc/?"))
print(pcall(require, ("x"):rep(1 << 20)))
--> false
--> false
--> nil	no file '/etc/passwd'
--> false	path too long
