-- A pattern with exponential backtracking.
-- only: rille
-- expect: exit 70
-- attack: K
-- flags: --sandbox --max-memory 64MiB --max-instructions 20000000
-- timeout: 20 s
-- stress: skip, ends by its limits
while true do
  (("a"):rep(26)):match(("a?"):rep(26) .. ("a"):rep(26) .. "b")
end
