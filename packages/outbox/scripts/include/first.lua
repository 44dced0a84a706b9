-- first(laneKey, jobPrefix): the id whose turn it is in a lane, or false when the lane is empty.
-- Ids at the front whose job is gone or settled hold nobody up: they are dropped on the way. Bounded, so that one call
-- never walks a lane of any length; what is left over is dropped by the next one.
local function first(laneKey, jobPrefix)
  for _ = 1, 1000 do
    local id = redis.call('LINDEX', laneKey, 0)
    if not id then return false end
    local jobKey = jobPrefix .. id
    if redis.call('EXISTS', jobKey) == 1 and redis.call('HEXISTS', jobKey, 'settled') == 0 then return id end
    redis.call('LPOP', laneKey)
  end
  return false
end
