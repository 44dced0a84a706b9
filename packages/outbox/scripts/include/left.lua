-- WeChat has a message: two steps of what follows.
--- include wake

-- settled(jobKey, returned): nobody sends it again, whatever else happens to the job, if there still is one. `returned` is
-- what the job returns: its attempts.
local function settled(jobKey, returned)
  if redis.call('EXISTS', jobKey) == 0 then return end
  redis.call('HSET', jobKey, 'settled', 'delivered', 'returnvalue', returned, 'sending', '')
end

-- left(id, at): the message leaves its lane, and the next one is woken. `at` holds `lane`, `prefix` of job keys, `held` lanes,
-- `faults` in a row if there are any, and `expiring` if the message had an `expiresAt`. Removes by id and never pops: the
-- front may be somebody else by now. Returns the id whose turn it is now, or false.
local function left(id, at)
  redis.call('LREM', at.lane, 1, id)
  if at.faults then redis.call('DEL', at.faults) end
  if at.expiring then redis.call('ZREM', at.expiring, id) end
  return wake(at.lane, at.prefix, at.held)
end
