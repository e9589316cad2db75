-- Base64.
print(ngx.encode_base64("hello"), ngx.encode_base64("hello", true), ngx.encode_base64("hello", false))
print(ngx.encode_base64("h"), ngx.encode_base64("h", true), ngx.encode_base64("") == "", ngx.encode_base64("hel"))
print(ngx.encode_base64(nil) == "", ngx.encode_base64(12), ngx.encode_base64(true), ngx.encode_base64("\251\255"))
print(pcall(function() return ngx.encode_base64("a", 1) end))
print(pcall(function() return ngx.encode_base64("a", "true") end))
print(ngx.decode_base64("aGVsbG8="), ngx.decode_base64("aGVsbG8"), ngx.decode_base64("aGVsbG8=rest"))
print(ngx.decode_base64("aGVsbG8 "), ngx.decode_base64("a"), ngx.decode_base64("aGVsb"), ngx.decode_base64("-_8="))
print(ngx.decode_base64("aGVsbG9="), ngx.decode_base64("") == "", ngx.decode_base64("=") == "", ngx.decode_base64("+/8="))
print(pcall(function() return ngx.decode_base64(nil) end))
print(pcall(function() return ngx.decode_base64(12) end))
print(ngx.decode_base64mime("aGVs\r\nbG8=\n"), ngx.decode_base64mime("*a.G_V-sb G8"), ngx.decode_base64mime("a"))
print(pcall(ngx.decode_base64mime, {}))

local base64 = require "ngx.base64"
print(base64.encode_base64url("\251\255"), base64.encode_base64url("hello"), base64.encode_base64url("") == "")
print(base64.decode_base64url("-_8"), base64.decode_base64url("-_8="), base64.decode_base64url("aGVsbG8"))
print(base64.decode_base64url("+/8"))
print(base64.decode_base64url("a"))
print(base64.encode_base64url(5))
print(base64.decode_base64url(nil))
--> aGVsbG8=	aGVsbG8	aGVsbG8=
--> aA==	aA	true	aGVs
--> true	MTI=	dHJ1ZQ==	+/8=
--> false	base64.lua:5: bad no_padding: boolean expected, got number
--> false	base64.lua:6: bad no_padding: boolean expected, got string
--> hello	hello	hello
--> nil	nil	nil	nil
--> hello	true	true	\xfb\xff
--> false	base64.lua:10: string argument only
--> false	base64.lua:11: string argument only
--> hello	hello	nil
--> false	string argument only
--> -_8	aGVsbG8	true
--> \xfb\xff	\xfb\xff	hello
--> nil	invalid input
--> nil	invalid input
--> nil	must provide a string
--> nil	must provide a string
