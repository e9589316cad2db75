-- request: POST /body_data
-- body: the body of it
ngx.say(ngx.req.get_body_data(), " ", ngx.req.get_body_file())
ngx.req.read_body()
ngx.say(ngx.req.get_body_data(), " ", ngx.req.get_body_file())
ngx.req.set_body_data("hello world")
ngx.say(ngx.req.get_body_data(), " ", ngx.req.get_headers().content_length)
ngx.req.init_body(128 * 1024)
ngx.req.append_body("one ")
ngx.req.append_body("two")
ngx.req.finish_body()
ngx.say(ngx.req.get_body_data(), " ", ngx.req.get_headers().content_length)
--> 200
--> nil nil
--> the body of it nil
--> hello world 11
--> one two 7
