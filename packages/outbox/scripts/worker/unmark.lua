-- WeChat has said that it did not take the message: the mark that a call is open goes, so that a crash before the next
-- call is not mistaken for one during it.
--   KEYS[1] job   KEYS[2] its lock
--   ARGV[1] lock token
-- Returns 1 if the lock was ours.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[1], 'sending')
return 1
