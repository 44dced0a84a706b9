-- Removes dead letters for good, unless somebody has retried them: a single one, or letters of a task, which counts them in the same
-- step. Each by itself.
--   KEYS[1] failed   KEYS[2] open tasks
--   ARGV[1] prefix of the queue of dead letters   ARGV[2] prefix of idempotency records
--   ARGV[3] endings are remembered for so many ms at least   ARGV[4] prefix of tasks   ARGV[5] the task, or '' for a single letter
--   ARGV[6..] seven for each: its acceptance, recipient or '', id of the dead letter, id of its message, key of the ended record of that,
--             the last report (JSON), the indexes that list it (JSON)
-- Returns {how many ms the task's rate asks to wait, or 0; ids of the tasks that this has ended; then for each 'discarded',
-- 'being-replayed', 'unknown', 'changed' (it is not left to the task), 'later' (the rate), or {'failed', why}}
--- include clock
--- include remove-job
--- include leave-indexes
--- include idempotency
--- include rate-limit
--- include why-failed
--- include task
local dead, records, rememberMs, tasks, task = unpack(ARGV, 1, 5)
local at = { tasks = tasks, open = KEYS[2], now = nowMs() }
local perSecond = task ~= '' and tonumber(redis.call('HGET', tasks .. task, 'perSecond') or 0) or 0

local function discard(entry, n)
  local message, endedKey, report, indexes = unpack(ARGV, n + 3, n + 6)
  local letter = entry.letter
  if task ~= '' and not isLeft(entry, at) then return 'changed' end
  local exists, idem = unpack(redis.call('HMGET', dead .. letter, 'name', 'idem'))
  local isDead = exists and redis.call('ZSCORE', KEYS[1], letter)
  if isDead then
    rememberEnding(
      { key = endedKey, report = report, ms = rememberMs, records = records },
      { id = message, idem = idem, status = 'discarded' }
    )
  end
  if task ~= '' then finishLetter(entry, isDead and 'done' or 'skipped', at) end
  if not exists then return 'unknown' end
  if not isDead then return 'being-replayed' end
  redis.call('ZREM', KEYS[1], letter)
  removeJob(dead .. letter)
  leaveIndexes(letter, cjson.decode(indexes))
  return 'discarded'
end

local function discardOne(entry, n)
  local isDone, answer = pcall(discard, entry, n)
  if isDone then return answer end
  return refusedLetter(entry, whyFailed(answer), at)
end

local answers, waitMs = {}, 0
if task ~= '' then redis.call('ZADD', at.open, 'XX', at.now, task) end
for n = 6, #ARGV, 7 do
  local entry = { task = task, acceptance = ARGV[n], touser = ARGV[n + 1], letter = ARGV[n + 2] }
  if perSecond > 0 and waitMs == 0 then waitMs = rateLimit(tasks .. task .. ':rate', perSecond, at.now, 0) end
  local answer = waitMs > 0 and 'later' or discardOne(entry, n)
  if type(answer) == 'table' and isReadOnly(answer[2]) then return redis.error_reply(answer[2]) end
  answers[#answers + 1] = answer
end
return { waitMs, task ~= '' and endDone({ [task] = true }, at) or {}, unpack(answers) }
