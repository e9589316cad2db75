return function() task.receive { what = "stop" } end
