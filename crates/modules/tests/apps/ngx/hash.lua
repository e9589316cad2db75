-- Digests and checksums.
local function hex(s) return (s:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end
print(ngx.md5("hello"), ngx.md5(""), ngx.md5(nil))
print(hex(ngx.md5_bin("hello")) == ngx.md5("hello"), #ngx.md5_bin(false), ngx.md5(12))
print(hex(ngx.sha1_bin("hello")), hex(ngx.sha1_bin(nil)))
print(hex(ngx.hmac_sha1("thisisverysecretstuff", "some string we want to sign")))
print(ngx.encode_base64(ngx.hmac_sha1("", "")), hex(ngx.hmac_sha1(("k"):rep(100), "m")))
print(pcall(function() return ngx.hmac_sha1("a") end))
print(pcall(function() return ngx.hmac_sha1("a", {}) end))
print(ngx.crc32_short("hello, world"), ngx.crc32_long("hello, world"), ngx.crc32_long(""), ngx.crc32_short(nil))
--> 5d41402abc4b2a76b9719d911017c592	d41d8cd98f00b204e9800998ecf8427e	d41d8cd98f00b204e9800998ecf8427e
--> true	16	c20ad4d76fe97759aa27a0c99bff6710
--> aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d	da39a3ee5e6b4b0d3255bfef95601890afd80709
--> 47fa6fc731c2e0d2ed8fb4be917160fcd78f4e69
--> +9sdGxiqbAgyS31ktx+3Y3BpDh0=	014f08e9aabf7980d07a205a4c638743915ff915
--> false	hash.lua:8: expecting 2 arguments, but got 1
--> false	hash.lua:9: bad argument #2 to 'hmac_sha1' (string expected, got table)
--> 4289425978	4289425978	0	0
