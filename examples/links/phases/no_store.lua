-- Header filter: a link may come to mean something else.
ngx.header["Cache-Control"] = "no-store"
