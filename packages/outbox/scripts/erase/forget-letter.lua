-- Removes a dead letter with everything that is remembered of its message, wherever it waits: a task that is about it counts it as skipped.
--   KEYS[1] open tasks   KEYS[2] replays that are due   KEYS[3] the same by person   KEYS[4] ended record of its message
--   ARGV[1] id   ARGV[2] prefix of the queue of dead letters   ARGV[3] prefix of idempotency records   ARGV[4] prefix of tasks
--   ARGV[5] its acceptance   ARGV[6] its recipient   ARGV[7] id of its message   ARGV[8] the indexes that list it (JSON)
--   ARGV[9] '1': nothing is changed
-- Returns {'gone'}, or {'dead', '1' if there was an idempotency record}.
--- include clock
--- include remove-job
--- include idempotency
--- include task
local id, dead, records, tasks, acceptance, touser, message, indexes, isDry = unpack(ARGV)
local name, idem = unpack(redis.call('HMGET', dead .. id, 'name', 'idem'))
if not name then return { 'gone' } end
local record = recordOf(records, idem, message)
local answer = { 'dead', record and '1' or '' }
if isDry == '1' then return answer end
local at = { tasks = tasks, open = KEYS[1], due = KEYS[2], dueOf = KEYS[3], now = nowMs() }
local places = redis.call('ZRANGE', KEYS[1], 0, -1)
places[#places + 1] = ''
for _, task in ipairs(places) do
  local entry = { task = task, acceptance = acceptance, touser = touser, letter = id }
  if isLeft(entry, at) then finishLetter(entry, 'skipped', at) end
end
redis.call('ZREM', dead .. 'failed', id)
redis.call('LREM', dead .. 'wait', 1, id)
removeJob(dead .. id)
for _, index in ipairs(cjson.decode(indexes)) do redis.call('ZREM', index, id) end
if record then redis.call('DEL', record) end
redis.call('DEL', KEYS[4])
return answer
