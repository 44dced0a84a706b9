-- May a forced refresh be asked for now? WeChat allows 20 a day, at least 30 s apart, and does nothing beyond that.
--   KEYS[1] the last one   KEYS[2] the day's count
--   ARGV[1] interval in ms   ARGV[2] per day
-- Returns 1 and counts it, or 0.
if tonumber(redis.call('GET', KEYS[2]) or '0') >= tonumber(ARGV[2]) then return 0 end
if not redis.call('SET', KEYS[1], '1', 'NX', 'PX', ARGV[1]) then return 0 end
if redis.call('INCR', KEYS[2]) == 1 then redis.call('PEXPIRE', KEYS[2], 86400000) end
return 1
