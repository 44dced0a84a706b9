--- include tell
-- WeChat has taken a call with a token: that is remembered, and refusals before it are forgotten, and with them the pause.
--   KEYS[1] token
--   ARGV[1] the value   ARGV[2] the channel on which all processes learn of it
-- Returns 1 if there was something to forget.
if redis.call('HGET', KEYS[1], 'value') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'accepted', '1')
-- When its source gave it last is still true, and spares a question when the next refusal is a stray one.
if redis.call('HDEL', KEYS[1], 'repeats', 'refusedAt', 'pausedUntil') == 0 then return 0 end
tell(ARGV[2], 'proved')
return 1
