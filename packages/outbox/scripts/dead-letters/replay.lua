-- Replays dead letters: single ones that somebody has retried, and letters of tasks. Each leaves the place where it waits, and the message
-- that it is replayed as is stored, in one step, in which its task counts it, too. Each by itself, in their order. One that no longer
-- waits there, because another worker was faster or its task was cancelled, is passed over.
--   KEYS[1..9] as `send` takes them   KEYS[10] replays that are due   KEYS[11] the same by person   KEYS[12] the rate of replays
--   KEYS[13] open tasks
--   ARGV[1] prefix of jobs   ARGV[2] prefix of lanes   ARGV[3] prefix of idempotency records
--   ARGV[4] prefix of the queue of dead letters   ARGV[5] endings are remembered for so many ms at least
--   ARGV[6] replays per second, 0 for any   ARGV[7] prefix of tasks   ARGV[8] the task whose turn it is, or '' for the single replays
--   ARGV[9] what a task's list of what it has replayed lasts, in ms
--   ARGV[10..] fifteen for each: the task that it waits in or '', its acceptance, recipient or '', id of the dead letter, id of its
--             message, key of the ended record of that, the last report (JSON), the indexes that list it (JSON), and of the new message: id,
--             recipient, data (JSON), `expiresAt` or '', policy for a closed reply window or ''; the letter's `failedReason`; what the message remembers of the letter
--             (JSON). Without a new message, or where another one has its id, the letter stays dead; the last of the fifteen is
--             'content-removed' then where that is why
-- Returns {how many ms a rate asks to wait, or 0; ids of the tasks that this has ended; then for each 'replayed', 'taken' (it had been,
-- and only its job was left), 'skipped' (its task found it gone, or retried by somebody), 'changed', 'refused' (it stays dead), 'later' (a
-- rate), or {'failed', why}}
--- include clock
--- include store
--- include remove-job
--- include leave-indexes
--- include idempotency
--- include rate-limit
--- include why-failed
--- include task
local jobs, lanes, records, dead, rememberMs, perSecond, tasks, turn, replayedMs = unpack(ARGV, 1, 9)
perSecond = tonumber(perSecond)
local WIDTH, FIRST = 15, 10
local now, micros = nowAndMicros()
local eventsMax, paused, concurrency = settingsOf(KEYS[2])
local at = {
  jobs = jobs, lanes = lanes, wait = KEYS[1], counter = KEYS[3], delayed = KEYS[4], active = KEYS[5],
  events = KEYS[6], marker = KEYS[7], parkedLanes = KEYS[8], expiring = KEYS[9],
  now = now, micros = micros, eventsMax = eventsMax, paused = paused, concurrency = concurrency,
  due = KEYS[10], dueOf = KEYS[11], tasks = tasks, open = KEYS[13],
}
local taskPerSecond = turn ~= '' and tonumber(redis.call('HGET', tasks .. turn, 'perSecond') or 0) or 0

-- Nothing to send stands in it, or another message has the id of its replay: it stands among the failed ones as before.
local function staysDead(entry, reason, why)
  if entry.task == '' then
    redis.call('HSET', dead .. entry.letter, 'failedReason', reason, 'finishedOn', at.now)
    redis.call('ZADD', dead .. 'failed', at.now, entry.letter)
  end
  if entry.task ~= '' and why == 'content-removed' then redis.call('HINCRBY', tasks .. entry.task, 'notReplayable', 1) end
  finishLetter(entry, 'failed', at)
  return 'refused'
end

-- What a task has replayed, so that it can be taken back.
local function remember(replayed, letter)
  redis.call('RPUSH', replayed, letter)
  redis.call('PEXPIRE', replayed, replayedMs)
end

local function replay(entry, n)
  local message, endedKey, report, indexes, id, touser, data, expiresAt, onClosed, reason, was = unpack(ARGV, n + 4, n + WIDTH - 1)
  local letter = entry.letter
  local name, idem, replayedAs = unpack(redis.call('HMGET', dead .. letter, 'name', 'idem', 'replayedAs'))
  if not isLeft(entry, at) then
    dropPlace(entry, at)
    return 'changed'
  end
  local isFailed = redis.call('ZSCORE', dead .. 'failed', letter)
  -- What somebody has retried is no longer among the failed ones, and is replayed for that.
  if entry.task ~= '' and not isFailed then
    finishLetter(entry, 'skipped', at)
    return 'skipped'
  end
  if id == '' then return staysDead(entry, reason, was) end
  if name and not replayedAs and redis.call('EXISTS', jobs .. id) == 1 then return staysDead(entry, reason) end
  local stands = name and not replayedAs and store({
    id = id, name = name, touser = touser, data = data, expiresAt = expiresAt ~= '' and expiresAt, onClosed = onClosed,
  }, at)
  finishLetter(entry, stands and 'done' or 'skipped', at)
  -- From here on nothing fails, or the message would be taken back of a letter that is gone.
  if isFailed then redis.call('ZREM', dead .. 'failed', letter) end
  removeJob(dead .. letter)
  leaveIndexes(letter, cjson.decode(indexes))
  if not stands then return 'taken' end
  rememberEnding(
    { key = endedKey, report = report, ms = rememberMs, records = records },
    { id = message, idem = idem, status = 'replayed' }
  )
  if entry.task ~= '' then
    redis.call('HSET', jobs .. id, 'was', was)
    pcall(remember, tasks .. entry.task .. ':replayed', letter)
  end
  return 'replayed'
end

local answers, touched, stored, waitMs = {}, {}, 0, 0
if turn ~= '' then
  redis.call('ZADD', at.open, 'XX', now, turn)
  touched[turn] = true
end
for n = FIRST, #ARGV, WIDTH do
  local entry = { task = ARGV[n], acceptance = ARGV[n + 1], touser = ARGV[n + 2], letter = ARGV[n + 3] }
  if taskPerSecond > 0 and waitMs == 0 then waitMs = rateLimit(tasks .. turn .. ':rate', taskPerSecond, now, 0) end
  if perSecond > 0 and waitMs == 0 then waitMs = rateLimit(KEYS[12], perSecond, now, 0) end
  if waitMs > 0 then
    answers[#answers + 1] = 'later'
  else
    at.storing = {}
    local isDone, answer = pcall(replay, entry, n)
    if not isDone then
      unstore(at)
      local why = whyFailed(answer)
      if isReadOnly(why) then return redis.error_reply(why) end
      answer = refusedLetter(entry, why, at)
    end
    if entry.task ~= '' then touched[entry.task] = true end
    answers[#answers + 1] = answer
    if answer == 'replayed' then stored = stored + 1 end
  end
end
if stored > 0 then announce(stored, at) end
return { waitMs, endDone(touched, at), unpack(answers) }
