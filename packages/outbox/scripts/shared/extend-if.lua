-- Lets a key last longer if it still holds what its caller knows of: a lock by its fence.
--   KEYS[1] a string
--   ARGV[1] the value   ARGV[2] ms that it lasts from now on
-- Returns 1 if it did.
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
