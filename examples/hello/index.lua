-- GET /  and any other method. The function is made once per worker and called on every hit.
return function(request)
  local name = request.query.name or "world"
  return "Hello, " .. name .. "!\n"
end
