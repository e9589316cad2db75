-- resty.aes. What is encrypted was compared with what OpenSSL makes of it.
local aes, hex = require "resty.aes", require("resty.string").to_hex
local message = "The quick brown fox jumps over the lazy dog, twice in a row and then once more."

-- All sizes and modes, messages of all lengths up to 79, by the digest of all that comes out.
for _, mode in ipairs{ "ecb", "cbc", "cfb1", "cfb8", "cfb128", "ofb", "ctr" } do
  for _, size in ipairs{ 128, 192, 256 } do
    local object = aes:new("secret", "saltsalt", aes.cipher(size, mode), aes.hash.sha256, 3)
    local sum, good = require("resty.sha1"):new(), true
    for len = 0, #message do
      local text = object:encrypt(message:sub(1, len))
      sum:update(text)
      good = good and object:decrypt(text) == message:sub(1, len)
    end
    print(mode, size, hex(object:encrypt("hello")), hex(sum:final()), good)
  end
end
for _, size in ipairs{ 128, 192, 256 } do
  local object = aes:new("secret", "saltsalt", aes.cipher(size, "gcm"), aes.hash.sha256, 3)
  local sum, good = require("resty.sha1"):new(), true
  for len = 0, #message do
    local both = object:encrypt(message:sub(1, len), message:sub(len))
    sum:update(both[1])
    sum:update(both[2])
    good = good and object:decrypt(both[1], both[2], message:sub(len)) == message:sub(1, len)
  end
  local both = object:encrypt("hello")
  print("gcm", size, hex(both[1]), hex(both[2]), hex(sum:final()), good)
end
for _, name in ipairs{ "md5", "sha1", "sha224", "sha256", "sha384", "sha512" } do
  local object = aes:new("a secret", nil, aes.cipher(256), aes.hash[name], 1000)
  print(name, hex(object:encrypt("hello")))
end
for _, len in ipairs{ 1, 11, 12, 13, 16, 31, 32 } do
  local object = aes:new("a secret", nil, aes.cipher(256, "gcm"), aes.hash.sha1, 1, len)
  local both = object:encrypt("hello", "world")
  print("gcm", len, hex(both[1]), hex(both[2]))
end

-- The tests of the library itself.
local object = aes:new("secret")
print(ngx.encode_base64(object:encrypt("hello")), object:decrypt(object:encrypt("hello")))
print(ngx.encode_base64(aes:new(""):encrypt("hello")), ngx.encode_base64(aes:new("secret", "WhatSalt"):encrypt("hello")))
print(aes:new("secret", "Oversized!"))
print(aes:new("secret", "abc"))
print(hex(aes:new("secret", nil, aes.cipher(256, "ecb"), aes.hash.sha1, 5):encrypt("hello")))
local iv = ngx.decode_base64("Jq5cyFTja2vfyjZoSN6muw==")
local made = aes:new("Xr4ilOzQ4PCOq3aQ0qbuaQ==", nil, aes.cipher(128, "cbc"), { iv = iv, method = ngx.decode_base64 })
print(made:decrypt(object:encrypt("hello")) == "hello", made:encrypt("hello") == object:encrypt("hello"))
made = aes:new(ngx.decode_base64("Xr4ilOzQ4PCOq3aQ0qbuaQ=="), nil, aes.cipher(128, "cbc"), { iv = iv })
print(made:encrypt("hello") == object:encrypt("hello"))

-- Keys and vectors of one's own.
local key = "0123456789abcdef0123456789abcdef"
print(aes:new(key, nil, aes.cipher(256), {}))
print(aes:new("hel", nil, aes.cipher(128), { iv = iv }))
print(aes:new(key, nil, aes.cipher(256), { iv = "a", method = function() return "short" end }))
print(aes:new(key, nil, aes.cipher(256), { iv = ("i"):rep(33) }))
print(hex(aes:new(key, nil, aes.cipher(256), { iv = "" }):encrypt("hello")))
print(hex(aes:new(key, nil, aes.cipher(256), { iv = ("i"):rep(32) }):encrypt("hello")))
print(pcall(function() aes:new(key, nil, aes.cipher(256), { iv = "a", method = function() error("oops", 0) end }) end))
print(pcall(function() aes:new(key, nil, aes.cipher(256), { iv = "a", method = 5 }) end))
print(aes:new(key, nil, aes.cipher(256, "gcm"), { iv = "" }))
print(aes:new(key, nil, aes.cipher(256, "gcm"), aes.hash.md5, 1, 0))
print(aes:new(key, nil, aes.cipher(256, "gcm"), aes.hash.md5, 1, 33))

print(hex(aes:new(key, nil, aes.cipher(256, "ctr"), { iv = ("\255"):rep(16) }):encrypt(("m"):rep(40))))

-- Padding.
object = aes:new(key, nil, aes.cipher(256), { iv = iv }, nil, nil, false)
print(object:encrypt("hello"))
print(hex(object:encrypt("0123456789abcdef")), object:decrypt(object:encrypt("0123456789abcdef")))
print(object:decrypt("0123456789abcde"))
print(object:encrypt("") == "", object:decrypt("") == "")
object = aes:new(key, nil, aes.cipher(256), { iv = iv })
print(object:decrypt(""))
print(object:decrypt("0123456789abcde"))
print(object:decrypt("0123456789abcdef"))
local text = object:encrypt("hello")
print(aes:new(key:reverse(), nil, aes.cipher(256), { iv = iv }):decrypt(text))

-- Tags.
object = aes:new(key, nil, aes.cipher(256, "gcm"), { iv = iv })
local both = object:encrypt("hello", "with")
print(object:decrypt(both[1], both[2], "with"), object:decrypt(both[1], both[2] .. "more", "with"))
print(object:decrypt(both[1], both[2]))
print(object:decrypt(both[1], nil, "with"))
print(object:decrypt(both[1], both[2]:sub(1, 15), "with"))
print(object:decrypt("x" .. both[1]:sub(2), both[2], "with"))

print(select("#", object:encrypt("x")), select("#", aes:new("k")), select("#", aes:new("k"):decrypt(aes:new("k"):encrypt("x"))))

-- What is no argument.
print(pcall(function() aes.cipher(128, "ccm") end))
print(pcall(function() aes.cipher(129) end))
print(pcall(function() aes:new(key, nil, {}) end))
print(pcall(function() aes.cipher(128, ("x"):rep(100)) end))
print(pcall(function() aes:new() end))
print(pcall(function() aes:new("k", nil, nil, "sha1") end))
print(pcall(function() object.encrypt("hello") end))
print(pcall(function() object.decrypt({}, "hello") end))
print(pcall(function() object:encrypt() end))
print(aes.cipher().size, aes.cipher().cipher, aes.cipher("256", "ctr").size, aes._VERSION)

-- The most of one call.
print(aes:new("k", nil, nil, aes.hash.sha512, 100000) ~= nil, aes:new("k", nil, nil, aes.hash.sha512, 100001))
local long = ("x"):rep(1024 * 1024)
print(#aes:new("k", nil, aes.cipher(128, "cfb8")):encrypt(long), #aes:new("k", nil, aes.cipher(128, "cfb1")):encrypt(long:sub(1, 131072)))
print(pcall(function() aes:new("k", nil, aes.cipher(128, "cfb8")):encrypt(long .. "x") end))
print(pcall(function() aes:new("k", nil, aes.cipher(128, "cfb1")):encrypt(long:sub(1, 131073)) end))
print(pcall(function() object:encrypt(("x"):rep(16 * 1024 * 1024 + 1)) end))
--> ecb	128	4861f5592d6860928dc6207b607065da	e854e88cd1f3d016698ab3d20f52437d265f0e41	true
--> ecb	192	84821de257582edd2c82a5d3b17195c3	854ed02d631bd7e2ee6d166490b132961d3c5259	true
--> ecb	256	02a16a47448a231dc1ab8d6b8e7fddd1	4cd7f437f93b185c3ac35e63794f2aece7574de9	true
--> cbc	128	1aa100209d5a4d464ea30cafc90e6a25	284fa78f6a7a2a089cc22ed15490a2c701229d67	true
--> cbc	192	c809605e2f1820cb56b5406253f045dd	f6209ec97c7b2ba6731ae66f46b67f6c2d7239c7	true
--> cbc	256	bc6e5bf1da94f571c5dd5feed482024e	62f38d8d1f2057af141c113b94e09067cc7275ec	true
--> cfb1	128	f9c11cf6b4	5377d77f68353e267ddca48d2f2efab086e5755d	true
--> cfb1	192	840421698b	10621e4afada27fea165921369015482dd9e2142	true
--> cfb1	256	675951e182	e22e5c368741a9638a957e42c94beaa3226b7acc	true
--> cfb8	128	d2ffa579f6	33eaf3ed55b4f17d290fbcea1b0e930787af4e81	true
--> cfb8	192	a914203b5f	f37c2794caed4381c29d4bc6ef59802f1bb74b8f	true
--> cfb8	256	00e8531186	db6061636c53b6f39e40632b92bae59e6e532e98	true
--> cfb128	128	d2b8cd6ce1	7c7518f569d13bfa654839dbe1ef92c9757e7827	true
--> cfb128	192	a97081117d	af7f2254b0aca9238aab0d9dcd57b3a5377fb144	true
--> cfb128	256	0004abe2d1	711cc857cb066dcaacc1a2342e4c1bd3e8261782	true
--> ofb	128	d2b8cd6ce1	b84501e91fd5f8bc59e6f3d000c9bed18c8ab7e4	true
--> ofb	192	a97081117d	2d124946b2ada0a33d4deb441ede62ef531a7f20	true
--> ofb	256	0004abe2d1	a96d963335eb70923183b6a9fe81054d79470168	true
--> ctr	128	d2b8cd6ce1	a0db579abb387c6f959d3af5b8a2e192e128b126	true
--> ctr	192	a97081117d	c0139187f6a57d1e50d03f2c9f4dc7aa3692a474	true
--> ctr	256	0004abe2d1	b18e0482a5544cc4dda027cd357f5a1113c4d43b	true
--> gcm	128	57a6322be2	0080b234d42e85b401355e877ca4f3be	5013a492224db1d673ac5d81c566a69545a04c82	true
--> gcm	192	720b4b5caf	9b55faf97df3aa7da5a3256ea3ad541d	bf1c3fcdd559d8a38d59b5e21e01ca8920a2406f	true
--> gcm	256	25dca8f217	1a3d8969246724041a4e48c1f37cfeac	3d58d55a791a633cd5dfb2b03d3f9db083513178	true
--> md5	1d2ccd9afae07f21e72456f419a53ef7
--> sha1	b7e917f2c313bfc4c47b5f12edb7e06a
--> sha224	f78f8c757446e9b3cb7194722d0ad0c4
--> sha256	d8b507e87745ec38370e72462bf5fe9c
--> sha384	54a939e2cf4e1fda7e2564e978ba67f6
--> sha512	eab552336d2ca13cd9c7e342bc1fbcc0
--> gcm	1	4f6fe11fad	145bceaa9d1c9b7ae6bc4d5d2418bfe7
--> gcm	11	83280a8854	b62109ee92d922d4d32b810be9c51cdb
--> gcm	12	65055e6cec	f6d97cde91af35a69e8ba6f82ad68a79
--> gcm	13	125147b3f6	29d14abdfc53f631b1abf09389436b3d
--> gcm	16	de155ed38d	2521e47bf9cb6ee9b17bedb180922e50
--> gcm	31	7f851478e9	2363d1808f4d103fba820cbdd2b3dabc
--> gcm	32	6985149d45	cefb8af7bf74e80c72063d3dbd1372d9
--> e0ek27EeLN2y83QMnjpVKw==	hello
--> bLGjW/nWbpLJ3saE/DKXRg==	9y24n44ZMm2NpJKL4QZwXA==
--> nil	salt must be 8 characters or nil
--> nil	salt must be 8 characters or nil
--> d1a9b6e59b8980e783df223889563bee
--> true	true
--> true
--> nil	iv is needed
--> nil	bad key length
--> nil	bad key length
--> nil	bad iv length
--> a59c096412eecb79830021104f861307
--> dcb3ef65ec8aec36819595cb3658dea6
--> false	oops
--> false	resty_aes.lua:62: cannot convert a Lua number to function
--> nil	failed to set IV length
--> nil	failed to set IV length
--> nil	failed to set IV length
--> 456d35d0a043accb845e50a2c0b4cb1210d0e54a42df345a044756ec6d2a2c1869866f74f82a91c6
--> nil	EVP_EncryptFinal_ex failed
--> 5da8999cb39d1699890e598efbc17b87	0123456789abcdef
--> nil	EVP_DecryptFinal_ex failed
--> true	true
--> nil	EVP_DecryptFinal_ex failed
--> nil	EVP_DecryptFinal_ex failed
--> nil	EVP_DecryptFinal_ex failed
--> nil	EVP_DecryptFinal_ex failed
--> hello	hello
--> nil	EVP_DecryptFinal_ex failed
--> nil	EVP_DecryptFinal_ex failed
--> nil	EVP_DecryptFinal_ex failed
--> nil	EVP_DecryptFinal_ex failed
--> 1	1	1
--> false	resty_aes.lua:94: missing declaration for symbol 'EVP_aes_128_ccm'
--> false	resty_aes.lua:95: missing declaration for symbol 'EVP_aes_129_cbc'
--> false	resty_aes.lua:96: missing declaration for symbol 'EVP_aes_nil_nil'
--> false	resty_aes.lua:97: missing declaration for symbol 'EVP_aes_128_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'
--> false	resty_aes.lua:98: bad argument #1 to 'new' (string expected, got nil)
--> false	resty_aes.lua:99: bad argument #4 to 'new' (hash or table expected, got string)
--> false	resty_aes.lua:100: bad argument #2 to 'encrypt' (string expected, got nil)
--> false	resty_aes.lua:101: bad argument #1 to 'decrypt' (an object of this module expected)
--> false	resty_aes.lua:102: bad argument #1 to 'encrypt' (string expected, got nil)
--> 128	cbc	256	0.17
--> true	nil	failed to generate key and iv
--> 1048576	131072
--> false	resty_aes.lua:109: bad argument #1 to 'encrypt' (string too long for this mode)
--> false	resty_aes.lua:110: bad argument #1 to 'encrypt' (string too long for this mode)
--> false	resty_aes.lua:111: bad argument #1 to 'encrypt' (string longer than 16 MiB)
