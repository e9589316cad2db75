-- request: POST /post_args
-- body: foo=bar&bar=baz&bar=blah&on&empty=
ngx.req.read_body()
local args = ngx.req.get_post_args()
ngx.say(args.foo, " ", table.concat(args.bar, ", "), " ", args.on, " [", args.empty, "]")
ngx.say(select(2, ngx.req.get_post_args(2)))
--> 200
--> bar baz, blah true []
--> truncated
