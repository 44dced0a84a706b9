-- Removes an event that tells of a person. One that a worker is telling just now is told, and leaves nothing behind.
--   KEYS[1] wait   KEYS[2] delayed   KEYS[3] completed   KEYS[4] failed
--   ARGV[1] id   ARGV[2] prefix of the queue of callbacks   ARGV[3] '1': nothing is changed
-- Returns {'gone'} or {'event'}.
--- include remove-job
local id, queue = ARGV[1], ARGV[2]
if redis.call('EXISTS', queue .. id) == 0 then return { 'gone' } end
if ARGV[3] == '1' then return { 'event' } end
redis.call('LREM', KEYS[1], 1, id)
for n = 2, 4 do redis.call('ZREM', KEYS[n], id) end
removeJob(queue .. id)
return { 'event' }
