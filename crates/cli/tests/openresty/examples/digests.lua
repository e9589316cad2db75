-- request: GET /digests
local function hex(text) return (text:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end
ngx.say(ngx.md5("hello"), " ", hex(ngx.md5_bin("hello")) == ngx.md5("hello"), " ", ngx.md5(nil))
ngx.say(hex(ngx.sha1_bin("hello")), " ", ngx.md5(12))
ngx.say(ngx.crc32_short("hello, world"), " ", ngx.crc32_long("hello, world"), " ", ngx.crc32_short(""))
ngx.say(ngx.encode_base64(ngx.hmac_sha1("thisisverysecretstuff", "some string we want to sign")))
ngx.say(ngx.quote_sql_str("a'b\"c\\d\n\r\0\26x"), " ", ngx.quote_sql_str(""))
--> 200
--> 5d41402abc4b2a76b9719d911017c592 true d41d8cd98f00b204e9800998ecf8427e
--> aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d c20ad4d76fe97759aa27a0c99bff6710
--> 4289425978 4289425978 0
--> R/pvxzHC4NLtj7S+kXFg/NePTmk=
--> 'a\'b\"c\\d\n\r\0\Zx' ''
