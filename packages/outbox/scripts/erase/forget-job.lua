-- Removes a person's job from a queue with everything that is remembered of it, unless a worker holds it. The next of its lane is let go.
-- One that somebody else has removed may still stand in the lane, whose name is the person's.
--   KEYS[1] job   KEYS[2] its lock   KEYS[3] lane   KEYS[4] parked lanes   KEYS[5] messages that expire   KEYS[6] its ended record
--   ARGV[1] id   ARGV[2] prefix of the queue   ARGV[3] prefix of idempotency records   ARGV[4] '1': nothing is changed
-- Returns {'gone'}, or {'ghost'} if nothing but its place in the lane was left, or {what it is or was: 'sending' (it stays), 'delivered' (or
-- replaced by a newer one) or 'waiting', '1' if it had an idempotency record}.
--- include wake
--- include remove-job
--- include idempotency
local id, jobs, records, isDry = ARGV[1], ARGV[2], ARGV[3], ARGV[4] == '1'
local name, idem = unpack(redis.call('HMGET', KEYS[1], 'name', 'idem'))
local record = name and recordOf(records, idem, id)
local hasRecord = record and '1' or ''
local function leave()
  if redis.call('LREM', KEYS[3], -1, id) == 0 then return false end
  wake(KEYS[3], jobs, KEYS[4])
  return true
end
if redis.call('EXISTS', KEYS[2]) == 1 or redis.call('LPOS', jobs .. 'active', id) then return { 'sending', hasRecord } end
if not name then return { not isDry and leave() and 'ghost' or 'gone' } end
local kind = redis.call('ZSCORE', jobs .. 'completed', id) and 'delivered' or 'waiting'
if isDry then return { kind, hasRecord } end
local hasEnded = redis.call('ZREM', jobs .. 'completed', id) + redis.call('ZREM', jobs .. 'failed', id) > 0
if hasEnded or not removeWaiting(id, jobs) then removeJob(KEYS[1]) end
if record then redis.call('DEL', record) end
redis.call('ZREM', KEYS[5], id)
redis.call('DEL', KEYS[6])
leave()
return { kind, hasRecord }
