-- nginx: the packaged module is older than these
-- request: GET /newer
-- In decode_base64mime, characters that are none of base64 are passed over.
ngx.say(ngx.decode_base64mime("aGV\nsbG8="), " ", ngx.decode_base64mime("aGVs$bG8"), " ", ngx.decode_base64("aGV\nsbG8="))
ngx.say(ngx.HTTP_NOT_IMPLEMENTED)
--> 200
--> hello hello nil
--> 501
