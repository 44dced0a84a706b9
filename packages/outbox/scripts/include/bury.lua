-- bury(letter, at): a dead letter, among the failed jobs of its queue from its first moment, where the dashboard shows it; so a
-- job of that queue that waits is always one that somebody retried. Returns 'buried', 'there' (this message's letter has been
-- buried before), or 'occupied' (another message's letter stands under the id).
--   letter.id, letter.name (msgtype), letter.json, letter.reason (failedReason), letter.deadAt (epoch ms),
--   letter.message (id), letter.acceptedAt, letter.indexes (keys that list it), letter.idem (digest of the idempotency key)
--   at.dead    prefix of the queue of dead letters
local function bury(letter, at)
  local key = at.dead .. letter.id
  local there = redis.call('HGET', key, 'data')
  if there then
    local isRead, before = pcall(cjson.decode, there)
    local same = isRead and type(before) == 'table' and before.messageId == letter.message
      and before.acceptedAt == letter.acceptedAt
    return same and 'there' or 'occupied'
  end
  -- First, because it can fail: a letter that stands in no list would be taken for one that is buried.
  redis.call('ZADD', at.dead .. 'failed', letter.deadAt, letter.id)
  redis.call('HSET', key, 'name', letter.name, 'data', letter.json, 'opts', '{}', 'timestamp', letter.deadAt, 'delay', 0,
    'priority', 0, 'failedReason', letter.reason, 'finishedOn', letter.deadAt, 'processedOn', letter.deadAt, 'atm', 1,
    'buried', 1)
  if letter.idem then redis.call('HSET', key, 'idem', letter.idem) end
  -- An index that another program has corrupted must not keep a message from its end.
  for _, index in ipairs(letter.indexes) do redis.pcall('ZADD', index, letter.deadAt, letter.id) end
  redis.pcall('XADD', at.dead .. 'events', 'MAXLEN', '~', 10000, '*', 'event', 'failed', 'jobId', letter.id,
    'failedReason', letter.reason)
  return 'buried'
end
