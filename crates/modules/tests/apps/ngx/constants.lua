-- The constants of ngx.
print(ngx.OK, ngx.ERROR, ngx.AGAIN, ngx.DONE, ngx.DECLINED)
print(ngx.HTTP_GET, ngx.HTTP_TRACE, ngx.HTTP_OK, ngx.HTTP_CLOSE, ngx.HTTP_INSUFFICIENT_STORAGE)
print(ngx.STDERR, ngx.ERR, ngx.WARN, ngx.DEBUG)
print(type(ngx.null), tostring(ngx.null), ngx.null == ngx.null, ngx.null == nil)
--> 0	-1	-2	-4	-5
--> 2	32768	200	444	507
--> 0	4	5	8
--> userdata	userdata: NULL	true	false
