-- One look at an app's two queues: is there work that may be fetched now, when will there be, does anybody hold any?
--   KEYS[1..5] of `send`: meta, limiter, wait, delayed, active   KEYS[6..10] the same of `dead-letter`
--   KEYS[11] replays that are due   KEYS[12] open tasks
--   ARGV[1] a task for which nobody has done anything for so many ms has lost its worker
-- Returns for each queue {1 if a job may be fetched, when the first delayed one is due in epoch ms or -1, jobs in `active`}.
-- A queue that is paused or has as many active as it may have has nothing that may be fetched; one at its rate has nothing
-- before the rate allows it, whatever is due: other workers may have had the share of this one.
--- include clock
local answer = {}
for at = 0, 5, 5 do
  local limits = redis.call('HMGET', KEYS[at + 1], 'paused', 'concurrency')
  local active = redis.call('LLEN', KEYS[at + 5])
  local isShut = limits[1] or limits[2] and active >= tonumber(limits[2])
  local waits = not isShut and redis.call('EXISTS', KEYS[at + 3], KEYS[at == 5 and 11 or 3]) > 0
  if at == 5 and not waits and not isShut and redis.call('EXISTS', KEYS[12]) == 1 then
    waits = redis.call('ZCOUNT', KEYS[12], '-inf', nowMs() - ARGV[1]) > 0
  end
  -- BullMQ keeps a job's place within its millisecond in the lower twelve bits.
  local due = redis.call('ZRANGE', KEYS[at + 4], 0, 0, 'WITHSCORES')[2]
  due = due and not isShut and math.floor(tonumber(due) / 4096) or -1
  -- An idle app, of which there are many, is asked nothing more.
  local limitedMs = (waits or due >= 0) and redis.call('PTTL', KEYS[at + 2]) or 0
  if limitedMs > 0 then
    waits = false
    if due >= 0 then due = math.max(due, nowMs() + limitedMs) end
  end
  answer[#answer + 1] = { waits and 1 or 0, string.format('%.0f', due), active }
end
return answer
