-- isBehind(job, lane, jobPrefix, joinsLate): whether another message to the same person goes first. `job` is its id and what its
-- hash says: `parked`, `atm` (tries made), `stc` (times taken over). `joinsLate`: it joins its lane when it becomes due.
--- include first

-- Made here, as ids.ts makes them: whoever enqueued it has put it into its lane. Others were added by other means.
local function isGenerated(id)
  local random = '^m%-' .. string.rep('%w', 20)
  return string.find(id, random .. '$') or (#id <= 32 and string.find(id, random .. '%-%d+$'))
end

local function isBehind(job, lane, jobPrefix, joinsLate)
  -- At the front it need not be looked at again: it is there, and open.
  local turn = redis.call('LINDEX', lane, '0')
  if turn == job.id then return false end
  turn = turn and first(lane, jobPrefix)
  if turn == job.id then return false end
  -- Absence proves nothing: a scheduled message has not joined yet, and a lane may have been deleted by hand. But looking
  -- costs as much as the lane is long, so a message is looked for only where it may be absent: when it joins late or was
  -- not made here, when it was parked and comes by itself, and when it was first once, having been tried or taken over.
  local absent = not turn
  if turn and (job.parked or job.atm or job.stc or joinsLate or not isGenerated(job.id)) then
    absent = not redis.call('LPOS', lane, job.id)
  end
  if absent then
    redis.call('RPUSH', lane, job.id)
    turn = first(lane, jobPrefix)
  end
  return turn ~= job.id
end
