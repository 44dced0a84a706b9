-- Deletes a key if it still holds what its caller knows of: a lock by its fence, an id that WeChat has refused.
--   KEYS[1] a string
--   ARGV[1] the value
-- Returns 1 if it did.
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
