-- nginx: a body can be in a file there
-- request: POST /set_body_file
-- body: x
-- A body is never in a file, and no file becomes one.
ngx.req.read_body()
ngx.say(ngx.req.get_body_file(), " ", ngx.req.set_body_file("/etc/hostname"))
--> 200
--> nil nilan app has no files to send
