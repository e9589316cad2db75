ngx.exec("/exec_target", {from = "rewrite"})
