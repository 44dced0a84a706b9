-- first(laneKey, jobPrefix): the message whose turn it is in a lane, and whether it is parked ('1'); false when the lane is empty.
-- Ids at the front whose job is gone or settled hold nobody up: they are dropped on the way. Bounded, so that one call
-- never walks a lane of any length: nil where it has dropped as many as it may, and there are more. The next call goes on.
local function first(laneKey, jobPrefix)
  for _ = 1, 1000 do
    local id = redis.call('LINDEX', laneKey, '0')
    if not id then return false end
    local job = redis.call('HMGET', jobPrefix .. id, 'timestamp', 'settled', 'parked')
    if job[1] and not job[2] then return id, job[3] end
    redis.call('LPOP', laneKey)
  end
  if redis.call('EXISTS', laneKey) == 0 then return false end
  return nil
end
