-- Escapes of URIs and SQL. What nil, false, numbers and tables become is what resty.core makes of them.
print(ngx.escape_uri("a b/c?d=e&f#g%h+i~j!k'l(m)n*o"))
print(ngx.escape_uri("a b/c?d=e&f#g%h+i~j", 0))
print(ngx.escape_uri("a b/c?d=e&f#g%h+i~j", 1))
print(ngx.escape_uri("a b\"c'd%e", 3), ngx.escape_uri("a b\"c'd%e", 4), ngx.escape_uri("a b%c\255", 5))
print(ngx.escape_uri("\0\1\127\128\255"), ngx.escape_uri("grün"))
print(ngx.escape_uri(nil) == "", ngx.escape_uri(false) == "", ngx.escape_uri(true), ngx.escape_uri(12.5), ngx.escape_uri(7))
print(ngx.escape_uri(setmetatable({}, { __tostring = function() return "a table" end })))
print(ngx.escape_uri("same"), ngx.escape_uri(""))
print(pcall(function() return ngx.escape_uri("a", "0") end))
print(pcall(function() return ngx.escape_uri("a", 7) end))
print(pcall(function() return ngx.escape_uri("a", -0.5) end))
print(ngx.unescape_uri("a%20b+c%2fd%2Fe"), ngx.unescape_uri("%"), ngx.unescape_uri("%4"), ngx.unescape_uri("%zz%4"))
print(ngx.unescape_uri("%00%fF%%41"), ngx.unescape_uri(nil) == "", ngx.unescape_uri(5))
print(ngx.quote_sql_str(""), ngx.quote_sql_str("it's \"q\" \\ \0\b\n\r\t\26 ü"), ngx.quote_sql_str(5))
print(pcall(ngx.quote_sql_str))
print(pcall(function() return ngx.quote_sql_str("a", "b") end))
print(pcall(function() return ngx.quote_sql_str({}) end))

-- The longest text.
local most = ("x"):rep(16 * 1024 * 1024)
print(#ngx.escape_uri(most), #ngx.unescape_uri(most))
most = most .. "y"
print(pcall(function() return ngx.escape_uri(most) end))
print(pcall(function() return ngx.unescape_uri(most) end))
print(pcall(function() return ngx.quote_sql_str(most) end))
print(pcall(function() return ngx.encode_base64(most) end))
print(pcall(function() return ngx.decode_base64(most) end))
print(pcall(function() return ngx.md5(most) end))
print(pcall(function() return ngx.hmac_sha1("k", most) end))
print(pcall(function() return ngx.decode_args(most) end))
print(pcall(function() return ngx.crc32_long(most) end))
--> a%20b%2Fc%3Fd%3De%26f%23g%25h%2Bi~j!k'l(m)n*o
--> a%20b/c%3Fd=e&f%23g%25h+i~j
--> a%20b/c%3Fd=e&f%23g%25h%2Bi~j
--> a%20b%22c%27d%25e	a%20b%22c%27d%e	a%20b%25c\xff
--> %00%01%7F%80%FF	gr%C3%BCn
--> true	true	true	12.5	7
--> a%20table
--> same	
--> false	escape.lua:10: "type" is not a number
--> false	escape.lua:11: "type" 7 out of range
--> false	escape.lua:12: "type" -0.5 out of range
--> a b c/d/e	%	%4	%zz%4
--> \x00\xff%A	true	5
--> ''	'it\'s \"q\" \\ \0\b\n\r\t\Z ü'	'5'
--> false	expecting one argument
--> false	escape.lua:17: expecting one argument
--> false	escape.lua:18: bad argument #1 to 'quote_sql_str' (string expected, got table)
--> 16777216	16777216
--> false	escape.lua:24: bad argument #1 to 'escape_uri' (string longer than 16 MiB)
--> false	escape.lua:25: bad argument #1 to 'unescape_uri' (string longer than 16 MiB)
--> false	escape.lua:26: bad argument #1 to 'quote_sql_str' (string longer than 16 MiB)
--> false	escape.lua:27: bad argument #1 to 'encode_base64' (string longer than 16 MiB)
--> false	escape.lua:28: string longer than 16 MiB
--> false	escape.lua:29: bad argument #1 to 'md5' (string longer than 16 MiB)
--> false	escape.lua:30: bad argument #2 to 'hmac_sha1' (string longer than 16 MiB)
--> false	escape.lua:31: bad argument #1 to 'decode_args' (string longer than 16 MiB)
--> false	escape.lua:32: bad argument #1 to 'crc32_long' (string longer than 16 MiB)
