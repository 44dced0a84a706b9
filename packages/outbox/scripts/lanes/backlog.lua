-- How much waits in an app's two queues, and since when the oldest message that is due has waited. A retried message joins
-- the back of a queue, a woken one the front, so the place does not show the age: a bounded number from each list is looked at.
--   KEYS[1] prefix of the send queue's keys   KEYS[2] that of the dead letters   KEYS[3] replays that are due
--   KEYS[4] prefix of lanes   KEYS[5] prefix of the queue of callbacks
--   ARGV[1] now, in epoch milliseconds   ARGV[2] how many of each list are looked at
-- Returns send waiting, active, delayed, failed; dead-letter waiting, active, failed; then since when the oldest has
-- waited, in epoch milliseconds, or 0: nothing waits; how many wait for their users, who are not waited
-- for here; callbacks waiting, delayed, given up, and how their receiver is held, or ''.
--- include awaiting
local send, dead = KEYS[1], KEYS[2]
local now, most = tonumber(ARGV[1]), tonumber(ARGV[2])

local function waiting(prefix)
  return redis.call('LLEN', prefix .. 'wait') + redis.call('LLEN', prefix .. 'paused')
    + redis.call('ZCARD', prefix .. 'prioritized')
end

-- When a message began to wait. One with a `sendAt` waits from then on, and not at all before.
local function since(id)
  local job = redis.call('HMGET', send .. id, 'timestamp', 'data', 'parked')
  local at = tonumber(job[1] or '')
  if not at or job[3] == 'user' then return nil end
  local readable, data = pcall(cjson.decode, job[2] or '')
  if not (readable and type(data) == 'table') then return at end
  if type(data.sendAt) == 'number' then at = math.max(at, data.sendAt) end
  if job[3] == '1' and type(data.touser) == 'string' then
    -- Behind one that waits for its user.
    local turn = redis.call('LINDEX', KEYS[4] .. data.touser, '0')
    if turn and redis.call('HGET', send .. turn, 'parked') == 'user' then return nil end
  end
  return at
end

local oldest = math.huge
local function look(ids)
  for _, id in ipairs(ids) do
    local at = since(id)
    if at and at <= now and at < oldest then oldest = at end
  end
end
-- BullMQ takes from the right.
look(redis.call('LRANGE', send .. 'wait', -most, -1))
look(redis.call('LRANGE', send .. 'paused', -most, -1))
look(redis.call('LRANGE', send .. 'active', -most, -1))
look(redis.call('ZRANGE', send .. 'delayed', 0, most - 1))

return {
  waiting(send),
  redis.call('LLEN', send .. 'active'),
  redis.call('ZCARD', send .. 'delayed'),
  redis.call('ZCARD', send .. 'failed'),
  waiting(dead) + redis.call('ZCARD', KEYS[3]),
  redis.call('LLEN', dead .. 'active'),
  redis.call('ZCARD', dead .. 'failed'),
  oldest == math.huge and 0 or oldest,
  redis.call('ZCARD', awaitingKey(send)),
  redis.call('LLEN', KEYS[5] .. 'wait'),
  redis.call('ZCARD', KEYS[5] .. 'delayed'),
  redis.call('ZCARD', KEYS[5] .. 'failed'),
  redis.call('HGET', KEYS[5] .. 'hold', 'kind') or '',
}
