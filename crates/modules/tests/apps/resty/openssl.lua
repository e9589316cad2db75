-- Stand-ins of lua-resty-openssl. PBKDF2 and AES in CBC mode as Python and openssl make them, HKDF as in RFC 5869, the digests as in FIPS 180.
local function hex(s) return (s:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end
local kdf, hmac, digest = require "resty.openssl.kdf", require "resty.openssl.hmac", require "resty.openssl.digest"
local cipher, rand = require "resty.openssl.cipher", require "resty.openssl.rand"

print(hex(digest.new("sha256"):final("abc")))
local d = digest.new("md5")
print(d:update("a", "b"), hex(d:final("c")), digest.istype(d), digest.istype(1))
print(digest.new("nothing"))
print(hex(hmac.new("key", "sha256"):final("The quick brown fox jumps over the lazy dog")))
print(hmac.new("key", "nothing"))
print(#rand.bytes(12), rand.bytes(12) ~= rand.bytes(12))

print(hex(kdf.derive({ type = kdf.PBKDF2, md = "sha256", pass = "password", salt = "salt", pbkdf2_iter = 4096, outlen = 40 })))
print(hex(kdf.derive({ type = kdf.PBKDF2, md = "sha1", pass = "password", salt = "salt", pbkdf2_iter = 2, outlen = 20 })))
print(hex(kdf.derive({
  type = kdf.HKDF, md = "sha256", hkdf_key = ("\11"):rep(22), salt = "\0\1\2\3\4\5\6\7\8\9\10\11\12",
  hkdf_info = "\240\241\242\243\244\245\246\247\248\249", outlen = 42,
})))
print(kdf.derive({ type = kdf.PBKDF2, md = "nothing", outlen = 1 }))
print(kdf.derive({ type = kdf.PBKDF2, outlen = 2000 }))
print(kdf.derive({ type = kdf.PBKDF2, outlen = 20, pbkdf2_iter = 1e9 }))
print(kdf.derive({ type = "scrypt", outlen = 20 }))
print(kdf.derive(1))

local c = cipher.new("aes-256-cbc")
local e = c:encrypt(("k"):rep(32), ("i"):rep(16), "some text")
print(hex(e), c:decrypt(("k"):rep(32), ("i"):rep(16), e))
print(c:encrypt("short", ("i"):rep(16), "x"))
print(c:encrypt(("k"):rep(32), "short", "x"))
print(c:decrypt(("k"):rep(32), ("i"):rep(16), "no block"))
print(c:get_aead_tag())
c = cipher.new("aes-128-gcm")
e = c:encrypt(("k"):rep(16), ("i"):rep(12), "text", false, "aad")
local tag = c:get_aead_tag()
print(c:decrypt(("k"):rep(16), ("i"):rep(12), e, false, "aad", tag))
print(c:decrypt(("k"):rep(16), ("i"):rep(12), e, false, "bad", tag))
print(cipher.new("des-ede3"))
--> ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
--> true	900150983cd24fb0d6963f7d28e17f72	true	false
--> nil	digest.new: invalid digest type "nothing"
--> f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8
--> nil	hmac.new: invalid digest type "nothing"
--> 12	true
--> c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134af7ad98c1b458ce3f
--> ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957
--> 3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865
--> nil	invalid digest type "nothing"
--> nil	kdf.derive: too many rounds, or too long a key or salt
--> nil	kdf.derive: too many rounds, or too long a key or salt
--> nil	kdf.derive: unknown type scrypt
--> nil	kdf.derive: expect a table as the first parameter
--> c95d3536bc71ab35a6608de700c17c87	some text
--> nil	cipher:encrypt: incorrect key size, expect 32
--> nil	cipher:encrypt: incorrect iv size, expect 16
--> nil	cipher:decrypt: EVP_DecryptFinal_ex failed
--> nil	cipher:get_aead_tag: there is no tag
--> text
--> nil	cipher:decrypt: EVP_DecryptFinal_ex failed
--> nil	cipher.new: invalid cipher type "des-ede3"
