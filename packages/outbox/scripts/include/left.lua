-- left(id, at): WeChat has a message, which leaves its lane, and the next one is woken. `at` holds `lane`, `prefix` of job keys,
-- `held` lanes, `faults` in a row if there are any, and `expiring` if the message had an `expiresAt`. Removes by id and never pops: the
-- front may be somebody else by now. Returns the id whose turn it is now, or false.
--- include wake
local function left(id, at)
  redis.call('LREM', at.lane, 1, id)
  if at.faults then redis.call('DEL', at.faults) end
  if at.expiring then redis.call('ZREM', at.expiring, id) end
  return wake(at.lane, at.prefix, at.held)
end
