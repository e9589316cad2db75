-- Found through the second template of package.path.
return "nested module"
