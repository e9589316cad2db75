-- show: X-A X-B X-C Content-Length Location Retry-After
-- request: GET /header_values
-- Values are texts; control characters do not get through.
ngx.header["X-A"] = {"one", 2, 3.5}
ngx.header["X-B"] = "line\r\nX-Injected: yes"
ngx.header["X_C"] = true and "c"
ngx.header.retry_after = 120
ngx.header.content_length = 3
ngx.print("abc")
--> 200
--> X-A: one
--> X-A: 2
--> X-A: 3.5
--> X-B: line%0D%0AX-Injected: yes
--> X-C: c
--> Content-Length: 3
--> Retry-After: 120
--> abc
