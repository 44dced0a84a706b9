-- Lets events that were told, or given up, be told again, under the ids that they had.
--   KEYS[1] wait   KEYS[2] delayed   KEYS[3] completed or failed   KEYS[4] marker
--   ARGV[1] prefix of the queue's keys   ARGV[2], ARGV[3] since and until when they ended (epoch ms)   ARGV[4] how many at most
-- Returns how many there were. Fewer than asked for: these were the last, or no more may wait.
--- include clock
--- include events
local queue = ARGV[1]
local space = EVENTS_MAX - redis.call('LLEN', KEYS[1]) - redis.call('ZCARD', KEYS[2])
local most = math.min(tonumber(ARGV[4]), space)
if most <= 0 then return 0 end
local ids = redis.call('ZRANGEBYSCORE', KEYS[3], ARGV[2], ARGV[3], 'LIMIT', 0, most)
if #ids == 0 then return 0 end
redis.call('LPUSH', KEYS[1], unpack(ids))
for _, id in ipairs(ids) do
  redis.call('ZREM', KEYS[3], id)
  -- Its age counts from now on.
  redis.call('HSET', queue .. id, 'again', string.format('%.0f', nowMs()))
  redis.call('HDEL', queue .. id, 'finishedOn', 'processedOn', 'returnvalue', 'failedReason', 'atm')
end
redis.pcall('ZADD', KEYS[4], 0, '0')
return #ids
