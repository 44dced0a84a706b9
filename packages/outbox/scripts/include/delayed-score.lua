-- delayedScore(delayed, dueAt): BullMQ's score of a job that becomes due at `dueAt` (epoch ms). The lower twelve bits keep the order of
-- those that become due in the same millisecond.
local function delayedScore(delayed, dueAt)
  local low, high = dueAt * 0x1000, (dueAt + 1) * 0x1000 - 1
  local last = redis.call('ZREVRANGEBYSCORE', delayed, high, low, 'WITHSCORES', 'LIMIT', 0, 1)[2]
  if not last then return low end
  return math.min(tonumber(last) + 1, high)
end

-- The marker says when the earliest delayed job is due, so that idle workers wait no longer.
local function markDelayed(marker, delayed)
  local next = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]
  if next then redis.pcall('ZADD', marker, tonumber(next) / 0x1000, '1') end
end
