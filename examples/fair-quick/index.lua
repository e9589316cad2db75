return function() return "quick\n" end
