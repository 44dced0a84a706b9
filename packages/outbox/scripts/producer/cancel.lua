-- Takes a message back, if nothing of it can have reached WeChat and it is still as its caller saw it.
--   KEYS[1] job   KEYS[2] its lock   KEYS[3] lane   KEYS[4] parked lanes   KEYS[5] messages that expire   KEYS[6] its ended record
--   ARGV[1] id   ARGV[2] prefix of jobs   ARGV[3] fetches that its caller saw   ARGV[4] the last report (JSON)
--   ARGV[5] that is remembered for so many ms at least   ARGV[6] prefix of idempotency records
-- Returns 'cancelled', 'too-late', 'gone', or 'changed': look again.
--- include wake
--- include remove-job
--- include idempotency
--- include unsure
local id, jobs = ARGV[1], ARGV[2]
local exists, settled, sending, stalls, fetches, idem, history =
  unpack(redis.call('HMGET', KEYS[1], 'timestamp', 'settled', 'sending', 'stc', 'ats', 'idem', 'stacktrace'))
if not exists then return 'gone' end
-- A message whose worker once died holding it may have been sent.
if settled or (sending and sending ~= '') or (tonumber(stalls) or 0) > 0 or redis.call('EXISTS', KEYS[2]) == 1 then return 'too-late' end
if endedUnsure(history) then return 'too-late' end
if (fetches or '0') ~= ARGV[3] then return 'changed' end
-- Otherwise it might be gone, and nobody would be told.
failIfSpoilt({ KEYS[3] }, { KEYS[4], KEYS[5] })
if not removeWaiting(id, jobs) then return 'too-late' end
rememberEnding(
  { key = KEYS[6], report = ARGV[4], ms = ARGV[5], records = ARGV[6] },
  { id = id, idem = idem, status = 'cancelled' }
)
redis.call('ZREM', KEYS[5], id)
redis.call('LREM', KEYS[3], 1, id)
-- Last, and whatever stands in the job of the next message.
pcall(wake, KEYS[3], jobs, KEYS[4])
return 'cancelled'
