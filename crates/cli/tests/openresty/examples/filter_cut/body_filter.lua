if ngx.re.match(ngx.arg[1], "hello") then
  ngx.arg[2] = true
  return
end
ngx.arg[1] = nil
