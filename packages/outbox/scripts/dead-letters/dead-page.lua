-- The next ids of an index of dead letters, newest first, and of equal times the greater id first. Where the walk stands
-- is a time and an id, and not a rank: letters may come and go between two pages, the one it stands at included. Nothing
-- before the page is passed over one by one, so a page costs what a page costs wherever it lies.
--   KEYS[1] index
--   ARGV[1] where the walk stands, epoch ms   ARGV[2] and the id there; '' to begin at the newest
--   ARGV[3] since   ARGV[4] until, epoch ms, both included, or '-inf' and '+inf'   ARGV[5] how many at most
-- Returns id, time, id, time …

-- Redis orders members by their bytes. Lua's own comparison follows the locale of the server.
local function isBefore(one, other)
  for at = 1, math.min(#one, #other) do
    local a, b = one:byte(at), other:byte(at)
    if a ~= b then return a < b end
  end
  return #one < #other
end

local from = redis.call('ZCOUNT', KEYS[1], '(' .. ARGV[4], '+inf')
if ARGV[2] ~= '' then
  -- Among those of one time the first that is smaller is searched by halves: bulk deaths share a millisecond.
  local low = redis.call('ZCOUNT', KEYS[1], '(' .. ARGV[1], '+inf')
  local high = low + redis.call('ZCOUNT', KEYS[1], ARGV[1], ARGV[1])
  while low < high do
    local middle = math.floor((low + high) / 2)
    if isBefore(redis.call('ZREVRANGE', KEYS[1], middle, middle)[1], ARGV[2]) then high = middle else low = middle + 1 end
  end
  from = math.max(from, low)
end
local found = redis.call('ZREVRANGE', KEYS[1], from, from + ARGV[5] - 1, 'WITHSCORES')
local since = ARGV[3] == '-inf' and -math.huge or tonumber(ARGV[3])
while #found > 0 and tonumber(found[#found]) < since do
  table.remove(found)
  table.remove(found)
end
return found
