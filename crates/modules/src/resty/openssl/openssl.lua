-- resty.openssl.* and resty.evp, over natives.
local tools = ...
local require, setmetatable, type, tonumber, tostring = tools.require, tools.setmetatable, tools.type, tools.tonumber, tools.tostring
local select, error = tools.select, tools.error
local format, match, lower, sub, rep, char, find = tools.format, tools.match, tools.lower, tools.sub, tools.rep, tools.char, tools.find

local VERSION = "1.5.1"

local function class(name)
  local module = { _VERSION = VERSION }
  local meta = { __index = module, __tostring = function() return "resty.openssl." .. name end }
  function module.istype(value) return type(value) == "table" and value.class == name end
  return module, function(object)
    object.class = name
    return setmetatable(object, meta)
  end
end

-- ---- digests ----

local DIGESTS = { md5 = "resty.md5", sha1 = "resty.sha1", sha224 = "resty.sha224", sha256 = "resty.sha256", sha384 = "resty.sha384", sha512 = "resty.sha512" }

local digest, make_digest = class("digest")

function digest.new(name)
  local module = DIGESTS[lower(tostring(name or "sha1"))]
  if not module then return nil, format("digest.new: invalid digest type \"%s\"", tostring(name)) end
  return make_digest({ state = require(module):new() })
end

local function update(self, ...)
  for i = 1, select("#", ...) do self.state:update((select(i, ...))) end
  return true
end

digest.update = update

function digest:final(text)
  if text then self.state:update(text) end
  return self.state:final()
end

function digest:reset() return self.state:reset() end

local hmac, make_hmac = class("hmac")

function hmac.new(key, name)
  local resty = require "resty.hmac"
  local algorithm = resty.ALGOS[(tostring(name or "sha1")):upper()]
  if not algorithm then return nil, format("hmac.new: invalid digest type \"%s\"", tostring(name)) end
  return make_hmac({ state = resty:new(key, algorithm) })
end

hmac.update = update

function hmac:final(text) return self.state:final(text) end
function hmac:reset() return self.state:reset() end

-- ---- random bytes, derived keys ----

local rand = { _VERSION = VERSION }
function rand.bytes(n) return (require "resty.random").bytes(n, true) end

local kdf = { _VERSION = VERSION, PBKDF2 = "PBKDF2", HKDF = "HKDF", HKDEF_MODE_EXTRACT_AND_EXPAND = 0, HKDEF_MODE_EXTRACT_ONLY = 1, HKDEF_MODE_EXPAND_ONLY = 2 }
local SIZES = { sha1 = 20, sha256 = 32, sha384 = 48, sha512 = 64 }

local function hkdf(options, md, bytes)
  local size = SIZES[md]
  if bytes > 255 * size then return nil, "kdf.derive: too many bytes" end
  local key, info = options.hkdf_key or "", options.hkdf_info or ""
  local mode = options.hkdf_mode or 0
  if mode ~= 2 then
    local salt = options.salt
    if not salt or salt == "" then salt = rep("\0", size) end
    key = hmac.new(salt, md):final(key)
  end
  if mode == 1 then return key end
  local out, block = "", ""
  local n = 0
  while #out < bytes do
    n = n + 1
    block = hmac.new(key, md):final(block .. info .. char(n))
    out = out .. block
  end
  return sub(out, 1, bytes)
end

function kdf.derive(options)
  if type(options) ~= "table" then return nil, "kdf.derive: expect a table as the first parameter" end
  local md, bytes = lower(tostring(options.md or "sha1")), tonumber(options.outlen)
  if not SIZES[md] then return nil, format("invalid digest type \"%s\"", md) end
  if not bytes or bytes < 1 then return nil, "kdf.derive: expect a number at \"outlen\"" end
  if options.type == kdf.HKDF then return hkdf(options, md, bytes) end
  if options.type ~= kdf.PBKDF2 then return nil, format("kdf.derive: unknown type %s", tostring(options.type)) end
  local state = tools.pbkdf2(md, options.pass or "", options.salt or "", tonumber(options.pbkdf2_iter) or 1, bytes)
  if not state then return nil, "kdf.derive: too many rounds, or too long a key or salt" end
  local key
  repeat key = tools.pbkdf2_step(state) until key
  return key
end

-- ---- ciphers ----

local cipher, make_cipher = class("cipher")
local MODES = { ecb = "ecb", cbc = "cbc", cfb = "cfb128", cfb1 = "cfb1", cfb8 = "cfb8", cfb128 = "cfb128", ofb = "ofb", ctr = "ctr", gcm = "gcm" }

function cipher.new(name)
  local bits, mode = match(lower(tostring(name)), "^aes%-?(%d+)%-(%w+)$")
  bits, mode = tonumber(bits), MODES[mode or ""]
  if not mode or not (bits == 128 or bits == 192 or bits == 256) then
    return nil, format("cipher.new: invalid cipher type \"%s\"", tostring(name))
  end
  return make_cipher({ key_size = bits / 8, mode = mode, iv_size = mode == "gcm" and 12 or mode == "ecb" and 0 or 16 })
end

local function start(self, what, key, iv, no_padding)
  if #key ~= self.key_size then
    return nil, format("cipher:%s: incorrect key size, expect %d", what, self.key_size)
  end
  if self.mode ~= "gcm" and #(iv or "") ~= self.iv_size then
    return nil, format("cipher:%s: incorrect iv size, expect %d", what, self.iv_size)
  end
  local aes = require "resty.aes"
  local vector = iv
  if self.iv_size == 0 then vector = rep("\0", 16) end
  return aes:new(key, nil, aes.cipher(self.key_size * 8, self.mode), { iv = vector }, nil, #(vector or ""), not no_padding)
end

function cipher:encrypt(key, iv, text, no_padding, aad)
  local state, err = start(self, "encrypt", key, iv, no_padding)
  if not state then return nil, err end
  local done
  done, err = state:encrypt(text, aad)
  if not done then return nil, "cipher:encrypt: " .. tostring(err) end
  if type(done) ~= "table" then return done end
  self.tag = done[2]
  return done[1]
end

function cipher:decrypt(key, iv, text, no_padding, aad, tag)
  local state, err = start(self, "decrypt", key, iv, no_padding)
  if not state then return nil, err end
  local done
  done, err = state:decrypt(text, tag, aad)
  if not done then return nil, "cipher:decrypt: " .. tostring(err) end
  return done
end

function cipher:get_aead_tag(size)
  if not self.tag then return nil, "cipher:get_aead_tag: there is no tag" end
  return sub(self.tag, 1, size or 16)
end

-- ---- keys ----

local pkey, make_pkey = class("pkey")

function pkey.new(text)
  if type(text) ~= "string" then return nil, "pkey.new: keys are read here, not made" end
  local key = tools.private_key(text) or tools.public_key(text) or nil
  if not key then return nil, "pkey.new: unsupported key" end
  return make_pkey({ ctx = key })
end

function pkey:is_private() return tools.is_private(self.ctx) end
function pkey:get_key_type() return { sn = tools.kind(self.ctx), ln = tools.kind(self.ctx) } end

local function text_of(text, name)
  -- A digest object stands for what it was given; its name is not known here.
  if type(text) == "string" then return text end
  error("bad argument to '" .. name .. "' (a string expected)", 3)
end

function pkey:sign(text, name, padding)
  local signature, err = tools.sign(self.ctx, text_of(text, "sign"), name, padding == 6, false)
  if not signature then return nil, "pkey:sign: " .. err end
  return signature
end

function pkey:verify(signature, text, name, padding)
  local good, err = tools.verify(self.ctx, signature, text_of(text, "verify"), name, padding == 6, false)
  if good == nil then return nil, "pkey:verify: " .. err end
  return good
end

pkey.PADDINGS = { RSA_PKCS1_PADDING = 1, RSA_NO_PADDING = 3, RSA_PKCS1_OAEP_PADDING = 4, RSA_PKCS1_PSS_PADDING = 6 }

-- ---- resty.evp ----

local CONST = {
  SHA1_DIGEST = "SHA1", SHA256_DIGEST = "SHA256", SHA384_DIGEST = "SHA384", SHA512_DIGEST = "SHA512",
  RSA_PKCS1_PADDING = 1, RSA_SSLV23_PADDING = 2, RSA_NO_PADDING = 3, RSA_PKCS1_OAEP_PADDING = 4, RSA_PKCS1_PSS_PADDING = 6,
}
local evp = { CONST = CONST, _VERSION = "0.2.4" }

local function evp_class(name, methods)
  evp[name] = methods
  methods.__index = methods
  return methods
end

local function signer(kind)
  local methods = evp_class(kind == "RSA" and "RSASigner" or "ECSigner", { algo = kind })
  function methods.new(_, pem, password, padding)
    if password then return nil, "keys with passwords are not supported" end
    local key = type(pem) == "string" and tools.private_key(pem)
    if not key or tools.kind(key) ~= kind then return nil, "unsupported private key" end
    return setmetatable({ evp_pkey = key, padding = padding }, methods)
  end
  function methods:sign(text, name)
    return tools.sign(self.evp_pkey, text, name, self.padding == CONST.RSA_PKCS1_PSS_PADDING, false)
  end
  return methods
end

signer("RSA")

local ec_signer = signer("EC")

function ec_signer:get_raw_sig(signature)
  if not signature then return nil, "Must pass a signature to convert" end
  local raw = tools.raw_signature(self.evp_pkey, signature)
  if not raw then return nil, "not a signature of this key" end
  return raw
end

local function verifier(name, is_raw)
  local methods = evp_class(name, {})
  function methods.new(_, source, padding)
    if not source then return nil, "You must pass in an key_source for a public key" end
    return setmetatable({ evp_pkey = source.public_key, padding = padding }, methods)
  end
  function methods:verify(text, signature, digest_name)
    local good, err = tools.verify(self.evp_pkey, signature, text, digest_name, self.padding == CONST.RSA_PKCS1_PSS_PADDING, is_raw)
    if good then return true end
    return false, err or "Verification failed"
  end
end

verifier("RSAVerifier", false)
verifier("ECVerifier", true)

local certificate = evp_class("Cert", {})

function certificate.new(_, text)
  if not text then return nil, "Must pass a PEM or binary DER cert" end
  local der, key = tools.certificate(text), tools.certificate_key(text)
  if not key then return nil, "unsupported certificate" end
  return setmetatable({ der = der, public_key = key }, certificate)
end

function certificate:get_der() return self.der end
function certificate:get_public_key() return self.public_key end

function certificate:get_fingerprint(name)
  local object, err = digest.new(name)
  if not object then return nil, err end
  return ((require "resty.string").to_hex(object:final(self.der))):upper()
end

function certificate:verify_trust() return false, "certificates are not checked against files here" end

local public = evp_class("PublicKey", {})

function public.new(_, text)
  if not text then return nil, "Must pass a PEM or binary DER public key" end
  local key = tools.public_key(text)
  if not key then return nil, "unsupported public key" end
  return setmetatable({ public_key = key }, public)
end

for _, name in tools.ipairs({ "RSAEncryptor", "RSADecryptor" }) do
  evp_class(name, { new = function() return nil, "encryption with RSA is not supported" end })
end

return { digest = digest, hmac = hmac, rand = rand, kdf = kdf, cipher = cipher, pkey = pkey, evp = evp }
