-- Removes a dead letter for good, unless somebody has retried it.
--   KEYS[1] dead letter   KEYS[2] failed   KEYS[3] the ended record of its message   KEYS[4..] the indexes that list it
--   ARGV[1] its id   ARGV[2] id of its message   ARGV[3] the last report (JSON)
--   ARGV[4] that is remembered for so many ms at least   ARGV[5] prefix of idempotency records
-- Returns 'discarded', 'being-replayed' or 'unknown'.
--- include remove-job
--- include idempotency
local exists, idem = unpack(redis.call('HMGET', KEYS[1], 'name', 'idem'))
if not exists then return 'unknown' end
if redis.call('ZREM', KEYS[2], ARGV[1]) == 0 then return 'being-replayed' end
rememberEnding(
  { key = KEYS[3], report = ARGV[3], ms = ARGV[4], records = ARGV[5] },
  { id = ARGV[2], idem = idem, status = 'discarded' }
)
removeJob(KEYS[1])
for n = 4, #KEYS do redis.call('ZREM', KEYS[n], ARGV[1]) end
return 'discarded'
