ngx.say("Hello World")
