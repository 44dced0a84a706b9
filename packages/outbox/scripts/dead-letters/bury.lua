-- Makes a dead letter that BullMQ's add has just put into `wait` a failed job with its reason, before any worker can see
-- it: from its first moment it stands in the dashboard's Failed tab, and a job of this queue that a worker fetches is
-- always one that somebody retried.
--   KEYS[1] dead letter   KEYS[2] wait   KEYS[3] failed   KEYS[4..] the indexes that list it
--   ARGV[1] id   ARGV[2] failedReason   ARGV[3] when it died, epoch ms
-- Returns 1, or 0 if it was not in `wait`.
if redis.call('LREM', KEYS[2], 1, ARGV[1]) == 0 then return 0 end
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])
redis.call('HSET', KEYS[1], 'failedReason', ARGV[2], 'finishedOn', ARGV[3], 'processedOn', ARGV[3], 'atm', 1, 'buried', 1)
for i = 4, #KEYS do redis.call('ZADD', KEYS[i], ARGV[3], ARGV[1]) end
return 1
