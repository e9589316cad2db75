-- The reference interpreter's side of the comparison: reads programs from standard input, answers what they did.
--   request:  MODE "\n" LENGTH "\n" bytes        answer:  LENGTH "\n" bytes
local run = ...
io.stdin:setvbuf("full")
while true do
  local mode, length = io.read("*l", "*n")
  if not length then break end
  io.read("*l")
  -- `io.read(0)` would wait for a byte that does not come.
  local answer = run(length > 0 and io.read(length) or "", mode)
  collectgarbage()
  io.write(#answer, "\n", answer)
  io.flush()
end
