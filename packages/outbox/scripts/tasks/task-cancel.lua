-- Ends a task at once: whatever is left of its letters is left alone. With 'take-back' it stays open until what it has replayed and is
-- not sent yet has been taken back; a task that is done can be taken back, too.
--   KEYS[1] the task   KEYS[2] open tasks   KEYS[3] what it has replayed   KEYS[4] marker of the queue of dead letters
--   ARGV[1] its id   ARGV[2] prefix of tasks   ARGV[3] 'take-back' or ''   ARGV[4] who cancels it, or ''
-- Returns 'cancelled', 'ended' (it had ended before, and there is nothing to take back) or 'unknown'.
--- include clock
--- include task
local status, action = unpack(redis.call('HMGET', KEYS[1], 'status', 'action'))
if not status then return 'unknown' end
local takesBack = ARGV[3] == 'take-back' and action == 'replay' and redis.call('EXISTS', KEYS[3]) == 1
if status ~= 'running' and not takesBack then return 'ended' end
local at = { tasks = ARGV[2], open = KEYS[2], now = nowMs() }
endTask(ARGV[1], 'cancelled', at)
if ARGV[4] ~= '' then redis.call('HSETNX', KEYS[1], 'cancelledBy', ARGV[4]) end
if takesBack then
  redis.call('HSET', KEYS[1], 'takingBack', 1)
  redis.call('PERSIST', KEYS[1])
  redis.call('PERSIST', KEYS[3])
  redis.call('ZADD', KEYS[2], at.now, ARGV[1])
  redis.pcall('ZADD', KEYS[4], 0, '0')
end
return 'cancelled'
