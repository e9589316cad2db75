-- In 5.1 no function of C lets yields pass, pcall included: `--strict` refuses what the reference refuses.
-- dialect: 5.1
-- flags: --strict
local function try(name, f)
  local co = coroutine.wrap(function() return "end", f() end)
  print(name, pcall(co, 1))
end
try("yield", function() return coroutine.yield("given") end)
try("pcall", function() return pcall(function() return coroutine.yield("given") end) end)
try("pcall of yield", function() return pcall(coroutine.yield, "given") end)
try("xpcall", function() return xpcall(function() return coroutine.yield("given") end, function(m) return "<" .. m .. ">" end) end)
try("sort", function() return pcall(table.sort, { 1, 2, 3 }, function() return coroutine.yield() end) end)
try("gsub", function() return pcall(string.gsub, "x", "x", function() return coroutine.yield() end) end)
try("inner", function() return coroutine.wrap(function() return pcall(coroutine.wrap(function() coroutine.yield("inner") end)) end)() end)
--> yield	true	given
--> pcall	true	end	false	attempt to yield across metamethod/C-call boundary
--> pcall of yield	true	end	false	attempt to yield across metamethod/C-call boundary
--> xpcall	true	end	false	<attempt to yield across metamethod/C-call boundary>
--> sort	true	end	false	attempt to yield across metamethod/C-call boundary
--> gsub	true	end	false	attempt to yield across metamethod/C-call boundary
--> inner	true	end	true	inner
