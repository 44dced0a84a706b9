-- Creates a task, and removes the oldest that have ended where too many are kept.
--   KEYS[1] the task   KEYS[2] all tasks   KEYS[3] open tasks   KEYS[4] marker of the queue of dead letters   KEYS[5] ids that were given
--   ARGV[1] its id   ARGV[2] prefix of tasks   ARGV[3] how many may be open   ARGV[4] how many are kept
--   ARGV[5..] fields and values of the task
-- Returns 'created', 'again' (it has been, and its answer was lost), or 'too-many'.
--- include clock
local id, tasks = ARGV[1], ARGV[2]
if redis.call('EXISTS', KEYS[1]) == 1 then return 'again' end
if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[3]) then return 'too-many' end
local now = string.format('%.0f', nowMs())
redis.call('ZADD', KEYS[3], now, id)
redis.call('ZADD', KEYS[2], now, id)
redis.call('HSET', KEYS[1], 'status', 'running', 'startedAt', now, 'done', 0, 'skipped', 0, 'failed', 0, 'takenBack', 0, 'cursor', '',
  unpack(ARGV, 5))
redis.call('PERSIST', KEYS[5])
local over = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[4])
for _, old in ipairs(over > 0 and redis.call('ZRANGE', KEYS[2], 0, over - 1) or {}) do
  if not redis.call('ZSCORE', KEYS[3], old) then
    redis.call('ZREM', KEYS[2], old)
    redis.call('UNLINK', tasks .. old, tasks .. old .. ':replayed')
  end
end
redis.pcall('ZADD', KEYS[4], 0, '0')
return 'created'
