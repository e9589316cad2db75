-- nginx: the packaged module is older than this function
-- request: GET /base64mime
-- Characters that are none of base64 are passed over.
ngx.say(ngx.decode_base64mime("aGV\nsbG8="), " ", ngx.decode_base64mime("aGVs$bG8"), " ", ngx.decode_base64("aGV\nsbG8="))
