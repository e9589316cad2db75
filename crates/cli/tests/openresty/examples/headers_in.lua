-- request: GET /headers_in
-- header: X-Foo: one
-- header: X-Many: a
-- header: X-Many: b
local h = ngx.req.get_headers()
ngx.say(h["X-Foo"], " ", h.x_foo, " ", h["x-foo"], " ", h.X_FOO, " ", h.nothing)
ngx.say(type(h.x_many), " ", table.concat(h.x_many, "+"))
local raw = ngx.req.get_headers(0, true)
ngx.say(raw["X-Foo"], " ", raw["x-foo"])
ngx.req.set_header("X-Foo", {"two", "three"})
ngx.say(table.concat(ngx.req.get_headers().x_foo, " "))
ngx.req.set_header("X-Foo", 32)
ngx.say(ngx.req.get_headers().x_foo, " ", ngx.var.http_x_foo)
ngx.req.clear_header("X-Many")
ngx.req.set_header("X-Foo", nil)
ngx.say(ngx.req.get_headers().x_many, " ", ngx.req.get_headers().x_foo)
local _, err = ngx.req.get_headers(1)
ngx.say(err)
require "ngx.req".add_header("X-Added", "1")
ngx.say(ngx.req.get_headers().x_added)
--> 200
--> one one one one nil
--> table a+b
--> one nil
--> two three
--> 32 32
--> nil nil
--> truncated
--> 1
