-- May the holder of the lock ask for a forced refresh now? WeChat allows 20 a day, at least 30 s apart, and does nothing
-- beyond that. If so the lock is prolonged, since another call follows.
--   KEYS[1] the last one   KEYS[2] the day's count   KEYS[3] lock
--   ARGV[1] interval in ms   ARGV[2] per day   ARGV[3] the lock's fence   ARGV[4] ms the lock lasts from now
-- Returns 1 and counts it, or 0.
if redis.call('GET', KEYS[3]) ~= ARGV[3] then return 0 end
if tonumber(redis.call('GET', KEYS[2]) or '0') >= tonumber(ARGV[2]) then return 0 end
if not redis.call('SET', KEYS[1], '1', 'NX', 'PX', ARGV[1]) then return 0 end
if redis.call('INCR', KEYS[2]) == 1 then redis.call('PEXPIRE', KEYS[2], 86400000) end
redis.call('PEXPIRE', KEYS[3], ARGV[4])
return 1
