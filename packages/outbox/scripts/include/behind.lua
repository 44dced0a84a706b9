-- isBehind(job, lane, jobPrefix, mayBeAbsent): whether somebody to the same person goes first. `job` is its id and what its hash
-- says: `parked`, `atm` (tries made), `stc` (times taken over). `mayBeAbsent` tells, when asked, whether it may not have joined.
--- include first
local function isBehind(job, lane, jobPrefix, mayBeAbsent)
  -- At the front it need not be looked at again: it is there, and open.
  local turn = redis.call('LINDEX', lane, 0)
  if turn ~= job.id then turn = first(lane, jobPrefix) end
  if turn == job.id then return false end
  -- Absence proves nothing: a scheduled message has not joined yet, and a lane may have been deleted by hand. But looking
  -- costs as much as the lane is long, so a message is looked for only where it may be absent: when the caller says so,
  -- when it was parked and comes by itself, and when it was first once, having been tried or taken over.
  local absent = not turn
  if turn and (job.parked or job.atm or job.stc or mayBeAbsent()) then
    absent = not redis.call('LPOS', lane, job.id)
  end
  if absent then
    redis.call('RPUSH', lane, job.id)
    turn = first(lane, jobPrefix)
  end
  return turn ~= job.id
end
