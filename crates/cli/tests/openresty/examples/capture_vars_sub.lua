-- The other half of `capture_vars`; its variables are declared by nobody but the parent.
ngx.print(ngx.var.dog, " ", ngx.var.cat)
ngx.var.dog = "changed"
