-- failIfSpoilt(lists, sortedSets): raises where another program has put something else under one of these keys. It comes before a step
-- that takes a message from where it stands and may fail to put it elsewhere.
local function failIfSpoilt(lists, sortedSets)
  for _, key in ipairs(lists) do redis.call('LLEN', key) end
  for _, key in ipairs(sortedSets) do redis.call('ZCARD', key) end
end
