-- Never ends by itself, and catches what it can: neither keeps it from being stopped.
return function()
  while true do pcall(string.rep, "x", 100) end
end
