-- Notifies all processes on a channel that something has changed. Nothing depends on its arrival: a user who may not publish
-- there loses time, and no step. Returns how many received it on this server.
local function tell(channel, message)
  local heard = redis.pcall('PUBLISH', channel, message)
  return type(heard) == 'number' and heard or 0
end
