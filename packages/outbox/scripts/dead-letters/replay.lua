-- Replays dead letters that somebody has retried: each leaves the replays that are due, and the message that it is replayed as is
-- stored, in one step. Each by itself, in their order. One that is no longer due, because another worker was faster, is passed over.
--   KEYS[1..9] as `send` takes them   KEYS[10] replays that are due   KEYS[11] the rate of replays
--   ARGV[1] prefix of jobs   ARGV[2] prefix of lanes   ARGV[3] prefix of idempotency records
--   ARGV[4] prefix of the queue of dead letters   ARGV[5] endings are remembered for so many ms at least
--   ARGV[6] replays per second, 0 for any
--   ARGV[7..] eleven for each: its acceptance, id of the dead letter, id of its message, key of the ended record of that, the last report (JSON),
--             the indexes that list it (JSON), and of the new message: id, recipient, data (JSON), `expiresAt` or ''; and the letter's
--             `failedReason`. Without a new message, or where another one has its id, the letter stays dead
-- Returns {how many ms the rate asks to wait, or 0, then for each 'replayed', 'taken' (it had been, and only its job was left),
-- 'changed', 'refused' (it stays dead), 'later' (the rate), or {'failed', why}}
--- include clock
--- include store
--- include remove-job
--- include idempotency
--- include rate-limit
--- include why-failed
local jobs, lanes, records, dead, rememberMs, perSecond = unpack(ARGV, 1, 6)
perSecond = tonumber(perSecond)
local WIDTH, FIRST = 11, 7
local now, micros = nowAndMicros()
local at = {
  jobs = jobs, lanes = lanes, wait = KEYS[1], delayed = KEYS[4], events = KEYS[6], marker = KEYS[7], parkedLanes = KEYS[8],
  expiring = KEYS[9], now = now, micros = micros, eventsMax = redis.call('HGET', KEYS[2], 'opts.maxLenEvents') or 10000,
}

-- Nothing to send stands in it, or another message has the id of its replay: it stands among the failed ones as before.
local function staysDead(letter, acceptance, reason)
  redis.call('ZREM', KEYS[10], acceptance)
  redis.call('HSET', dead .. letter, 'failedReason', reason, 'finishedOn', at.now)
  redis.call('ZADD', dead .. 'failed', at.now, letter)
  return 'refused'
end

local function replay(n)
  local acceptance, letter, message, endedKey, report, indexes, id, touser, data, expiresAt, reason = unpack(ARGV, n, n + WIDTH - 1)
  local name, idem, replayedAs = unpack(redis.call('HMGET', dead .. letter, 'name', 'idem', 'replayedAs'))
  if not redis.call('ZSCORE', KEYS[10], acceptance) then return 'changed' end
  if id == '' then return staysDead(letter, acceptance, reason) end
  if name and not replayedAs and redis.call('EXISTS', jobs .. id) == 1 then return staysDead(letter, acceptance, reason) end
  local stands = name and not replayedAs and store({
    id = id, name = name, touser = touser, data = data, expiresAt = expiresAt ~= '' and expiresAt,
  }, at)
  redis.call('ZREM', KEYS[10], acceptance)
  removeJob(dead .. letter)
  for _, index in ipairs(cjson.decode(indexes)) do redis.call('ZREM', index, letter) end
  if not stands then return 'taken' end
  rememberEnding(
    { key = endedKey, report = report, ms = rememberMs, records = records },
    { id = message, idem = idem, status = 'replayed' }
  )
  return 'replayed'
end

local answers, stored, waitMs = {}, 0, 0
for n = FIRST, #ARGV, WIDTH do
  if perSecond > 0 and waitMs == 0 then waitMs = rateLimit(KEYS[11], perSecond, at.now, 0) end
  if waitMs > 0 then
    answers[#answers + 1] = 'later'
  else
    local isDone, answer = pcall(replay, n)
    if not isDone then
      local why = whyFailed(answer)
      if isReadOnly(why) then return redis.error_reply(why) end
      answer = { 'failed', why }
    end
    answers[#answers + 1] = answer
    if answer == 'replayed' then stored = stored + 1 end
  end
end
if stored > 0 then announce(stored, { id = KEYS[3], meta = KEYS[2], active = KEYS[5] }, at) end
return { waitMs, unpack(answers) }
