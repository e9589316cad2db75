-- request: GET /exec_named_missing
ngx.exec("@nobody_has_this_name")
--> 500
