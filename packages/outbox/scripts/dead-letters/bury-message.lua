-- A message that no run settles becomes a dead letter: its job failed by other programs, it expired while it waited, or its user did
-- nothing for too long. Only if it is
-- still as its caller saw it; so what the caller read is what the letter says.
--   KEYS[1] job   KEYS[2] its lock   KEYS[3] lane; of a message without a recipient, one that nobody has   KEYS[4] parked lanes
--   KEYS[5] failed   KEYS[6] messages that expire
--   ARGV[1] id   ARGV[2] prefix of jobs   ARGV[3] prefix of the queue of dead letters   ARGV[4] fetches that its caller saw
--   ARGV[5] 'failed', 'expired' or 'unanswered'   ARGV[6] id of the dead letter   ARGV[7] the letter (JSON), or '' for a message that WeChat has
--   ARGV[8] {reason, deadAt, acceptedAt, indexes} (JSON)
--   ARGV[9] prefix of the queue of callbacks   ARGV[10] the event that is told of it, or ''   ARGV[11] its data (JSON)
-- Returns 'dead', 'settled' (WeChat has it, or it is gone: removed), 'changed', 'locked' (a worker holds it), or 'occupied' (another
-- message's letter stands under the id: both are left alone).
--- include wake
--- include remove-job
--- include bury
--- include clock
--- include events
local id, jobs = ARGV[1], ARGV[2]
local isFailed = ARGV[5] == 'failed'
local exists, settled, sending, fetches, name, idem, parked, awaitsSince =
  unpack(redis.call('HMGET', KEYS[1], 'timestamp', 'settled', 'sending', 'ats', 'name', 'idem', 'parked', 'awaitsSince'))
if isFailed and not redis.call('ZSCORE', KEYS[5], id) then return 'changed' end
if redis.call('EXISTS', KEYS[2]) == 1 then return 'locked' end

local function leave()
  redis.call('ZREM', KEYS[6], id)
  redis.call('LREM', KEYS[3], 1, id)
  -- Whatever stands in the job of the next message: `heal` looks after that.
  local isDone, turn = pcall(wake, KEYS[3], jobs, KEYS[4])
  -- What stood behind it has waited for the same user all the time, or since it was accepted: it does not begin anew.
  if isDone and turn and parked == 'user' and awaitsSince then
    local acceptedAt = redis.call('HGET', jobs .. turn, 'timestamp')
    redis.call('HSETNX', jobs .. turn, 'awaitsSince', math.max(tonumber(awaitsSince), tonumber(acceptedAt)))
  end
end

-- A hash without a name is no job.
if not exists or not name or settled then
  -- Failed, and WeChat has it or nothing is left of it.
  if isFailed then
    redis.call('ZREM', KEYS[5], id)
    removeJob(KEYS[1])
    leave()
  end
  return 'settled'
end
if (fetches or '0') ~= ARGV[4] or ARGV[7] == '' then return 'changed' end
-- A call that may be open is left to the next run: what became of it `ifUnsure` decides.
if not isFailed and sending and sending ~= '' then return 'changed' end
if not isFailed and not (redis.call('ZSCORE', jobs .. 'delayed', id) or redis.call('LPOS', jobs .. 'wait', id)) then return 'changed' end
-- The user has acted since.
if (ARGV[5] == 'unanswered' or ARGV[10] == 'message.expired-waiting') and parked ~= 'user' then return 'changed' end
-- Before there is a letter of a message that is still open.
failIfSpoilt({ KEYS[3] }, { KEYS[4], KEYS[5], KEYS[6] })
failIfWaitSpoilt(jobs)
local more = cjson.decode(ARGV[8])
local buried = bury({
  id = ARGV[6], name = name, json = ARGV[7], reason = more.reason, deadAt = more.deadAt, message = id,
  acceptedAt = more.acceptedAt, indexes = more.indexes, idem = idem,
}, { dead = ARGV[3] })
if buried == 'occupied' then return 'occupied' end
if isFailed then
  redis.call('ZREM', KEYS[5], id)
  removeJob(KEYS[1])
else
  removeWaiting(id, jobs)
end
leave()
if ARGV[10] ~= '' then queueEvents(ARGV[9], { noteEvent(ARGV[9], { type = ARGV[10], of = id, data = ARGV[11], at = nowMs() }) }) end
return buried == 'there' and 'settled' or 'dead'
