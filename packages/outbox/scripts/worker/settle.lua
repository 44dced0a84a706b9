-- Makes true what the runs of a worker came to, and fetches as many messages as those runs ask for, with their turns. Each
-- settlement stands by itself: an error in one changes nothing for the others, because what can fail comes first. A settlement
-- may be repeated, after an answer that was lost as well: it then finds what it did and does nothing more.
--
-- A settlement counts while the run's lock or its mark stands. The mark outlives the lock: as long as no other run has put
-- its own in its place, the run's call is the last that was made, and its answer is the truth about the message.
--
--   KEYS[1] meta  KEYS[2] wait  KEYS[3] active  KEYS[4] delayed  KEYS[5] completed  KEYS[6] failed  KEYS[7] events
--   KEYS[8] marker  KEYS[9] stalled  KEYS[10] prioritized  KEYS[11] parked lanes  KEYS[12] hold  KEYS[13] faults in a row
--   KEYS[14] messages that expire  KEYS[15] the app's mark that it has reply windows
--   ARGV[1] prefix of jobs  ARGV[2] prefix of lanes  ARGV[3] prefix of the queue of dead letters
--   ARGV[4] prefix of idempotency records  ARGV[5] lock in ms  ARGV[6] the version of job data that can be read
--   ARGV[7] '1': what is fetched may have its turn  ARGV[8] delivered jobs are kept for so many seconds  ARGV[9] and so many
--   ARGV[10] prefix of reply windows  ARGV[11] '1': `hold` is the policy of a message that has none  ARGV[12] and lasts so many ms
--   ARGV[13] prefix of the queue of callbacks
--   ARGV[14..] nine for each run: kind, id, lock token, recipient or '', '1' to fetch another, and four of the kind:
--     delivered   what the job returns (its attempts, JSON) or '' for what stands there, 'e' if it had an `expiresAt` and 'b' if
--                 BullMQ completes the job afterwards, the data that takes the place of its own (JSON) or '' to keep that, and what is
--                 told of it (JSON) or ''
--     snooze      delay in ms, '1' if it was a try, the history (JSON) or ''
--     dead        id of the dead letter, the letter (JSON), {reason, deadAt, acceptedAt, indexes, ifAgain, event} (JSON)
--     await-user  the history (JSON) or ''
--     park, give-back, fetch   nothing
-- Returns {now, when the earliest delayed job is due or '', '1' if only BullMQ's own method may fetch, then for each run
-- {outcome, what was fetched …}}. Outcomes: 'done'; 'gone': the message is another run's, or was settled; 'settled': WeChat has
-- it already; 'occupied': another message's letter has the id; 'again': its window may have opened since the call, so it waits
-- a moment and does not die; 'failed', and then the error: of a `fetch`, too, where messages wait and Redis refuses to hand out
-- any. Where WeChat's answer was not what the reply window had led to expect, a colon and that follow the outcome.
--- include clock
--- include grant-turn
--- include delayed-score
--- include idempotency
--- include remove-job
--- include trim-delivered
--- include bury
--- include promote-due
--- include why-failed
--- include await-user
--- include events
--- include take-delayed
--- include spoilt
local meta, wait, active, delayed, completed, failed, events, marker, stalled, prioritized, parkedLanes, hold, faults, expiring,
  windowsMark = unpack(KEYS)
local jobs, lanes, dead, records, lockMs, version, isReady, keepSeconds, keepCount, windows, holds, holdMaxMs,
  callbacks = unpack(ARGV, 1, 13)
local WIDTH, FIRST = 9, 14

local now, micros = nowAndMicros()
local nowText = string.format('%.0f', now)
local paused, concurrency, rateMax, eventsMax =
  unpack(redis.call('HMGET', meta, 'paused', 'concurrency', 'max', 'opts.maxLenEvents'))
eventsMax = eventsMax or 10000
-- Mostly there is neither, and one question is answered sooner than two.
local isTroubled = redis.call('EXISTS', faults, hold) > 0
local isHeld = isTroubled and redis.call('EXISTS', hold) == 1
local hasStalled = redis.call('EXISTS', stalled) == 1
local hasParked = redis.call('EXISTS', parkedLanes) == 1
local hasWindows = redis.call('EXISTS', windowsMark) == 1
-- A queue with a rate is fetched by BullMQ's own method, which counts; one with a limit is counted after the settlements.
local canFetch = not paused and not rateMax
local at = {
  jobs = jobs, lanes = lanes, wait = wait, active = active, delayed = delayed, prioritized = prioritized, events = events,
  parkedLanes = parkedLanes, now = now, nowText = nowText, micros = micros, lockMs = lockMs, version = tonumber(version),
  grants = isReady == '1' and not isHeld, expiring = expiring, holds = holds, holdMaxMs = holdMaxMs, windows = windows,
  hasWindows = hasWindows,
}
local hasWoken, hasDelivered, hasDelayed, hasEnded, hasFetched = false, false, false, false, false

-- Events that this script has noted.
local told = {}
local function tell(run, type, data)
  told[#told + 1] = noteEvent(callbacks, { type = type, of = run.id, data = data, at = nowText })
end

-- Nobody's end depends on who hears of it.
local hasEmitted = false
local function emit(...)
  redis.pcall('XADD', events, '*', 'event', ...)
  hasEmitted = true
end

-- What is delayed may be fetched at once.
local function letGo(id)
  if not takeDelayed(id, delayed, wait, 'RPUSH', 'RPOP') then return end
  redis.call('HSET', jobs .. id, 'parked', '0', 'delay', 0)
  hasWoken = true
end

-- The message leaves its lane, by id: the front may be another by now. The one whose turn it is then goes to the run that
-- settles, if that asks for a message, else to the front of `wait`. A backoff is kept: only a parked message is woken.
local function leave(run)
  if run.touser == '' then return end
  local lane = lanes .. run.touser
  redis.call('LREM', lane, '1', run.id)
  local turn, parked = first(lane, jobs)
  -- Where it is not known yet who is next, `heal` goes on.
  if not hasParked or turn == nil then return end
  if not turn then
    redis.call('ZREM', parkedLanes, lane)
    return
  end
  redis.call('ZADD', parkedLanes, 'XX', now, lane)
  if parked ~= '1' then return end
  if run.wants and canFetch and not concurrency then
    if takeDelayed(turn, delayed, active, 'LPUSH', 'LPOP') then run.successor = turn end
    return
  end
  letGo(turn)
end

-- The run has failed after all, and does not get its successor.
local function letGoSuccessor(run)
  redis.call('RPUSH', wait, run.successor)
  redis.call('LREM', active, '1', run.successor)
  redis.call('HSET', jobs .. run.successor, 'parked', '0', 'delay', 0)
  hasWoken = true
end

-- The job is no run's any more, and stands in no list from which one is fetched. The lock goes last: the step may fail before, and a
-- run without lock and mark could not repeat it.
local function release(run)
  if hasStalled then redis.call('SREM', stalled, run.id) end
  if redis.call('LREM', active, '-1', run.id) == 0 and not run.holds then
    -- Its lock was lost and its call is still the last: whoever has fetched it since has not begun to send it.
    if redis.call('LREM', wait, 1, run.id) == 0 then redis.call('ZREM', delayed, run.id) end
  end
  redis.call('DEL', run.jobKey .. ':lock')
end

local function complete(run, returned, data)
  -- The one step that can fail comes first: the run still holds its message then, and repeats.
  redis.call('ZADD', completed, nowText, run.id)
  release(run)
  local tries = run.atm and string.format('%.0f', (tonumber(run.atm) or 0) + 1) or '1'
  local changed = { 'settled', 'delivered', 'sending', '', 'finishedOn', nowText, 'atm', tries }
  if returned ~= '' then
    changed[9], changed[10] = 'returnvalue', returned
  else
    -- QueueEvents reads it as JSON.
    returned = redis.call('HGET', run.jobKey, 'returnvalue') or 'null'
  end
  if data ~= '' then
    changed[#changed + 1] = 'data'
    changed[#changed + 1] = data
  end
  redis.call('HSET', run.jobKey, unpack(changed))
  emit('completed', 'jobId', run.id, 'returnvalue', returned, 'prev', 'active')
  hasDelivered, hasEnded = true, true
end

local function deliver(run, returned, flags, data, event)
  leave(run)
  if string.find(flags, 'e', 1, true) or run.awaitsSince then redis.call('ZREM', expiring, run.id) end
  if isTroubled then redis.call('DEL', faults) end
  if not run.exists then
    -- Its job was removed by hand, and its place among the active ones would make one of it that nothing stands in.
    if run.holds then release(run) end
    return 'gone'
  end
  noteEnding(records, run.idem, run.id, 'delivered')
  local unexpected = hasWindows and run.calledAt and countReply(windows .. run.touser, run.calledAt)
  local outcome = unexpected and 'done:' .. unexpected or 'done'
  if string.find(flags, 'b', 1, true) or not (run.holds or run.isLast) then
    -- What WeChat took is true whoever holds the lock: nobody sends it again.
    if returned ~= '' then redis.call('HSET', run.jobKey, 'returnvalue', returned) end
    redis.call('HSET', run.jobKey, 'settled', 'delivered', 'sending', '')
    if data ~= '' then redis.call('HSET', run.jobKey, 'data', data) end
    -- Nobody has it where a later run has ended with a wait: the next fetch completes it, and not when that wait is over.
    redis.call('ZREM', awaitingKey(jobs), run.id)
    letGo(run.id)
  else
    complete(run, returned, data)
  end
  -- What was settled before has been told before.
  if event ~= '' and not run.settled then tell(run, 'message.delivered', event) end
  return outcome
end

-- The run leaves no mark of its own. A run that has told nothing has not heard either that an earlier one died with its call open:
-- that one's mark stands again, and is counted when the next run meets it.
local function clearMark(run, hasTold)
  if not run.isLast then return end
  local earlier = hasTold and '' or run.earlier
  redis.call('HSET', run.jobKey, 'sending', earlier)
  if earlier ~= '' then run.atm = redis.call('HINCRBY', run.jobKey, 'atm', -1) end
end

local function snooze(run, delayMs, counts, history)
  delayMs = tonumber(delayMs)
  local score = delayedScore(delayed, now + delayMs)
  release(run)
  -- A mark of a run that died stays: only a run that was admitted over it has taken note of it.
  clearMark(run, history ~= '')
  local changed = { 'delay', delayMs }
  if counts == '1' then
    changed[#changed + 1] = 'atm'
    changed[#changed + 1] = (tonumber(run.atm) or 0) + 1
  end
  if history ~= '' then
    changed[#changed + 1] = 'stacktrace'
    changed[#changed + 1] = history
  end
  redis.call('HSET', run.jobKey, unpack(changed))
  redis.call('ZADD', delayed, score, run.id)
  emit('delayed', 'jobId', run.id, 'delay', now + delayMs)
  hasDelayed = true
  return 'done'
end

-- WeChat has refused the message because of its reply window: 'again' where that may have opened since, and the message is tried once
-- more, else what becomes of its outcome.
local function judgeRefusal(run, history)
  if not (hasWindows and run.calledAt) then return 'done' end
  local againMs, unexpected = refusedReply(windows .. run.touser, run.calledAt, now, run.jobKey)
  if not againMs then return unexpected and 'done:' .. unexpected or 'done' end
  snooze(run, againMs, '', history)
  -- So that an action that comes meanwhile lets it go at once.
  redis.call('HSET', run.jobKey, 'parked', 'early')
  return 'again'
end

local function die(run, letterId, json, more)
  -- A key that another program has spoilt fails here, before there is a letter of a message that is still open.
  failIfSpoilt({ lanes .. run.touser, wait, active }, { delayed, parkedLanes, expiring })
  if hasStalled then redis.call('SCARD', stalled) end
  more = cjson.decode(more)
  local outcome = more.ifAgain and judgeRefusal(run, more.ifAgain) or 'done'
  if outcome == 'again' then return outcome end
  local letter = {
    id = letterId, name = run.name, json = json, reason = more.reason, deadAt = more.deadAt, message = run.id,
    acceptedAt = more.acceptedAt, indexes = more.indexes, idem = run.idem,
  }
  local buried = bury(letter, { dead = dead })
  leave(run)
  redis.call('ZREM', expiring, run.id)
  release(run)
  hasEnded = true
  if buried == 'occupied' then
    redis.call('HSET', run.jobKey, 'failedReason', more.reason, 'finishedOn', now, 'sending', '')
    redis.call('ZADD', failed, now, run.id)
    return 'occupied'
  end
  removeJob(run.jobKey)
  if more.event then tell(run, 'message.dead', more.event) end
  return outcome
end

-- It was fetched and its turn was refused. It may have become the first meanwhile, and then it goes on waiting for nobody.
local function stepBack(run)
  local lane = lanes .. run.touser
  local isFirst = first(lane, jobs) == run.id
  if isFirst then
    failIfSpoilt({ wait }, {})
    release(run)
    redis.call('RPUSH', wait, run.id)
    hasWoken = true
  else
    failIfSpoilt({}, { delayed, parkedLanes })
    release(run)
    at.lane = lane
    park(run.id, at)
    hasParked = true
  end
  return 'done'
end

local function giveBack(run)
  failIfSpoilt({ wait }, {})
  release(run)
  redis.call('RPUSH', wait, run.id)
  clearMark(run, false)
  -- No trace of a run; nor of BullMQ's word that the job is to fail, which is not BullMQ's to say here.
  if tonumber(run.ats) then redis.call('HSET', run.jobKey, 'ats', math.max(0, tonumber(run.ats) - 1)) end
  redis.call('HDEL', run.jobKey, 'processedOn', 'defa')
  hasWoken = true
  return 'done'
end

-- WeChat takes nothing for the person now, as it has said itself, or as the ledger says; unless the person has acted meanwhile.
local function await(run, history)
  local outcome = judgeRefusal(run, history)
  if outcome == 'again' then return outcome end
  if not run.calledAt then
    local window = hasWindows and readWindow(windows .. run.touser)
    if not window or not takesNothing(window, now) then return giveBack(run) end
  end
  failIfSpoilt({}, { delayed, awaitingKey(jobs), expiring })
  release(run)
  if run.isLast then redis.call('HSET', run.jobKey, 'sending', '') end
  if history ~= '' then redis.call('HSET', run.jobKey, 'stacktrace', history) end
  awaitUser(run.id, at)
  hasDelayed = true
  return outcome
end

local function settle(run, kind, n)
  run.jobKey = jobs .. run.id
  local exists, settled, sending
  exists, settled, sending, run.atm, run.ats, run.name, run.idem, run.awaitsSince =
    unpack(redis.call('HMGET', run.jobKey, 'timestamp', 'settled', 'sending', 'atm', 'ats', 'name', 'idem', 'awaitsSince'))
  run.exists, run.settled = exists, settled
  run.holds = redis.call('GET', run.jobKey .. ':lock') == run.token
  local calledAt, by, earlier = readMark(sending)
  run.isLast, run.earlier = by == run.token, earlier
  run.calledAt = run.isLast and tonumber(calledAt)
  if settled == 'superseded' then
    -- BullMQ's own method has fetched what was replaced meanwhile.
    if run.holds then release(run) end
    leave(run)
    return 'gone'
  end
  if kind == 'delivered' then return deliver(run, ARGV[n + 5], ARGV[n + 6], ARGV[n + 7], ARGV[n + 8]) end
  if not exists and run.holds then release(run) end
  if not exists or not (run.holds or run.isLast) then
    return kind == 'dead' and redis.call('HGET', dead .. ARGV[n + 5], 'buried') and 'done' or 'gone'
  end
  if settled then
    -- Another run has heard that WeChat took it.
    deliver(run, '', 'e', '', '')
    return 'settled'
  end
  if kind == 'snooze' then return snooze(run, ARGV[n + 5], ARGV[n + 6], ARGV[n + 7]) end
  if kind == 'dead' then return die(run, ARGV[n + 5], ARGV[n + 6], ARGV[n + 7]) end
  if kind == 'await-user' then return await(run, ARGV[n + 5]) end
  if kind == 'park' then return stepBack(run) end
  return giveBack(run)
end

local runs, answers, wanted = {}, {}, 0
for n = FIRST, #ARGV, WIDTH do
  local run = { id = ARGV[n + 1], token = ARGV[n + 2], touser = ARGV[n + 3], wants = ARGV[n + 4] == '1' }
  local answer = { 'done' }
  run.onlyFetches = ARGV[n] == 'fetch'
  if not run.onlyFetches then
    local isDone, outcome = pcall(settle, run, ARGV[n], n)
    answer[1] = isDone and outcome or 'failed'
    if not isDone then
      answer[2] = whyFailed(outcome)
      if isReadOnly(answer[2]) then return redis.error_reply(answer[2]) end
      if run.successor then pcall(letGoSuccessor, run) end
      -- It comes again, and asks again then.
      run.wants = false
    end
  end
  runs[#runs + 1], answers[#answers + 1] = run, answer
  if run.wants then wanted = wanted + 1 end
end

-- Before anything that may fail: a settlement that is repeated tells nothing.
queueEvents(callbacks, told)

local onlyBullmq = ''
if wanted > 0 then
  promoteDue(at)
  local room = wanted
  if concurrency then room = math.min(room, tonumber(concurrency) - redis.call('LLEN', active)) end
  if canFetch then
    for n, run in ipairs(runs) do
      if run.wants and (run.successor or room > 0) then
        local isDone, fetched = pcall(fetch, run.token, run.successor, at)
        local why = not isDone and whyFailed(fetched)
        if why and isReadOnly(why) then return redis.error_reply(why) end
        if isDone and fetched then
          answers[n] = { answers[n][1], unpack(fetched, 1, 2 + #FIELDS) }
          room, hasFetched = room - 1, true
        elseif why and not at.taken then
          -- Redis refuses to hand out any. Where memory is short it refuses to look into an empty list, too.
          if run.onlyFetches and redis.call('EXISTS', wait) == 1 then answers[n] = { 'failed', why } end
        elseif not run.successor then
          room = 0
        end
      end
    end
  end
  if rateMax or redis.call('EXISTS', prioritized) == 1 then onlyBullmq = '1' end
end

if hasDelivered then trimDelivered(completed, jobs, { now = now, seconds = keepSeconds, count = keepCount }) end

if hasEmitted then redis.pcall('XTRIM', events, 'MAXLEN', '~', eventsMax) end
if hasDelayed then markDelayed(marker, delayed) end
local dueAt = ''
if wanted > 0 or hasWoken then
  -- Where nothing may be fetched, a marker would make workers ask again and again.
  local isShut = paused or concurrency and redis.call('LLEN', active) >= tonumber(concurrency)
  if not isShut and redis.call('EXISTS', wait, prioritized) > 0 then
    -- More is there than these runs take: other workers are to look.
    redis.pcall('ZADD', marker, '0', '0')
  elseif wanted > 0 then
    local next = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')[2]
    if next then dueAt = string.format('%.0f', tonumber(next) / 0x1000) end
  end
end
-- BullMQ's word that nothing is left, given where it gives it: to a run that fetches only if nothing is delayed either.
if hasEnded and not hasFetched and redis.call('EXISTS', wait, active, prioritized) == 0 then
  if wanted == 0 or (canFetch and dueAt == '') then emit('drained') end
end
return { string.format('%.0f', now), dueAt, onlyBullmq, unpack(answers) }
