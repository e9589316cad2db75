ngx.status = ngx.HTTP_FORBIDDEN
ngx.say("no entry")
ngx.exit(ngx.HTTP_OK)
