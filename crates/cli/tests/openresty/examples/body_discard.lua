-- request: POST /body_discard
-- body: nobody reads it
ngx.say(ngx.req.discard_body(), " ", ngx.req.get_body_data())
--> 200
--> nil nil
