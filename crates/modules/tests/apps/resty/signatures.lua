-- Signatures that openssl made are good, and those that are made here are good too; with anything changed they are not.
-- The fingerprint is that of `openssl x509 -fingerprint -sha256`.
local keys = require "lib.keys"
local pkey, evp = require "resty.openssl.pkey", require "resty.evp"
local decode = ngx.decode_base64
local text = keys.text

for _, name in ipairs({ "rsa", "rsa_old", "rsa_public", "ec", "ec_public", "ed", "ed_public" }) do
  local key = assert(pkey.new(keys[name]))
  print(name, key:is_private(), key:get_key_type().sn)
end
print(pkey.new("nothing"))
print(pkey.new({ type = "EC" }))
print(pkey.new(keys.certificate))

-- What openssl signed.
local function check(public, signature, ...)
  local key = pkey.new(keys[public])
  local bytes = decode(keys[signature])
  print(key:verify(bytes, text, ...), key:verify(bytes, text .. ".", ...), key:verify("x" .. bytes, text, ...), key:verify("", text, ...))
end
check("rsa_public", "rsa_signature", "sha256")
check("rsa_public", "rsa_signature", "sha384")
check("rsa_public", "pss_signature", "sha384", pkey.PADDINGS.RSA_PKCS1_PSS_PADDING)
check("ec_public", "ec_signature", "sha256")
check("ed_public", "ed_signature")
print(pkey.new(keys.rsa_public):verify("", text, "md5"))
print(pkey.new(keys.ec_public):verify("", text, "sha512"))
print(pkey.new(keys.rsa_public):sign(text, "sha256"))
print(pkey.new(keys.ec):sign(text, "sha384"))

-- PKCS #1 signatures and those of Ed25519 are always the same.
print(pkey.new(keys.rsa):sign(text, "sha256") == decode(keys.rsa_signature), pkey.new(keys.rsa_old):sign(text, "sha256") == decode(keys.rsa_signature))
print(pkey.new(keys.ed):sign(text) == decode(keys.ed_signature))
for _, case in ipairs({ { "rsa", "sha512" }, { "rsa", "sha384", 6 }, { "ec", "sha256" } }) do
  local private, public = pkey.new(keys[case[1]]), pkey.new(keys[case[1] .. "_public"])
  local signature = private:sign(text, case[2], case[3])
  print(public:verify(signature, text, case[2], case[3]), private:verify(signature, text, case[2], case[3]))
end

-- As lua-resty-jwt uses them.
local signer = assert(evp.RSASigner:new(keys.rsa))
local certificate = assert(evp.Cert:new(keys.certificate))
local verifier = evp.RSAVerifier:new(certificate)
print(verifier:verify(text, signer:sign(text, evp.CONST.SHA256_DIGEST), evp.CONST.SHA256_DIGEST))
print(verifier:verify(text, "no signature", evp.CONST.SHA256_DIGEST))
print(certificate:get_fingerprint("sha256"))
print(#certificate:get_der() > 700, (evp.Cert:new(certificate:get_der())):get_fingerprint("sha256") == certificate:get_fingerprint("sha256"))
local ec = assert(evp.ECSigner:new(keys.ec))
local der = ec:sign(text, evp.CONST.SHA256_DIGEST)
local raw = ec:get_raw_sig(der)
print(#raw, evp.ECVerifier:new(evp.PublicKey:new(keys.ec_public)):verify(text, raw, evp.CONST.SHA256_DIGEST))
print(ec:get_raw_sig("no DER"))
print(ec:get_raw_sig())
print(evp.RSASigner:new(keys.ec))
print(evp.RSASigner:new(keys.rsa, "password"))
print(evp.Cert:new("x"))
print(evp.Cert:new())
print(evp.PublicKey:new(keys.rsa))
print(evp.RSAEncryptor:new())
print(evp.RSAVerifier:new())
print(pcall(pkey.new(keys.rsa).sign, pkey.new(keys.rsa), {}))
--> rsa	true	RSA
--> rsa_old	true	RSA
--> rsa_public	false	RSA
--> ec	true	EC
--> ec_public	false	EC
--> ed	true	ED25519
--> ed_public	false	ED25519
--> nil	pkey.new: unsupported key
--> nil	pkey.new: keys are read here, not made
--> nil	pkey.new: unsupported key
--> true	false	false	false
--> false	false	false	false
--> true	false	false	false
--> true	false	false	false
--> true	false	false	false
--> nil	pkey:verify: invalid digest type
--> nil	pkey:verify: unsupported combination of key and digest
--> nil	pkey:sign: not a private key
--> nil	pkey:sign: unsupported combination of key and digest
--> true	true
--> true
--> true	true
--> true	true
--> true	true
--> true
--> false	Verification failed
--> 95731FBBF2C73E06980BF0139D6AFDC6A9D5E8881331941D6F8E2D071E22EE58
--> true	true
--> 64	true
--> nil	not a signature of this key
--> nil	Must pass a signature to convert
--> nil	unsupported private key
--> nil	keys with passwords are not supported
--> nil	unsupported certificate
--> nil	Must pass a PEM or binary DER cert
--> nil	unsupported public key
--> nil	encryption with RSA is not supported
--> nil	You must pass in an key_source for a public key
--> false	bad argument to 'sign' (a string expected)
