-- Keys chosen to share one chain in a table whose hash they know do not: the key of the hash is this VM's.
-- only: rille
-- attack: done
-- flags: --sandbox --max-memory 256MiB --max-instructions 30000000
-- timeout: 20 s
-- stress: skip, a large heap
local function use(name, make)
  local t, n = {}, 0
  for i = 1, 50000 do
    local key = make(i)
    if t[key] == nil then n = n + 1 end
    t[key] = i
  end
  for i = 1, 50000 do assert(t[make(i)]) end
  print(name, n)
end
-- A multiplicative hash keeps the lower bits of such keys; a power of two or its multiples undo any multiplier.
use("upper bits", function(i) return i << 48 end)
use("upper half", function(i) return i << 32 end)
use("inverse", function(i) return (i << 48) * 0xF1DE83E19937733D end)
use("inverse of the half", function(i) return (i << 32) * 0xF1DE83E19937733D end)
use("powers", function(i) return 1 << i % 62 | i << 20 end)
-- Floats whose bits are chosen likewise; those that are integers would be integer keys.
use("floats", function(i) return (string.unpack("<d", string.pack("<I8", (i & 0x3FFF) << 48 | (i & 0x3FFF) << 16 | 1))) end)
-- Strings with a piece that makes one factor of a wide multiplication zero.
local zero = string.pack("<I8", 0xD6E8FEB86659FD93)
use("strings", function(i) return string.pack("<I8", i) .. zero .. "one end for all" end)
use("long strings", function(i) return string.pack("<I8", i) .. zero .. ("one end for all"):rep(10) end)
--> upper bits	50000
--> upper half	50000
--> inverse	50000
--> inverse of the half	50000
--> powers	48096
--> floats	16384
--> strings	50000
--> long strings	50000
