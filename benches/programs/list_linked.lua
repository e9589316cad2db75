-- Linked lists: cons cells, reversal, merge sort of a list, a doubly linked ring with removal, a binary search tree.
local n = tonumber((...)) or 35000

local seed = 7
local function random()
  seed = seed * 16807 % 2147483647
  return seed
end
local function build(count)
  local head
  for i = 1, count do head = { value = random() % 100000, next = head } end
  return head
end
local function reverse(list)
  local out
  while list do list, list.next, out = list.next, out, list end
  return out
end
local function merge(a, b)
  local head = {}
  local tail = head
  while a and b do
    if a.value <= b.value then tail.next, a = a, a.next else tail.next, b = b, b.next end
    tail = tail.next
  end
  tail.next = a or b
  return head.next
end
local function sort(list)
  if not list or not list.next then return list end
  local slow, fast = list, list.next
  while fast and fast.next do slow, fast = slow.next, fast.next.next end
  local second = slow.next
  slow.next = nil
  return merge(sort(list), sort(second))
end
local function insert(node, value)
  if not node then return { value = value } end
  if value < node.value then node.left = insert(node.left, value) else node.right = insert(node.right, value) end
  return node
end
local function total(node, depth)
  if not node then return 0 end
  return node.value % 10 * depth + total(node.left, depth + 1) + total(node.right, depth + 1)
end

local sum, at = 0, 0
local list = sort(reverse(build(n)))
while list do
  at = at + 1
  sum = sum + list.value * (at % 5)
  list = list.next
end
local ring = {}
ring.next, ring.prev = ring, ring
for i = 1, n do
  local node = { value = i, prev = ring.prev, next = ring }
  ring.prev.next, ring.prev = node, node
end
local node = ring.next
while ring.next ~= ring do
  for _ = 1, 3 do node = node.next end
  if node == ring then node = node.next end
  node.prev.next, node.next.prev = node.next, node.prev
  sum = sum + node.value % 3
  node = node.next
end
local root
for i = 1, n do root = insert(root, random() % 1000000) end
print(string.format("%d %d", sum, total(root, 1)))
