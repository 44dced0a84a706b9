-- leaveIndexes(letter, indexes): takes a dead letter off the lists that show it. One that another program has corrupted keeps no letter
-- from its end, as in `bury`.
local function leaveIndexes(letter, indexes)
  for _, index in ipairs(indexes) do redis.pcall('ZREM', index, letter) end
end
