-- request: GET /base64
ngx.say(ngx.encode_base64("hello"), " ", ngx.encode_base64("hello", true), " ", ngx.encode_base64(56), " [", ngx.encode_base64(""), "]")
ngx.say(ngx.decode_base64("aGVsbG8="), " ", ngx.decode_base64("aGVsbG8"), " ", ngx.decode_base64("a$b"))
local ok, err = pcall(ngx.decode_base64, 12)
ngx.say(ok, " ", err)
local b64 = require "ngx.base64"
ngx.say(b64.encode_base64url("\255\254?"), " ", b64.decode_base64url("__4_") == "\255\254?", " ", b64.decode_base64url("a+b"))
--> 200
--> aGVsbG8= aGVsbG8 NTY= []
--> hello hello nil
--> false string argument only
--> __4_ true nilinvalid input
