shared = "from init.lua"
