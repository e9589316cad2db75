-- Run afresh in each task whose name is a function here.
started = (started or 0) + 1

function Main(a, b)
  print("Main", a, b, started, shared)
end

function egress(dest)
  print("egress", dest, started)
end
