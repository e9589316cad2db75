-- request: GET /after_output_error
-- What was said before an exit with an error status stays as it is.
ngx.say("said")
ngx.flush(true)
ngx.exit(ngx.HTTP_INTERNAL_SERVER_ERROR)
--> 200
--> said
