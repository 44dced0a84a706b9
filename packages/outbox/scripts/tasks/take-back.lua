-- Takes back messages that a task has replayed, the latest first: what has not been sent, nor tried, becomes the dead letter again that
-- it was. Each by itself, in one step. What is in flight or has been tried stays as it is.
--   KEYS[1] the task   KEYS[2] what it has replayed   KEYS[3] open tasks   KEYS[4] parked lanes   KEYS[5] messages that expire
--   ARGV[1] id of the task   ARGV[2] prefix of tasks   ARGV[3] prefix of jobs   ARGV[4] prefix of lanes
--   ARGV[5] prefix of the queue of dead letters   ARGV[6] prefix of idempotency records
--   ARGV[7..] seven for each: id of the dead letter, id of its replay, what that remembers of the letter as its caller has read it or '',
--             recipient, the letter (JSON), {message, reason, deadAt, acceptedAt, indexes, idem} (JSON), key of the ended record
-- Returns how many are left to look at, then for each 'taken-back', 'sent' (or gone, or tried), or {'failed', why}
--- include clock
--- include wake
--- include remove-job
--- include bury
--- include idempotency
--- include why-failed
--- include task
local id, tasks, jobs, lanes, dead, records = unpack(ARGV, 1, 6)
local at = { tasks = tasks, open = KEYS[3], now = nowMs() }

local function isUntouched(message, was)
  if was == '' then return false end
  local job = redis.call('HMGET', jobs .. message, 'was', 'settled', 'sending', 'stc', 'atm', 'stacktrace')
  if job[1] ~= was or job[2] or (job[3] and job[3] ~= '') then return false end
  if (tonumber(job[4]) or 0) > 0 or (tonumber(job[5]) or 0) > 0 then return false end
  if job[6] and job[6] ~= '' and job[6] ~= '[]' then return false end
  -- What a worker has fetched waits nowhere.
  return redis.call('ZSCORE', jobs .. 'delayed', message) or redis.call('LPOS', jobs .. 'wait', message)
end

local function takeBack(n)
  local letter, message, was, touser, json, more, endedKey = unpack(ARGV, n, n + 6)
  if not isUntouched(message, was) then return 'sent' end
  local lane = lanes .. touser
  -- Before there is a letter of a message that is still open.
  failIfSpoilt({ lane }, { KEYS[4], KEYS[5] })
  failIfWaitSpoilt(jobs)
  more = cjson.decode(more)
  local buried = bury({
    id = letter, name = redis.call('HGET', jobs .. message, 'name'), json = json, reason = more.reason, deadAt = more.deadAt,
    message = more.message, acceptedAt = more.acceptedAt, indexes = more.indexes, idem = more.idem,
  }, { dead = dead })
  if buried ~= 'buried' then return 'sent' end
  removeWaiting(message, jobs)
  redis.call('ZREM', KEYS[5], message)
  redis.call('LREM', lane, -1, message)
  -- What became of the message is open again.
  local record = recordOf(records, more.idem, more.message)
  if record then redis.call('HDEL', record, 'status') end
  redis.call('DEL', endedKey)
  -- Last, and whatever stands in the job of the next message.
  pcall(wake, lane, jobs, KEYS[4])
  return 'taken-back'
end

if redis.call('HGET', KEYS[1], 'takingBack') ~= '1' then return { 0 } end
-- First, because Redis may refuse it where its memory is full, and the whole script with it.
redis.call('ZADD', at.open, 'XX', at.now, id)
local answers = {}
for n = 7, #ARGV, 7 do
  local answer = 'sent'
  -- Another worker may have looked at it meanwhile.
  if redis.call('LPOS', KEYS[2], ARGV[n], 'RANK', -1) then
    local isDone
    isDone, answer = pcall(takeBack, n)
    local why = not isDone and whyFailed(answer)
    if why and isReadOnly(why) then return redis.error_reply(why) end
    if why then answer = { 'failed', why } end
    -- What another program has corrupted is refused tomorrow as well, and a task has to end.
    if not why or string.find(why, 'WRONGTYPE', 1, true) then redis.call('LREM', KEYS[2], -1, ARGV[n]) end
    if answer == 'taken-back' then redis.call('HINCRBY', KEYS[1], 'takenBack', 1) end
  end
  answers[#answers + 1] = answer
end
local left = redis.call('LLEN', KEYS[2])
if left == 0 then endTask(id, 'cancelled', at) end
return { left, unpack(answers) }
