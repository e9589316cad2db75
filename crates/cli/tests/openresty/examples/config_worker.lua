-- request: GET /config_worker
ngx.say(ngx.config.subsystem, " ", type(ngx.config.debug), " ", type(ngx.config.prefix()), " ", type(ngx.config.nginx_version), " ",
  type(ngx.config.ngx_lua_version), " ", type(ngx.config.nginx_configure()))
ngx.say(ngx.worker.exiting(), " ", ngx.worker.count(), " ", ngx.worker.id(), " ", type(ngx.worker.pid()), " ", tostring(ngx.worker.pid()) == ngx.var.pid)
ngx.say(type(ngx.get_phase), " ", ngx.get_phase())
--> 200
--> http boolean string number number string
--> false 1 0 number true
--> function content
