-- An operator says that an app's receiver takes events again. It is tried with the next one.
--   KEYS[1] hold   KEYS[2] marker
-- Returns 1 if it was held.
local isHeld = redis.call('HEXISTS', KEYS[1], 'kind')
redis.call('DEL', KEYS[1])
redis.pcall('ZADD', KEYS[2], 0, '0')
return isHeld
