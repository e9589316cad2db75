-- ngx.re and the module "ngx.re". What a search does is in the host's functions, each call of which is short: they answer `false` and a
-- state when there is more to do, or `false` and a message that is to be raised.
local tools = ...
local exec, search, substitute, check = tools.exec, tools.search, tools.substitute, tools.check
local type, tostring, error, sub, concat = tools.type, tools.tostring, tools.error, tools.sub, tools.concat

-- The pattern as a string. `level`: whom an error is the fault of.
local function pattern(name, regex, level)
  if type(regex) == "string" then return regex end
  if type(regex) == "number" then return tostring(regex) end
  error("bad argument #2 to '" .. name .. "' (string expected, got " .. (regex == nil and "no value" or type(regex)) .. ")", level + 1)
end

local function letters(name, options, at, level)
  if type(options) == "string" then return options end
  if not options then return "" end
  if type(options) == "number" then return tostring(options) end
  error("bad argument #" .. at .. " to '" .. name .. "' (string expected, got " .. type(options) .. ")", level + 1)
end

local function position(ctx)
  local pos = ctx.pos
  if not pos or pos <= 0 then return 1 end
  return pos
end

-- Goes on with what was not finished, or raises.
local function finish(f, subject, regex, options, pos, extra, checked, state, level)
  local a, b, c, d
  repeat
    if type(state) == "string" then error(state, level + 1) end
    a, b, c, d = f(subject, regex, options, pos, extra, checked, state)
    state = b
  until a ~= false
  return a, b, c, d
end

local function match(subject, regex, options, ctx, res)
  if type(subject) ~= "string" then subject = tostring(subject) end
  if type(regex) ~= "string" then regex = pattern("match", regex, 2) end
  if type(options) ~= "string" then options = letters("match", options, 3, 2) end
  local pos = ctx and position(ctx) or 1
  local captures, from, to = exec(subject, regex, options, pos, res)
  if captures == false then
    captures, from, to = finish(exec, subject, regex, options, pos, res, nil, from, 2)
  end
  if captures then
    if ctx then ctx.pos = to + 1 end
    return captures
  end
  if from then return nil, from end
  return nil
end

local function find(subject, regex, options, ctx, nth)
  if type(subject) ~= "string" then subject = tostring(subject) end
  if type(regex) ~= "string" then regex = pattern("find", regex, 2) end
  if type(options) ~= "string" then options = letters("find", options, 3, 2) end
  local pos = ctx and position(ctx) or 1
  local from, to, last, err = search(subject, regex, options, pos, nth)
  if from == false then
    from, to, last, err = finish(search, subject, regex, options, pos, nth, nil, to, 2)
  end
  if last and ctx then ctx.pos = last + 1 end
  if err then return nil, nil, err end
  if from then return from, to end
  if last then return nil, nil end
  return nil
end

local function gmatch(subject, regex, options)
  if type(subject) ~= "string" then subject = tostring(subject) end
  if type(regex) ~= "string" then regex = pattern("gmatch", regex, 2) end
  if type(options) ~= "string" then options = letters("gmatch", options, 3, 2) end
  local err, raised = check(regex, options)
  if raised then error(raised, 2) end
  if err then return nil, err end
  local pos, checked = 1, nil
  return function()
    if not pos then return nil end
    local captures, from, to, next = exec(subject, regex, options, pos, nil, checked)
    if captures == false then
      captures, from, to, next = finish(exec, subject, regex, options, pos, nil, checked, from, 2)
    end
    checked, pos = true, nil
    if captures then
      if next <= #subject + 1 then pos = next end
      return captures
    end
    if from then return nil, from end
    return nil
  end
end

local function replaced_by_function(subject, regex, replace, options, global)
  local parts, n, count, pos, copied, checked = {}, 0, 0, 1, 1, nil
  repeat
    local captures, from, to, next = exec(subject, regex, options, pos, nil, checked)
    if captures == false then
      captures, from, to, next = finish(exec, subject, regex, options, pos, nil, checked, from, 3)
    end
    if not captures then
      if from then return nil, nil, from end
      break
    end
    count, checked = count + 1, true
    local piece = tostring(replace(captures))
    parts[n + 1], parts[n + 2] = sub(subject, copied, from - 1), piece
    n = n + 2
    if to >= copied then copied = to + 1 end
    pos = next
  until not global or pos > #subject + 1
  if count == 0 then return subject, 0 end
  parts[n + 1] = sub(subject, copied)
  return concat(parts), count
end

local function replaced_by_template(subject, regex, replace, options, global)
  local text, count, state = substitute(subject, regex, replace, options, global)
  if not state then
    if text then return text, count end
    if text == false then error(count, 3) end
    return nil, nil, count
  end
  local parts, n = {}, 0
  while true do
    if text ~= "" then
      n = n + 1
      parts[n] = text
    end
    if not state then break end
    text, count, state = substitute(subject, regex, replace, options, global, state)
    if not text then return nil, nil, count end
  end
  return concat(parts), count
end

local function replacer(name, global)
  return function(subject, regex, replace, options)
    if type(subject) ~= "string" then subject = tostring(subject) end
    if type(regex) ~= "string" then regex = pattern(name, regex, 2) end
    if type(options) ~= "string" then options = letters(name, options, 4, 2) end
    local a, b, c
    if type(replace) == "function" then
      a, b, c = replaced_by_function(subject, regex, replace, options, global)
    else
      if type(replace) ~= "string" then replace = tostring(replace) end
      a, b, c = replaced_by_template(subject, regex, replace, options, global)
    end
    if c then return nil, nil, c end
    return a, b
  end
end

-- Splits as Perl does: an empty match splits between characters, the first group's text goes into the result as well, and without
-- a maximum no empty strings are left at the end.
local function split(subject, regex, options, ctx, max, res)
  subject = tostring(subject)
  if type(regex) ~= "string" then regex = pattern("split", regex, 2) end
  if type(options) ~= "string" then options = letters("split", options, 3, 2) end
  if not ctx then
    ctx = {pos = 1}
  elseif not ctx.pos then
    ctx.pos = 1
  end
  max = max or 0
  if not res then
    res = {}
  elseif type(res) ~= "table" then
    error("res is not a table", 2)
  end
  local length = #subject
  local begin = ctx.pos
  if begin > length then
    res[1] = nil
    return res
  end
  local pos, n, pieces, checked = begin > 1 and begin or 1, 0, 1, nil
  local edge
  while max <= 0 or pieces < max do
    local captures, from, to, next = exec(subject, regex, options, pos, nil, checked)
    if captures == false then
      captures, from, to, next = finish(exec, subject, regex, options, pos, nil, checked, from, 2)
    end
    if not captures then
      if from then return nil, from end
      break
    end
    checked, pos = true, next
    ctx.pos = next - 1
    local after = to + 1
    if edge then begin = edge end
    if from == after then edge = from end
    if from > begin or not edge then
      n, pieces = n + 1, pieces + 1
      res[n] = sub(subject, begin, from - 1)
      if captures[1] then
        n = n + 1
        res[n] = captures[1]
      end
      begin = after
      if begin > length then break end
    end
    if pos > length + 1 then break end
  end
  if max <= 0 and begin > length then
    while n > 0 and res[n] == "" do
      res[n] = nil
      n = n - 1
    end
  else
    n = n + 1
    res[n] = sub(subject, begin)
  end
  res[n + 1] = nil
  return res
end

local function opt(option)
  -- There is no stack of a compiler's to be sized.
  if option ~= "jit_stack_size" then error("unrecognized option name", 2) end
end

return {match = match, find = find, gmatch = gmatch, sub = replacer("sub", false), gsub = replacer("gsub", true)},
  {split = split, opt = opt, version = "0.1.31"}
