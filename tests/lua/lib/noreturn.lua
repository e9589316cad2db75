-- A module that returns nothing.
noreturn_ran = true
