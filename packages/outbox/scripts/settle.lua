-- WeChat has taken the message: off the lane, marked, and the next one woken. Right even after the lock was lost,
-- because it records what happened. Removes by id and never pops: the front may be somebody else by now.
--   KEYS[1] job   KEYS[2] lane   KEYS[3] held lanes   KEYS[4] faults in a row   KEYS[5] messages that expire
--   ARGV[1] id   ARGV[2] prefix of job keys   ARGV[3] what the job will return: the attempts of this run
--   ARGV[4] '1': it had an `expiresAt`
-- Returns the id whose turn it is now, or false.
--- include first
--- include wake
redis.call('LREM', KEYS[2], 1, ARGV[1])
if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('HSET', KEYS[1], 'settled', 'delivered', 'returnvalue', ARGV[3], 'sending', '')
end
redis.call('DEL', KEYS[4])
if ARGV[4] == '1' then redis.call('ZREM', KEYS[5], ARGV[1]) end
return wake(KEYS[2], ARGV[2], KEYS[3])
