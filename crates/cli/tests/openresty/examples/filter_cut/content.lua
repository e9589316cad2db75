-- request: GET /filter_cut
-- The first piece with the word is the last that goes out.
ngx.say("hiya globe") ngx.flush(true)
ngx.say("hello world") ngx.flush(true)
ngx.say("hi planet")
--> 200
--> hello world
