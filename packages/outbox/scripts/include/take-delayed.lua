-- takeDelayed(id, delayed, list, push, pop): moves a message from the delayed ones to an end of a list; returns false where it is not
-- among them. The list comes first: where another program has spoilt it or `delayed`, this raises, and the message stands where
-- it stood. In the other order it would stand nowhere, and nobody would look for it.
local function takeDelayed(id, delayed, list, push, pop)
  redis.call(push, list, id)
  if redis.pcall('ZREM', delayed, id) == 1 then return true end
  redis.call(pop, list)
  -- Raises once more, unless the message is elsewhere.
  redis.call('ZCARD', delayed)
  return false
end
